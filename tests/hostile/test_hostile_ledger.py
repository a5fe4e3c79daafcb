"""A hostile ledger: false answers, old trees, two trees, silence (attacks 4 to 10, 45, 46)."""

from dataclasses import replace

import pytest

from blackthorn.crypto import vrf
from blackthorn.crypto.secret import Secret
from blackthorn.device.transparency import alarms
from blackthorn.directory.commitment import Value
from blackthorn.directory.prefix_tree import PrefixTree
from blackthorn.directory.records import encode_record
from blackthorn.link import frames as f
from blackthorn.tlog.policy import NO_QUORUM
from tests.support.attacks import attack
from tests.support.evil_server import EvilServer, changed
from tests.support.hostile_harness import conclude, verified

HOUR = 3600.0


def flipped(data: bytes, at: int = -1) -> bytes:
    """The same bytes but for one bit."""
    place = at % len(data)
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def remember(into):
    """A mutator that changes nothing and keeps all that is said."""

    def keep(frame):
        into.append(frame)
        return frame

    return keep


def different(world, ledger, name):
    """Let the ledger log something that the other one does not."""
    body = encode_record(0x14, {"v": 1, "name": name, "version": "1", "digest": bytes(32)})
    ledger.add_record(0x14, body)
    world.publish()


# --- 4: another key in the answer ---------------------------------------------------------

ANSWER_FIELDS = ("address", "vrf_proof", "version", "value", "opening", "map_proof")
EPOCH_FIELDS = ("checkpoint", "head", "proof")


@attack(4, alarm="bad-answer", checks=1)
@pytest.mark.parametrize("field", ANSWER_FIELDS)
def test_no_field_of_an_answer_can_be_another(field):
    """First a bit of it, then a whole one that is right for somebody else."""
    world = EvilServer(1101, "alice", "bob", "mallory")
    alice, bob, mallory, *_ = world.people
    answers: dict[str, f.Answer] = {}

    def swap(frame):
        if not isinstance(frame, f.LookedUp):
            return frame
        answers.update({each.address: each for each in frame.answers})
        return changed(frame, answers=[false(each) for each in frame.answers])

    def false(answer):
        if answer.address != bob.address or not bad:
            return answer
        value = getattr(answer, field)
        other = getattr(answers[mallory.address], field)
        if bad == "another's":
            value = other if other != value else value + 1
        elif field == "version":
            value += 1
        elif field == "address":
            value = "bobby@acme.example"
        else:
            value = flipped(value, 3)
        return changed(answer, **{field: value})

    bad = ""
    world.lie(alice, swap)
    world.look(alice, mallory)
    for wrong in ("a bit", "another's"):
        bad = wrong
        alice.write(bob, world.secret())
        world.look(alice, bob)
        assert not alice.conversations() and alice.waiting() > 0
    if field == "address":  # then nobody has answered for Bob
        conclude(world)
    else:
        count = len(alice.alarms())
        assert 1 <= count <= 2
        conclude(world, {alice: ["bad-answer"] * count})
    for alarm in alice.open_alarms():
        with alice.vault.transaction() as records:
            alarms.accept(records, alarm.number)
    world.wake(120)
    assert len(bob.received()) == 2, "with the truth it goes on"


@attack(4, alarm="bad-epoch", checks=1)
@pytest.mark.parametrize("field", EPOCH_FIELDS)
def test_no_field_of_an_epoch_can_be_another(field):
    world = EvilServer(1102, "alice", "bob")
    alice, bob, *_ = world.people

    def swap(frame):
        if not isinstance(frame, f.LookedUp):
            return frame
        value = getattr(frame.epoch, field)
        value = [flipped(value[0]), *value[1:]] if field == "proof" else flipped(value, 40)
        return changed(frame, epoch=changed(frame.epoch, **{field: value}))

    world.lie(alice, swap)
    alice.write(bob, world.secret())
    world.settle()
    assert not alice.conversations() and alice.waiting() == 1
    (alarm,) = alice.open_alarms()
    if field == "checkpoint":  # nobody has signed it, so it proves nothing against the log
        assert alarm.code == "bad-epoch" and not alarm.evidence
        with alice.vault.transaction() as records:
            alarms.accept(records, alarm.number)
    conclude(world, {} if field == "checkpoint" else {alice: ["bad-epoch"]})


