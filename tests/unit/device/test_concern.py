"""The alarm scope of each kind of operation: whose open alarms block it."""

import pytest

from blackthorn.device.core.group_metadata import DIRECT, GROUP
from blackthorn.device.operations.change_chain import ChangeChain
from blackthorn.device.operations.change_group import ChangeGroup
from blackthorn.device.operations.create_group import CreateGroup
from blackthorn.device.operations.create_self_group import CreateSelfGroup
from blackthorn.device.operations.keep_members import KeepMembers
from blackthorn.device.operations.send_text import SendText
from blackthorn.device.operations.share_state import ShareState
from tests.support.chain_ledger import ChainLedger, Teller

ME, BOB, CAROL = "me@acme.example", "bob@acme.example", "carol@acme.example"
SALT = b"s" * 16


@pytest.fixture(scope="module")
def unit():
    ledger = ChainLedger()
    with Teller(ledger, ME, ledger.begin(ME)).unit() as unit:
        yield unit


def text(kind, name, group=b""):
    return SendText(kind, name, SALT, "text", 5, b"m" * 32, group=group)


@pytest.mark.parametrize(
    ("operation", "about", "several"),
    [
        (text(DIRECT, BOB), {BOB}, False),
        (text(GROUP, "team"), set(), True),
        (text(GROUP, "team", b"no such group"), set(), True),
        (CreateGroup("team", [BOB, CAROL, ME]), {BOB, CAROL}, True),
        (ChangeGroup("team", b"g", [BOB], []), {BOB}, True),
    ],
)
def test_whoever_would_be_told_something_is_concerned(unit, operation, about, several):
    scope = operation.alarm_scope(unit)
    assert scope.users == about
    assert scope.in_group is several


@pytest.mark.parametrize(
    "operation",
    [
        ChangeGroup("team", b"g", [], [BOB]),
        ChangeGroup("team", b"g", [], [], [b"d" * 16]),
        KeepMembers(GROUP, "team", b"g"),
        CreateSelfGroup(),
        ShareState(SALT),
        ChangeChain("the cancel of the reset", b"body"),
    ],
)
def test_what_takes_rights_back_and_what_stays_among_ones_own_concerns_nobody(unit, operation):
    assert operation.alarm_scope(unit).users == set()
