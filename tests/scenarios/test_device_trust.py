"""Other terms of the ledger: they count when the person accepts them, and some never."""

import hashlib
from dataclasses import replace

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.device.core import anchors
from blackthorn.device.transparency import trust
from blackthorn.errors import VerificationError
from blackthorn.link import frames as f
from blackthorn.tlog.cosignature import Cosigner
from blackthorn.tlog.policy import (
    NO_QUORUM,
    PolicyGroup,
    PolicyWitness,
    format_policy,
    parse_policy,
)
from tests.support.device_world import World


def terms(world, *, needed=2, without=None, **fields):
    """What a server would say that keeps its ledger by other terms."""
    policy = world.ledger.policy
    left = tuple(each for each in policy.witnesses if each.name != without)
    group = PolicyGroup("all", needed, tuple(each.name for each in left))
    policy = replace(policy, witnesses=left, groups=(group,), quorum="all")
    text = format_policy(policy)
    digest = hashlib.sha256(text.encode()).digest()
    config = replace(world.ledger.config, **{"policy_digest": digest, **fields})
    return f.Trust(1, config.encode(), text)


def judged(person, said):
    with person.unit() as unit:
        return trust.judge(unit, said)


def test_the_server_says_by_what_terms_it_keeps_its_ledger():
    world = World(900, "alice")
    (alice,) = world.people
    heard = []
    true = alice.device.receive
    alice.device.receive = lambda frame, now: heard.append(frame) or true(frame, now)
    alice.wire.say(f.FetchTrust(7))
    world.settle()
    (said,) = [each for each in heard if isinstance(each, f.Trust)]
    assert (said.request, said.config) == (7, world.ledger.config.encode())
    offer = judged(alice, said)
    with alice.unit() as unit:
        assert trust.differences(anchors.pinned(unit.records.settings), offer.anchors) == []


def test_what_differs_is_said_in_words_and_whether_it_is_weaker():
    world = World(901, "alice")
    (alice,) = world.people
    with alice.unit() as unit:
        old = anchors.pinned(unit.records.settings)
    fewer = judged(alice, terms(world, needed=1, epoch_ms=5_000)).anchors
    told = trust.differences(old, fewer)
    assert told == [
        "who must cosign: 1 of witness0.example, witness1.example; "
        "before: 2 of witness0.example, witness1.example",
        "time from a change to its epoch: 5 s; before: 0 s",
    ]
    assert trust.weakens(old.policy, fewer.policy)
    gone = judged(alice, terms(world, needed=1, without="w1")).anchors
    assert trust.differences(old, gone)[0].startswith("no more a witness: witness1.example (")
    assert trust.weakens(old.policy, gone.policy) and not trust.weakens(gone.policy, old.policy)
    assert not trust.weakens(old.policy, old.policy)
    nobody = parse_policy(format_policy(replace(old.policy, groups=(), quorum=NO_QUORUM)))
    assert trust.weakens(old.policy, nobody) and trust.quorum(nobody) == "nobody"


@pytest.mark.parametrize(
    "fields, rule",
    [
        ({"reset_delay_ms": 0}, "D31"),
        ({"vrf_key": bytes(32)}, "D31"),
        ({"policy_digest": bytes(32)}, "D13"),
    ],
)
def test_what_may_never_follow_is_refused_whatever_the_person_says(fields, rule):
    world = World(902, "alice")
    (alice,) = world.people
    with pytest.raises(VerificationError) as refused:
        judged(alice, terms(world, **fields))
    assert refused.value.rule == rule


def test_why_the_newest_epoch_does_not_satisfy_the_terms():
    world = World(904, "alice")
    (alice,) = world.people
    published = world.ledger.ledger.published
    epoch = f.EpochPart(published.note, published.head, list(published.head_proof))

    def why(policy, epoch=epoch):
        text = format_policy(policy)
        config = replace(world.ledger.config, policy_digest=hashlib.sha256(text.encode()).digest())
        offer = judged(alice, f.Trust(1, config.encode(), text))
        with alice.unit() as unit:
            return trust.not_yet_met(unit, offer, epoch)

    pinned = world.ledger.policy
    assert why(pinned) == ""
    keys = Cosigner("one.example", Secret(bytes(32))), Cosigner("two.example", Secret(b"2" * 32))
    added = tuple(PolicyWitness(each.vkey.name[:3], each.vkey) for each in keys)
    witnesses = (*pinned.witnesses, *added)
    group = PolicyGroup("all", 3, tuple(each.name for each in witnesses))
    three = replace(pinned, witnesses=witnesses, groups=(group,), quorum="all")
    said = "the ledger's newest state is not cosigned by one.example, two.example yet"
    assert why(three) == said
    two = replace(three, groups=(replace(group, threshold=2),))
    assert "still has the earlier configuration" in why(two)
    false = f.EpochPart(epoch.checkpoint, epoch.head + b"x", epoch.proof)
    assert "does not satisfy it" in why(pinned, false)


def test_nothing_counts_before_it_is_accepted_and_the_alarms_are_settled_then():
    world = World(903, "alice", "bob")
    alice, bob = world.people
    said = terms(world, needed=1, without="w1")
    true, dead = world.ledger.witnesses
    world.ledger.witnesses = [true]
    world.ledger.policy = parse_policy(said.policy)
    world.ledger.policy_text = said.policy
    from blackthorn.directory.config import decode_config

    world.ledger.config = decode_config(said.config)
    world.crash(committed=True)
    world.wake(700)
    number = alice.write(bob, "by one witness?")
    world.settle()
    assert dead and set(alice.alarms()) <= {"unwitnessed", "config-changed"} and alice.alarms()
    assert alice.waiting() == 1 and not alice.outcomes[number].final
    offer = judged(alice, said)
    for person in (alice, bob):
        with person.unit() as unit:
            settled = trust.accept(unit, offer)
        assert [each.code for each in settled] and not person.alarms()
    world.wake(60)
    world.check_received(bob, ["by one witness?"])
    assert not alice.alarms() and not bob.alarms()