@attack(4, alarm="bad-chain", checks=1)
@pytest.mark.parametrize("lie", ["a bit", "another's chain", "cut short", "nothing"])
def test_the_chain_must_be_the_one_that_the_map_commits_to(lie):
    world = EvilServer(1103, "alice", "bob", "mallory")
    alice, bob, mallory, *_ = world.people
    heard: list[f.AnyFrame] = []
    world.lie(alice, remember(heard))
    world.look(alice, mallory)
    parts = [each for each in heard if isinstance(each, f.ChainPart)]
    (other,) = [each for each in parts if each.address == mallory.address]

    def swap(frame):
        if not isinstance(frame, f.ChainPart) or frame.address != bob.address:
            return frame
        (statement,) = frame.statements
        told = {
            "a bit": [flipped(statement, 200)],
            "another's chain": other.statements,
            "cut short": [statement[:-1]],
            "nothing": [],
        }
        return changed(frame, statements=told[lie])

    world.lie(alice, swap)
    alice.write(bob, world.secret())
    world.settle()
    assert not alice.conversations() and alice.waiting() == 1
    conclude(world, {alice: ["bad-chain"]})


# --- 5: swapped and swapped back ----------------------------------------------------------


@attack(5, alarm="swapped", checks=1)
def test_a_key_that_was_swapped_and_swapped_back_shows_on_the_owners_next_check():
    world = EvilServer(1104, "alice", "bob")
    alice, bob, *_ = world.people
    world.leave(bob)
    true = world.value_of(bob)
    world.entry(bob, Value(b"\x66" * 32, true.seq + 1, 0))
    world.entry(bob, true)
    world.wake(601, times=12)
    alice.write(bob, world.secret())
    world.settle()
    assert alice.alarms() == ["swapped"] and alice.waiting() == 1, "on her first look at him"
    assert not bob.alarms()
    world.come(bob)
    conclude(world, {alice: ["swapped"], bob: ["swapped"]})


@attack(5, alarm="swapped", checks=1)
def test_whoever_knew_the_person_sees_the_swap_as_well():
    world = EvilServer(1105, "alice", "bob")
    alice, bob, *_ = world.people
    alice.write(bob, world.secret())
    world.settle()
    world.leave(bob)
    true = world.value_of(bob)
    world.entry(bob, Value(b"\x66" * 32, true.seq + 1, 0))
    world.entry(bob, true)
    world.look(alice, bob)
    alice.write(bob, world.secret())
    world.settle()
    assert alice.waiting() == 1
    conclude(world, {alice: ["swapped"]})


# --- 6, 46: two ledgers -------------------------------------------------------------------


@attack(6, alarm="unwitnessed", checks=1)
@pytest.mark.parametrize("obeying", [0, 1])
def test_a_fork_without_the_quorum_is_accepted_by_nobody(obeying):
    world = EvilServer(1106, "alice", "bob")
    alice, bob, *_ = world.people
    world.look(alice, bob)
    fork = world.fork(alice, witnesses=range(obeying))
    fork.ledger.ledger._epochs._policy = replace(fork.ledger.policy, quorum=NO_QUORUM)
    if obeying:
        fork.ledger.ledger._epochs._policy = one_of(fork.ledger.policy)
    different(world, fork.ledger, "ghost")
    assert fork.ledger.ledger.published.root != world.ledger.ledger.published.root
    world.check(alice)
    alice.create_group("team", bob)
    alice.write_group("team", world.secret())
    world.settle()
    assert not alice.conversations(), "no new group on such a ledger"
    conclude(world, {alice: ["unwitnessed"]})


def one_of(policy):
    """The same witnesses; one of them is enough."""
    (group,) = policy.groups
    return replace(policy, groups=(replace(group, threshold=1),))


