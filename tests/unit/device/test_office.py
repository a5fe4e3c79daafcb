"""What a device believes of the decisions: each verified, and their beginning always the same."""

from dataclasses import dataclass, field

import pytest

from blackthorn.device.transparency.decisions import DecisionDigest, replay
from blackthorn.errors import SecurityError, StorageError, VerificationError
from blackthorn.governance import statements
from blackthorn.governance.statements import Signed, Statement
from blackthorn.link.frames.decisions import Decision
from tests.support.governance_world import World


@dataclass
class Kept:
    values: dict[str, bytes] = field(default_factory=dict)

    def get(self, name):
        return self.values.get(name)

    def put(self, name, value):
        self.values[name] = value


@pytest.fixture(scope="module")
def told():
    """The decisions of a world, as its server would say them."""
    found: list[Decision] = []

    class Listening(World):
        def decide(self, *words, **names):
            signed = super().decide(*words, **names)
            found.append(Decision(len(found) + 1, signed.encode(), b"", self.now_ms))
            return signed

    world = Listening()
    case = world.receive("PK")
    world.verify(case)
    return world, found


def test_all_is_replayed_and_remembered(told):
    world, decisions = told
    settings = Kept()
    office = replay(decisions, [], settings, founders=["a@x"], log_ms=5)
    assert office.cases.case("D-000001").state == "verified"
    assert office.cases.officers == world.cases.officers
    assert (office.founders, office.log_ms) == (("a@x",), 5)
    assert office.seen.count == len(decisions)
    again = replay(decisions, [], settings)
    assert again.seen == office.seen


def test_more_may_come_and_less_may_not(told):
    _, decisions = told
    settings = Kept()
    replay(decisions[:-1], [], settings)
    replay(decisions, [], settings)
    with pytest.raises(SecurityError, match="earlier history"):
        replay(decisions[:-1], [], settings)
    assert replay(decisions, [], settings).seen.count == len(decisions)


def test_another_history_is_noticed(told):
    _, decisions = told
    settings = Kept()
    replay(decisions[:-1], [], settings)
    kept = dict(settings.values)
    other = said_later(decisions)
    with pytest.raises(SecurityError, match="another history"):
        replay(other, [], settings)
    assert settings.values == kept, "what it has seen stays what it was"


def said_later(decisions):
    """The same decisions, the second one said to have been taken later."""
    first, second, *rest = decisions
    moved = Decision(second.number, second.signed, b"", second.logged_ms + 1)
    return [first, moved, *rest]


def test_decisions_out_of_order_are_refused(told):
    _, decisions = told
    first, *rest = decisions
    with pytest.raises(SecurityError, match="out of their order"):
        replay([first, first, *rest], [], Kept())


def test_a_decision_that_breaks_a_rule_is_refused(told):
    _, decisions = told
    half = statements.decode(decisions[-1].signed)
    alone = Signed(half.statement, half.approvals[:1]).encode()
    with pytest.raises(VerificationError, match="G6"):
        replay([*decisions[:-1], Decision(99, alone, b"", 9)], [], Kept())


def test_a_private_part_that_was_not_signed_is_refused(told):
    _, decisions = told
    *rest, last = decisions
    false = statements.seal_private({"contact": "x"}, bytes)
    with pytest.raises(VerificationError, match="G16"):
        replay([*rest, Decision(last.number, last.signed, false, last.logged_ms)], [], Kept())


def test_what_waits_follows_the_case_and_is_one(told):
    _, decisions = told
    case = replay(decisions, [], Kept()).cases.case("D-000001")
    public = {"decision": "comply", "grounds": "G", "deadline_ms": 0}
    waiting = Signed(Statement(case.id, case.seq + 1, case.head, "assess", public), ())
    old = Signed(Statement(case.id, case.seq, case.head, "assess", public), ())
    said = [Decision(0, each.encode(), b"", 7) for each in (old, waiting)]
    office = replay(decisions, said, Kept())
    assert office.waiting["D-000001"].signed == waiting
    assert office.waiting["D-000001"].since_ms == 7
    with pytest.raises(VerificationError, match="two decisions wait"):
        replay(decisions, [said[1], said[1]], Kept())


def test_whose_an_officer_is_stands_in_what_appointed_him(told):
    world, decisions = told
    assert replay(decisions, [], Kept()).addresses == {}
    (keys,) = [each.keys for each in world.cases.officers.values() if each.id == "O-00000003"]
    found = replay(decisions, [], Kept()).officer_with(keys)
    assert found is not None and found.id == "O-00000003"


def test_what_was_seen_and_is_damaged(told):
    with pytest.raises(StorageError, match="damaged"):
        replay(told[1], [], Kept({"office-seen": b"\xc1"}))


def test_the_hash_depends_on_every_byte():
    one = Decision(1, b"a", b"", 1)
    others = (Decision(2, b"a", b"", 1), Decision(1, b"b", b"", 1), Decision(1, b"a", b"", 2))
    digests = {DecisionDigest().after(each).digest for each in (one, *others)}
    assert len(digests) == 4
    assert DecisionDigest().after(Decision(1, b"a", b"private", 1)) == DecisionDigest().after(one)
