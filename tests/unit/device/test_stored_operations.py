"""The outbox is a format on disk: what earlier versions have stored is read, and written alike."""

import pytest

from blackthorn.device.core import prepared as stored
from blackthorn.device.core.prepared import KeyPackageClaim, PreparedPosting
from blackthorn.device.healing.notes import Wish
from blackthorn.device.operations.add_later import AddLater
from blackthorn.device.operations.change_chain import ChangeChain
from blackthorn.device.operations.change_group import ChangeGroup
from blackthorn.device.operations.create_group import CreateGroup
from blackthorn.device.operations.create_self_group import CreateSelfGroup
from blackthorn.device.operations.healing.add_again import AddAgain
from blackthorn.device.operations.healing.give_commit import GiveCommit
from blackthorn.device.operations.healing.renew import Renew
from blackthorn.device.operations.healing.send_heal import SendHeal
from blackthorn.device.operations.healing.settle_members import SettleMembers
from blackthorn.device.operations.keep_members import KeepMembers
from blackthorn.device.operations.move_suite import MoveSuite
from blackthorn.device.operations.redeliver import Parcel as Kept
from blackthorn.device.operations.redeliver import Redeliver
from blackthorn.device.operations.send_mail import SendMail
from blackthorn.device.operations.send_text import SendText
from blackthorn.device.operations.share_state import ShareState
from blackthorn.device.operations.table import KINDS, operation_of
from blackthorn.errors import DamageError
from blackthorn.link.frames import ClaimedKeyPackage, Order, Parcel, Posting
from blackthorn.ports.device_store import OutboxRecord

SALT, GROUP = b"s" * 16, b"g" * 32

STORED = [
    (
        SendMail(7, "bob@acme.example", "hi"),
        b"\x84\xa4type\xa4mail\xa6letter\x07\xa5names\xb0bob@acme.example\xa7subject\xa2hi",
    ),
    (
        SendText("direct", "bob@acme.example", SALT, "hi", 5, b"m" * 32),
        b"\x8c\xa4type\xa4text\xa4kind\xa6direct\xa4name\xb0bob@acme.example\xa4salt\xc4\x10"
        + SALT
        + b"\xa4text\xa2hi\xa7sent_ms\x05\xa7message\xc4 "
        + b"m" * 32
        + b"\xacconversation\xc4\x00\xa5count\x00\xa5group\xc4\x00"
        + b"\xa5epoch\xff\xa7digests\xc4\x00",
    ),
    (
        CreateGroup("team", ["bob@acme.example"]),
        b"\x83\xa4type\xa6create\xa4name\xa4team\xa9addresses\x91\xb0bob@acme.example",
    ),
    (
        ChangeGroup("team", GROUP, ["a"], ["b"]),
        b"\x86\xa4type\xa6change\xa4name\xa4team\xacconversation\xc4 "
        + GROUP
        + b"\xa3add\x91\xa1a\xa6remove\x91\xa1b\xaeremove_devices\x90",
    ),
    (
        KeepMembers("group", "team", GROUP),
        b"\x84\xa4type\xa7members\xa4kind\xa5group\xa4name\xa4team\xacconversation\xc4 " + GROUP,
    ),
    (
        AddLater("group", "team", GROUP, "carol"),
        b"\x85\xa4type\xa5later\xa4kind\xa5group\xa4name\xa4team\xacconversation\xc4 "
        + GROUP
        + b"\xa7address\xa5carol",
    ),
    (
        Renew("group", "team", GROUP, 3),
        b"\x85\xa4type\xa5renew\xa4kind\xa5group\xa4name\xa4team\xacconversation\xc4 "
        + GROUP
        + b"\xa5epoch\x03",
    ),
    (
        AddAgain("group", "team", GROUP, [Wish("bob", b"d" * 16, SALT, b"kp", 5)]),
        b"\x85\xa4type\xa5again\xa4kind\xa5group\xa4name\xa4team\xacconversation\xc4 "
        + GROUP
        + b"\xa6wishes\x91\x95\xa3bob\xc4\x10"
        + b"d" * 16
        + b"\xc4\x10"
        + SALT
        + b"\xc4\x02kp\x05",
    ),
    (
        GiveCommit(GROUP, b"g" * 32, b"d" * 16),
        b"\x84\xa4type\xa4give\xacconversation\xc4 "
        + GROUP
        + b"\xa6digest\xc4 "
        + b"g" * 32
        + b"\xa6device\xc4\x10"
        + b"d" * 16,
    ),
    (
        SendHeal("bob@acme.example", SALT, b"part"),
        b"\x84\xa4type\xa4heal\xa4name\xb0bob@acme.example\xa4salt\xc4\x10"
        + SALT
        + b"\xa4part\xc4\x04part",
    ),
    (
        SettleMembers("group", "team", GROUP),
        b"\x84\xa4type\xa6settle\xa4kind\xa5group\xa4name\xa4team\xacconversation\xc4 " + GROUP,
    ),
    (
        MoveSuite("group", "team", GROUP),
        b"\x84\xa4type\xa4move\xa4kind\xa5group\xa4name\xa4team\xacconversation\xc4 " + GROUP,
    ),
    (
        Redeliver(
            b"i" * 16, GROUP, "team", b"", "hi", [Kept(b"x", [b"d"])], ["bob"], True, 5, 7, 2
        ),
        b"\x8c\xa4type\xa9redeliver\xa7posting\xc4\x10"
        + b"i" * 16
        + b"\xacconversation\xc4 "
        + GROUP
        + b"\xa4name\xa4team\xa7message\xc4\x00\xa4text\xa2hi"
        + b"\xa7parcels\x91\x92\xc4\x01x\x91\xc4\x01d"
        + b"\xa7look_up\x91\xa3bob\xa5asked\xc3\xa7next_ms\x05\xa8until_ms\x07\xa5tries\x02",
    ),
    (CreateSelfGroup(), b"\x81\xa4type\xa4self"),
    (
        ShareState(SALT, b"d" * 32),
        b"\x83\xa4type\xa5share\xa4salt\xc4\x10" + SALT + b"\xa6digest\xc4 " + b"d" * 32,
    ),
    (
        ChangeChain("x", b"body", b"cert", b"signed", True, 3),
        b"\x87\xa4type\xa5chain\xa4what\xa1x\xa4body\xc4\x04body\xabcertificate\xc4\x04cert"
        b"\xa6signed\xc4\x06signed\xa5fixed\xc3\xa5tries\x03",
    ),
]