@attack(6, alarm="split-view", checks=1)
@attack(46, alarm="split-view", checks=1)
@pytest.mark.parametrize("ahead", [0, 1, -1])
def test_with_a_corrupt_quorum_the_first_message_between_the_victims_shows_the_fork(ahead):
    """The trees are of one size, or the one or the other is larger. No ledger's word is needed."""
    world = EvilServer(1107, "alice", "bob")
    alice, bob, *_ = world.people
    alice.write(bob, "hello")
    world.settle()
    fork = world.fork(alice)
    different(world, fork.ledger, "for alice")
    different(world, world.ledger, "for everybody")
    for ledger in [fork.ledger] if ahead > 0 else [world.ledger] if ahead < 0 else []:
        different(world, ledger, "more")
    for person in (alice, bob):
        world.check(person)
    assert not alice.alarms() and not bob.alarms(), "each sees a ledger that holds"
    alice.write(bob, world.secret())
    world.settle()
    smaller, larger = (bob, alice) if ahead > 0 else (alice, bob)
    if ahead <= 0:
        assert bob.alarms() == ["split-view"], "at the first message"
    bob.write(alice, "what do you see?")
    world.settle()
    assert larger.alarms() == ["split-view"]
    larger.write(smaller, world.secret("to tell of it"))
    world.settle()
    smaller.write(larger, world.secret("to answer"))
    world.settle()
    conclude_split(world, alice, bob, larger)


def conclude_split(world, alice, bob, larger):
    """Both have what the other was shown: two notes by one key, inside the encryption."""
    with_evidence = [each for each in larger.open_alarms() if each.evidence]
    assert with_evidence, [each.text for each in larger.open_alarms()]
    assert "has signed" in verified(with_evidence[0].evidence)
    conclude(world, {each: each.alarms() for each in (alice, bob) if each.alarms()})


@attack(46, alarm="split-view", checks=1)
def test_evidence_reaches_contacts_though_the_server_answers_nothing_about_the_ledger():
    world = EvilServer(1108, "alice", "bob")
    alice, bob, *_ = world.people
    alice.write(bob, "hello")
    world.settle()
    fork = world.fork(alice)
    different(world, fork.ledger, "for alice")
    different(world, world.ledger, "for everybody")
    for person in (alice, bob):
        world.check(person)
    silence = (f.LookedUp, f.ChainPart, f.Consistency, f.Entries)
    world.lie([alice, bob], lambda frame: None if isinstance(frame, silence) else frame)
    for _ in range(2):
        alice.write(bob, world.secret())
        world.settle()
        bob.write(alice, world.secret())
        world.settle()
    for person in (alice, bob):
        (alarm,) = person.open_alarms()
        assert alarm.code == "split-view" and alarm.evidence, person.name
    world.forks.clear()
    conclude(world, {alice: ["split-view"], bob: ["split-view"]})


# --- 7: rollback --------------------------------------------------------------------------


@attack(7, alarm="rollback", checks=1)
def test_each_old_checkpoint_is_refused_when_it_is_shown_again():
    world = EvilServer(1109, "alice", "bob")
    alice, bob, *_ = world.people
    heard: list[f.AnyFrame] = []
    world.lie(alice, remember(heard))
    world.wake(601, times=5)
    old = [each for each in heard if isinstance(each, f.LookedUp)]
    sizes = sorted({each.epoch.checkpoint.split(b"\n")[1] for each in old}, key=int)
    assert len(sizes) >= 5
    for again in old[:-1]:

        def replay(frame, again=again):
            if not isinstance(frame, f.LookedUp):
                return frame
            return changed(again, request=frame.request)

        world.lie(alice, replay)
        alice.write(bob, world.secret())
        world.check(alice)
        assert not alice.conversations()
    assert set(alice.alarms()) == {"rollback"}
    conclude(world, {alice: alice.alarms()})


# --- 8: freeze ----------------------------------------------------------------------------


@attack(8)
def test_a_ledger_that_publishes_nothing_gets_no_new_contacts():
    """After an hour it is stale: known people go on, nobody new is met; then all is well again."""
    world = EvilServer(1110, "alice", "bob", "carol")
    alice, bob, carol, *_ = world.people
    alice.write(bob, "hello")
    world.settle()
    world.fork(alice).ledger.ledger._epochs.stopped = True
    world.wake(601, times=8)
    world.check(alice)
    alice.write(bob, world.secret("to a known one"))
    alice.write(carol, world.secret("to a new one"))
    world.settle()
    assert alice.device.directory.stale and len(bob.received()) == 2
    assert not carol.received() and alice.waiting() == 1
    world.forks.clear()
    world.wake(60)
    assert len(carol.received()) == 1 and not alice.device.directory.stale
    conclude(world)


