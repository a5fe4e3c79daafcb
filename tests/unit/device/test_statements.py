"""Bodies of statements as bytes, facts of conversations, snapshots, the check on the paper."""

import contextlib
import random

import cbor2
import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.device.account import recovery
from blackthorn.device.conversations import content, self_group
from blackthorn.device.conversations.self_group import Comparison, MailKey, Snapshot
from blackthorn.device.core.group_metadata import (
    DIRECT,
    GROUP,
    SELF,
    GroupMetadata,
    GroupMetadataError,
    read_group_metadata,
)
from blackthorn.device.core.statement_codec import (
    decode_body,
    decode_device,
    encode_body,
    encode_device,
)
from blackthorn.directory.config import DirectoryConfig
from blackthorn.errors import UserError, VerificationError
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.statements import (
    AddDevice,
    Cancel,
    DeviceInfo,
    RevokeDevice,
    SetRecovery,
)
from blackthorn.ids import Address, Fingerprint
from blackthorn.mls.codepoints import APPLICATION_EXTENSION
from blackthorn.mls.extension import Extension
from tests.support import runs

SEED = runs.seed()
KEYS = SigningKeys(Secret(bytes(32)), Secret(bytes(32)))
INFO = DeviceInfo.of("laptop", KEYS.public, KEYS.public.ed25519, (0xF04F,))


@pytest.mark.parametrize(
    "body",
    [AddDevice(INFO), RevokeDevice(INFO.id, "lost", 3), Cancel(4), SetRecovery(KEYS.public)],
)
def test_a_body_comes_back_as_it_was(body: object) -> None:
    assert decode_body(encode_body(body)) == body  # type: ignore[arg-type]


def test_a_device_comes_back_as_it_was() -> None:
    assert decode_device(encode_device(INFO)) == INFO
    with pytest.raises(VerificationError):
        decode_device(encode_body(Cancel(1)))
    with pytest.raises(VerificationError):
        decode_device(encode_body(AddDevice(INFO, recovered=True)))


def test_any_bytes_raise_one_error() -> None:
    print("seed", SEED)
    chance = random.Random(SEED)
    valid = encode_device(INFO)
    for _ in range(2_000):
        data = bytearray(valid)
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            decode_body(bytes(data[: chance.randrange(len(data) + 1)]))
            decode_body(bytes(data))
        except VerificationError:
            pass


# --- GroupMetadata --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "facts",
    [GroupMetadata(DIRECT, "", 1), GroupMetadata(GROUP, "team", 2), GroupMetadata(SELF, "", 3)],
)
def test_facts_come_back(facts: GroupMetadata) -> None:
    assert read_group_metadata([facts.extension()]) == facts


@pytest.mark.parametrize("value", [[1, 2, 0, "name"], [1, 3, 0, ""], [1, 1, 0, ""], [1, 0, 0, "n"]])
def test_only_a_group_has_a_name(value: list[object]) -> None:
    with pytest.raises(GroupMetadataError):
        read_group_metadata([Extension(APPLICATION_EXTENSION, cbor2.dumps(value, canonical=True))])


# --- Snapshots ----------------------------------------------------------------------------

SHARED = Snapshot(
    [MailKey(b"secret", b"certificate", 5)], [Comparison("bob@acme.example", bytes(32), 7)]
)


def test_a_snapshot_comes_back() -> None:
    assert self_group.decode(self_group.encode(SHARED, bytes(16), 1)) == SHARED


def test_a_text_is_no_snapshot_and_a_snapshot_no_text() -> None:
    text = content.encode(content.TextContent(bytes(16), "hello", 1, 1))
    with pytest.raises(content.ContentError):
        self_group.decode(text)
    with pytest.raises(content.ContentError):
        content.decode(self_group.encode(SHARED, bytes(16), 1))


def test_any_bytes_are_a_snapshot_or_raise_one_error() -> None:
    print("seed", SEED)
    chance = random.Random(SEED)
    valid = self_group.encode(SHARED, bytes(16), 1)
    for _ in range(2_000):
        data = bytearray(valid)
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with contextlib.suppress(content.ContentError):
            self_group.decode(bytes(data))


# --- The check on the paper ---------------------------------------------------------------

CONFIG = DirectoryConfig(
    origin="acme.example/ledger",
    domain="acme.example",
    log_vkey="acme.example/ledger+67d4b1f2+AQ==",
    vrf_key=bytes(32),
    enrolment=(bytes(32), bytes(1952)),
    rules=1,
    reset_delay_ms=1,
    epoch_ms=1,
    heartbeat_ms=1,
    policy_digest=bytes(32),
)
SERVER = Fingerprint(b"\x11" * 32)


def test_the_check_is_of_the_server_and_of_what_never_changes_of_its_ledger() -> None:
    from dataclasses import replace

    check = recovery.check(SERVER, CONFIG)
    assert [len(each) for each in check.split("-")] == [4] * 5
    kept = {"rules": 2, "reset_delay_ms": 9, "epoch_ms": 9, "policy_digest": b"\x01" * 32}
    for name, value in kept.items():
        assert recovery.check(SERVER, replace(CONFIG, **{name: value})) == check, name
    changed = {
        "origin": "other.example/ledger",
        "log_vkey": "x",
        "vrf_key": b"\x01" * 32,
        "enrolment": (b"\x01" * 32, bytes(1952)),
    }
    for name, value in changed.items():
        assert recovery.check(SERVER, replace(CONFIG, **{name: value})) != check, name
    assert recovery.check(Fingerprint(b"\x12" * 32), CONFIG) != check


def test_a_check_of_another_length_is_refused_before_anything_is_said() -> None:
    for typed in ("", "12", "0" * 21):
        with pytest.raises(UserError):
            recovery.RecoveryAttempt(KEYS, Address("alice@acme.example"), typed)
    recovery.RecoveryAttempt(KEYS, Address("alice@acme.example"), "ABCD 0000 0000 0000 0000")