PREPARED = (
    b"\x85\xa7posting\x93\xc4\x10"
    + b"i" * 16
    + b"\x91\x92\xc4\x10"
    + b"f" * 16
    + b"\xc4\x06sealed\x93\xc4 "
    + b"h" * 32
    + b"\x00\xc4\x10"
    + b"c" * 16
    + b"\xa7fanouts\x91\x91\xc4\x10"
    + b"d" * 16
    + b"\xacconversation\xc4 "
    + GROUP
    + b"\xa5epoch\x03\xa4sort\xa6commit"
)
CLAIM = (
    b"\x82\xa8packages\x91\x93\xb0bob@acme.example\xc4\x10"
    + b"d" * 16
    + b"\xc4\x03pkg\xa8answered\x91\xb0bob@acme.example"
)


def row(data, packages=None):
    return OutboxRecord(1, b"", 0, data, None, packages, None, "")


@pytest.mark.parametrize(("value", "data"), STORED, ids=lambda each: type(each).__name__)
def test_every_kind_is_stored_as_ever(value, data):
    assert stored.encode(value) == data
    assert operation_of(row(data)) == value


def test_every_kind_of_the_table_is_held_to_its_stored_form():
    assert {type(value) for value, _ in STORED} == set(KINDS)


def test_a_row_without_the_newer_fields_is_read():
    data = (
        b"\x87\xa4type\xa4text\xa4kind\xa6direct\xa4name\xa1x\xa4salt\xc4\x00\xa4text\xa1y"
        b"\xa7sent_ms\x05\xa7message\xc4\x00"
    )
    assert operation_of(row(data)) == SendText("direct", "x", b"", "y", 5, b"")


def test_postings_and_claims_are_stored_as_ever():
    posting = Posting(b"i" * 16, [Parcel(b"f" * 16, b"sealed")], Order(b"h" * 32, 0, b"c" * 16))
    prepared = PreparedPosting(posting, [[b"d" * 16]], GROUP, 3, "commit")
    claim = KeyPackageClaim(
        [ClaimedKeyPackage("bob@acme.example", b"d" * 16, b"pkg")], ["bob@acme.example"]
    )
    assert (stored.encode(prepared), stored.encode(claim)) == (PREPARED, CLAIM)
    assert stored.decode_prepared(PREPARED) == prepared
    assert stored.claim_of(row(b"", CLAIM)) == claim


@pytest.mark.parametrize(
    "data", [b"", b"\xc1", b"\x81\xa4type\xa7unknown", b"\x81\xa4type\xa4text"]
)
def test_what_no_version_has_stored_is_damage(data):
    with pytest.raises(DamageError):
        operation_of(row(data))