@attack(8, alarm="withheld", checks=1)
def test_a_ledger_that_others_see_grow_is_withheld():
    world = EvilServer(1111, "alice", "bob")
    alice, bob, *_ = world.people
    alice.write(bob, "hello")
    world.settle()
    world.fork(alice).ledger.ledger._epochs.stopped = True
    different(world, world.ledger, "more")
    world.check(bob)
    bob.write(alice, world.secret())
    world.settle()
    world.wake(601, times=7)
    world.check(alice)
    conclude(world, {alice: ["withheld"]})


# --- 9: there is no such user -------------------------------------------------------------


@attack(9)
@pytest.mark.parametrize("lie", ["no answer", "he waits for his first entry"])
def test_an_omitted_answer_is_no_absence(lie):
    world = EvilServer(1112, "alice", "bob")
    alice, bob, *_ = world.people

    def omit(frame):
        if not isinstance(frame, f.LookedUp):
            return frame
        answers = [each for each in frame.answers if each.address != bob.address]
        pending = [bob.address] if lie.startswith("he waits") else []
        return changed(frame, answers=answers, pending=pending)

    world.lie(alice, omit)
    number = alice.write(bob, world.secret())
    world.settle()
    world.wake(70, times=3)
    assert number not in alice.outcomes or not alice.outcomes[number].final
    assert alice.waiting() == 1
    conclude(world)


@attack(9, alarm="bad-answer", checks=1)
@pytest.mark.parametrize("proof", ["another's absence", "with Bob's own VRF proof"])
def test_a_forged_absence_is_refused(proof):
    world = EvilServer(1113, "alice", "bob")
    alice, bob, *_ = world.people

    def deny(frame):
        if not isinstance(frame, f.LookedUp):
            return frame
        return changed(frame, answers=[absent(each) for each in frame.answers])

    def absent(answer):
        if answer.address != bob.address:
            return answer
        tree = world.ledger.ledger.published.tree
        beta, pi = vrf.prove(world.ledger.keys.vrf, b"nobody@acme.example")
        nowhere = tree.prove(beta[:32]).encode()
        vrf_proof = answer.vrf_proof if proof.startswith("with") else pi
        return changed(
            answer, vrf_proof=vrf_proof, version=0, value=b"", opening=b"", map_proof=nowhere
        )

    world.lie(alice, deny)
    number = alice.write(bob, world.secret())
    world.settle()
    assert number not in alice.outcomes or not alice.outcomes[number].final
    assert alice.waiting() == 1
    conclude(world, {alice: ["bad-answer"]})


@attack(9, alarm="vanished", checks=1)
def test_whoever_was_there_cannot_vanish():
    """The log itself signs a map without him, and the witnesses cosign it."""
    world = EvilServer(1114, "alice", "bob")
    alice, bob, *_ = world.people
    alice.write(bob, world.secret("before"))
    world.settle()
    fork = world.fork(alice)
    without(fork, bob)
    different(world, fork.ledger, "without Bob")
    world.look(alice, bob)
    alice.write(bob, world.secret("after"))
    world.settle()
    assert len(bob.received()) == 1 and alice.waiting() == 1
    conclude(world, {alice: ["vanished"]})


@attack(9, alarm="denied", checks=1)
def test_of_whoever_was_there_the_server_must_answer():
    world = EvilServer(1115, "alice", "bob")
    alice, bob, *_ = world.people
    alice.write(bob, world.secret("before"))
    world.settle()

    def omit(frame):
        if not isinstance(frame, f.LookedUp):
            return frame
        return changed(frame, answers=[a for a in frame.answers if a.address != bob.address])

    world.lie(alice, omit)
    world.look(alice, bob)
    alice.write(bob, world.secret("after"))
    world.settle()
    assert alice.waiting() == 1
    conclude(world, {alice: ["denied"]})


def without(fork, person):
    """The fork's next epochs have a map without the person."""
    store, tip = fork.ledger.store, fork.ledger.ledger._epochs._tip
    gone = store.label(person.address)
    kept = [
        (label.index, fork.ledger.ledger.openings.commitment(label, leaf))
        for label, leaf in store.newest_leaves(0, 100)
        if label.user != gone.user
    ]
    tree = PrefixTree.of(kept)
    fork.ledger.ledger._epochs._tip = replace(tip, tree=tree)
    fork.ledger.database.writing.execute("DELETE FROM chain_statement WHERE user = ?", (gone.user,))
    fork.ledger.database.writing.execute("DELETE FROM ledger_leaf WHERE user = ?", (gone.user,))
    fork.ledger.database.writing.execute("DELETE FROM ledger_label WHERE user = ?", (gone.user,))


# --- 10: two entries ----------------------------------------------------------------------


@attack(10, alarm="bad-answer", checks=1)
@pytest.mark.parametrize("key", ["another VRF key", "no proof of it"])
def test_a_user_has_one_place_in_the_map(key):
    """A second entry for Bob, truly in the map: no VRF proof leads from his address to it."""
    world = EvilServer(1116, "alice", "bob")
    alice, bob, *_ = world.people
    own = Secret(world.chance.randbytes(32))
    beta, pi = vrf.prove(own, bob.address.encode())
    index = beta[:32]
    fork = world.fork(alice)
    value = Value(b"\x66" * 32, 1, 0)
    label = replace(fork.ledger.store.label(bob.address), index=index)
    leaf = replace(fork.ledger.store.leaf(label.user, 2**40), head=value.head, version=1)
    tip = fork.ledger.ledger._epochs._tip
    commitment = fork.ledger.ledger.openings.commitment(label, leaf)
    fork.ledger.ledger._epochs._tip = replace(tip, tree=tip.tree.updated({index: commitment}))
    different(world, fork.ledger, "a second entry")

    def second(frame):
        if not isinstance(frame, f.LookedUp):
            return frame
        return changed(frame, answers=[other(each) for each in frame.answers])

    def other(answer):
        if answer.address != bob.address:
            return answer
        opening = fork.ledger.ledger.openings.of(label, 1)
        proof = fork.ledger.ledger.published.tree.prove(index).encode()
        return changed(
            answer,
            vrf_proof=pi if key == "another VRF key" else answer.vrf_proof,
            version=1,
            value=value.encode(),
            opening=opening,
            map_proof=proof,
        )

    world.lie(alice, second)
    alice.write(bob, world.secret())
    world.settle()
    assert alice.waiting() == 1
    conclude(world, {alice: ["bad-answer"]})


# --- 45: clocks ---------------------------------------------------------------------------


class Skewed:
    """The world as a device with a wrong clock sees it."""

    def __init__(self, world, days):
        self._world, self._days = world, days

    def __getattr__(self, name):
        return getattr(self._world, name)

    @property
    def now_ms(self):
        return self._world.now_ms + int(self._days * 86_400_000)


@attack(45)
@pytest.mark.parametrize("days", [365, -365])
def test_a_clock_that_is_a_year_off_stops_first_meetings_and_accuses_nobody(days):
    world = EvilServer(1117, "alice", "bob", "carol")
    alice, bob, carol, *_ = world.people
    alice.write(bob, "hello")
    world.settle()
    alice.world = Skewed(world, days)
    world.wake(601)
    alice.write(bob, world.secret("to a known one"))
    alice.write(carol, world.secret("to a new one"))
    world.settle()
    assert len(bob.received()) == 2 and not carol.received()
    alice.world = world
    world.wake(601 + 120)
    alice.write(carol, world.secret("now"))
    world.settle()
    assert carol.received()
    conclude(world)


@attack(45)
def test_a_clock_set_back_does_not_make_a_frozen_ledger_look_fresh():
    """The time that witnesses told is never forgotten."""
    world = EvilServer(1118, "alice", "bob", "carol")
    alice, bob, carol, *_ = world.people
    alice.write(bob, "hello")
    world.settle()
    heard: list[f.AnyFrame] = []
    world.lie(alice, remember(heard))
    world.check(alice)
    old = next(each for each in heard if isinstance(each, f.LookedUp))
    world.honest()
    world.wake(601, times=8)
    world.check(alice)
    alice.world = Skewed(world, -365)
    world.lie(alice, lambda each: changed(old, request=each.request)
              if isinstance(each, f.LookedUp) else each)  # fmt: skip
    alice.write(carol, world.secret())
    world.check(alice)
    assert not carol.received() and alice.waiting() == 1
    alice.world = world
    conclude(world, {alice: ["rollback"]})
