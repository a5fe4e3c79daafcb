"""What a device checks of the ledger: each row of who checks what and when, honest and not.

The server here is the real one with its real keys; where a test says so it lies, or is shown to
lie by its ledger. An alarm that rests on what the log has signed comes with evidence.
"""

from dataclasses import replace

import pytest

from blackthorn.device.transparency import alarms, local_chain, own_chain
from blackthorn.device.transparency.evidence import proves
from blackthorn.directory.commitment import Value
from blackthorn.directory.prefix_tree import PrefixTree
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.statements import RevokeDevice, SetRecovery, make
from blackthorn.link import frames as f
from blackthorn.wire import limits
from tests.support.device_world import World
from tests.support.evil_server import EvilServer, Fork, changed
from tests.support.ledger_world import certified

HOUR = 3600


def only_alarm(person):
    """The one open alarm of the person's device; its evidence, if it has any, holds."""
    (alarm,) = person.open_alarms()
    if alarm.evidence:
        proves(alarm.evidence)
    return alarm


def lookups(wire_of):
    """The addresses of the lookups that the person's device sends while the world settles."""
    return [
        frame.addresses
        for data in wire_of.to_server
        if isinstance(frame := f.decode(data), f.LookUp)
    ]


def on_lookup(**fields):
    """Change the answers of a lookup."""

    def mutate(frame):
        if not isinstance(frame, f.LookedUp):
            return frame
        answers = [changed(each, **fields) for each in frame.answers]
        return changed(frame, answers=answers)

    return mutate


# --- A sender, before a first message -----------------------------------------------------


def test_a_first_message_is_sent_after_a_lookup_that_holds():
    world = World(700, "alice", "bob")
    alice, bob = world.people
    assert alice.chain_of(bob) is None
    alice.write(bob, "hello")
    assert lookups(alice.wire) == [[bob.address]]
    world.settle()
    world.check_received(bob, ["hello"])
    chain = alice.chain_of(bob)
    assert chain is not None and chain.device(bob.keys.device) is not None
    with alice.vault.transaction() as records:
        newest = records.directory.newest()
        assert records.directory.chain(bob.address).checked_size == newest.size
    alice.write(bob, "again")
    assert lookups(alice.wire) == [], "within the hour nobody is asked again"
    assert not alice.alarms() and not bob.alarms()


def test_absence_is_proved_before_it_is_said_that_there_is_no_such_user():
    world = World(701, "alice", "bob")
    alice, bob = world.people
    bob.address = "nobody@acme.example"
    number = alice.write(bob, "hello?")
    assert not alice.outcomes
    world.settle()
    reason = "there is no user nobody@acme.example here, which the ledger proves"
    assert alice.outcomes[number].error == reason


def test_absence_is_proved_anew_for_each_wish():
    """Who was not there a minute ago may be there now."""
    world = World(702, "alice")
    (alice,) = world.people
    carol_address = "carol@acme.example"
    first = alice.enqueue(lambda unit: _send(unit, carol_address))
    world.settle()
    assert alice.outcomes[first].final and alice.outcomes[first].error
    carol = _joins(world, "carol")
    world.publish()
    carol.connect()
    second = alice.enqueue(lambda unit: _send(unit, carol_address))
    world.settle()
    assert not alice.outcomes[second].error
    world.check_received(carol, ["hello"])


def _send(unit, address):
    from blackthorn.device.operations import send_text

    return send_text.enqueue(unit, "direct", address, "hello")


def _joins(world, name):
    """A new user's device is activated; the next epoch will have him."""
    from blackthorn.simulation.device import Person

    person = Person.first(world, 0, name)
    world._enrol(person)
    world.people.append(person)
    world.dispatcher._submission.forget_fanouts()
    return person


@pytest.mark.parametrize(
    "said",
    [{"version": 0, "value": b"", "opening": b""}, {"address": "bob2@acme.example"}],
    ids=["without a proof", "of somebody else"],
)
def test_a_false_absence_is_refused(said):
    world = EvilServer(703, "alice", "bob")
    alice, bob, *_ = world.people
    world.lie(alice, on_lookup(**said))
    number = alice.write(bob, "secret")
    world.settle()
    assert not alice.outcomes[number].final and alice.waiting() == 1
    assert not alice.conversations()
    world.honest()
    with alice.vault.transaction() as records:
        for alarm in alarms.open_alarms(records):
            alarms.accept(records, alarm.number)
    world.wake(120)
    world.check_received(bob, ["secret"])


def test_a_user_who_waits_for_his_first_epoch_is_asked_for_again():
    world = World(704, "alice", "bob", epoch_ms=10_000)
    alice, _ = world.people
    carol = _joins(world, "carol")
    carol.connect()
    number = alice.write(carol, "welcome")
    world.settle()
    assert "not in the ledger yet" in alice.outcomes[number].error
    assert not alice.outcomes[number].final
    world.later(5)
    world.settle()
    assert alice.waiting() == 1
    for _ in range(4):
        world.later(5)
        world.settle()
    world.check_received(carol, ["welcome"])
    assert not alice.alarms() and not carol.alarms()


@pytest.mark.parametrize(
    "field, value",
    [
        ("vrf_proof", lambda answer: bytes(80)),
        ("vrf_proof", lambda answer: answer.vrf_proof[:-1] + bytes([answer.vrf_proof[-1] ^ 1])),
        ("version", lambda answer: answer.version + 1),
        ("value", lambda answer: bytes(32) + answer.value[32:]),
        ("value", lambda answer: answer.value[:36] + b"\x01"),
        ("opening", lambda answer: bytes(16)),
        ("map_proof", lambda answer: answer.map_proof[:-1] + bytes([answer.map_proof[-1] ^ 1])),
        ("map_proof", lambda answer: b""),
        ("address", lambda answer: "bob@acme.example"),
    ],
)
def test_an_answer_with_one_false_field_is_refused(field, value):
    world = EvilServer(705, "alice", "bob", "carol")
    alice, _, carol, *_ = world.people

    def mutate(frame):
        if not isinstance(frame, f.LookedUp):
            return frame
        lies = [changed(each, **{field: value(each)}) for each in frame.answers]
        return changed(frame, answers=lies)

    world.lie(alice, mutate)
    alice.write(carol, "secret")
    world.settle()
    assert alice.waiting() == 1 and not carol.history() and alice.chain_of(carol) is None
    if field == "address":
        assert not alice.alarms(), "nothing was answered"
    else:
        assert (only_alarm(alice).code, only_alarm(alice).address) == ("bad-answer", carol.address)


def test_a_server_that_answers_nothing_is_asked_now_and_then_and_believed_nothing():
    world = EvilServer(706, "alice", "bob")
    alice, bob, *_ = world.people
    world.lie(alice, lambda x: changed(x, answers=[]) if isinstance(x, f.LookedUp) else x)
    asked = []
    world.mishear(alice, lambda frame: asked.append(frame) or frame)
    number = alice.write(bob, "secret")
    world.settle()
    assert "does not answer for bob@" in alice.outcomes[number].error and alice.waiting() == 1
    assert len([each for each in asked if isinstance(each, f.LookUp)]) <= 3
    world.honest()
    world.wake(60)
    world.check_received(bob, ["secret"])


# --- Any device, each new checkpoint ------------------------------------------------------


def old_lookup(world, person):
    """What the server answers now, to be said again later."""
    kept = []

    def mutate(frame):
        if isinstance(frame, f.LookedUp):
            kept.append(frame)
        return frame

    world.lie(person, mutate)
    person.look_up(person)
    world.settle()
    world.honest()
    return kept[-1]


def test_an_older_checkpoint_than_one_accepted_is_refused_and_the_newer_one_is_shown_back():
    world = EvilServer(710, "alice", "bob")
    alice, bob, *_ = world.people
    before = old_lookup(world, alice)
    world.wake(700)
    alice.look_up(alice)
    world.settle()
    said = []

    def mutate(frame):
        return changed(before, request=frame.request) if isinstance(frame, f.LookedUp) else frame

    world.lie(alice, mutate)
    world.mishear(alice, lambda frame: said.append(frame) or frame)
    alice.write(bob, "secret")
    world.settle()
    assert only_alarm(alice).code == "rollback" and "afterwards" in proves(
        only_alarm(alice).evidence
    )
    assert alice.waiting() == 1 and not bob.received()
    told = [each for each in said if isinstance(each, f.TellCheckpoint)]
    assert len(told) == 1


def test_a_checkpoint_that_was_told_stops_a_server_that_was_set_back():
    """The server is restored from a backup; a device shows it what it had signed since."""
    world = EvilServer(711, "alice", "bob")
    alice, *_ = world.people
    restored = Fork(world, witnesses=[], lies=False)
    world.wake(700)
    alice.look_up()
    world.settle()
    assert restored.ledger.ledger.published.size < world.ledger.ledger.published.size
    assert not restored.ledger.ledger.problems()
    world.forks[alice.address] = restored
    world.check(alice)
    assert alice.alarms() == ["rollback"]
    assert restored.ledger.ledger.problems(), "it publishes nothing more"


def test_a_ledger_without_its_witnesses_is_not_believed():
    world = EvilServer(712, "alice", "bob")
    alice, bob, *_ = world.people

    def mutate(frame):
        if not isinstance(frame, f.LookedUp):
            return frame
        lines = frame.epoch.checkpoint.split(b"\n")
        bare = b"\n".join(each for each in lines if b"witness0" not in each)
        return changed(frame, epoch=changed(frame.epoch, checkpoint=bare))

    world.lie(alice, mutate)
    alice.write(bob, "secret")
    world.settle()
    assert only_alarm(alice).code == "unwitnessed" and not only_alarm(alice).evidence
    assert alice.waiting() == 1 and not bob.received()


@pytest.mark.parametrize("part", ["head", "proof", "checkpoint"])
def test_an_epoch_that_does_not_hold_is_refused(part):
    world = EvilServer(713, "alice", "bob")
    alice, bob, *_ = world.people
    world.wake(700)

    def mutate(frame):
        if not isinstance(frame, f.LookedUp):
            return frame
        epoch = frame.epoch
        other = {
            "head": epoch.head[:-1] + bytes([epoch.head[-1] ^ 1]),
            "proof": [bytes(32), *epoch.proof[1:]],
            "checkpoint": epoch.checkpoint.replace(b"\n\n", b"\nmore\n\n", 1),
        }
        return changed(frame, epoch=changed(epoch, **{part: other[part]}))

    world.lie(alice, mutate)
    alice.write(bob, "secret")
    world.settle()
    assert only_alarm(alice).code == "bad-epoch"
    assert bool(only_alarm(alice).evidence) == (part != "checkpoint")
    assert alice.waiting() == 1 and not bob.received()


def test_a_fork_of_a_ledger_seen_before_is_refused():
    world = EvilServer(714, "alice", "bob")
    alice, bob, *_ = world.people
    world.fork(alice)
    _joins(world, "carol")
    world.wake(700)
    assert alice.alarms() == [], "so far she has seen one ledger only"
    del world.forks[alice.address]
    alice.write(bob, "secret")
    world.settle()
    assert only_alarm(alice).code == "split-view"
    assert "has signed" in proves(only_alarm(alice).evidence)
    assert alice.waiting() == 1 and not bob.received()


def test_a_stale_ledger_meets_nobody_and_lets_conversations_go_on_for_a_day():
    world = World(715, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.write(bob, "hello")
    world.settle()
    world.cosigning = False
    world.wake(2 * HOUR)
    number = alice.write(carol, "may I?")
    alice.write(bob, "we know each other")
    world.settle()
    assert alice.device.directory.stale and "too old" in alice.outcomes[number].error
    world.check_received(bob, ["hello", "we know each other"])
    world.wake(30 * HOUR)
    number = alice.write(bob, "after a day")
    world.settle()
    assert "nothing new for a day" in alice.outcomes[number].error
    assert "after a day" not in bob.received() and not carol.received()
    world.cosigning = True
    world.reconnect_all()
    world.check_received(carol, ["may I?"])
    assert bob.received()[-1] == "after a day"
    assert not any(person.alarms() for person in world.people)


def test_the_check_of_a_stale_ledger_does_not_ask_without_end():
    world = World(716, "alice", "bob")
    alice, bob = world.people
    world.cosigning = False
    world.later(30 * HOUR)
    alice.connect()
    alice.write(bob, "wait")
    world.settle()
    asked = []
    serve = world.dispatcher._handlers[f.LookUp]
    world.dispatcher._handlers[f.LookUp] = lambda *args: asked.append(args) or serve(*args)
    for _ in range(60):
        world.later(1)
        world.settle()
    assert 1 <= len(asked) <= 5, "a minute of a silent ledger"


# --- People who are known -----------------------------------------------------------------


def acquainted(seed, *names):
    """Two people who have met an hour and more ago."""
    world = EvilServer(seed, *(names or ("alice", "bob")))
    alice, bob, *_ = world.people
    alice.write(bob, "hello")
    world.settle()
    world.wake(2 * HOUR)
    return world, alice, bob


def test_somebody_who_vanishes_is_missed():
    """The log signs a map without him, and proves that he is not in it."""
    world, alice, bob = acquainted(720)
    epochs, label_of = world.ledger.ledger._epochs, world.ledger.store.label
    tree = epochs._tip.tree
    others = [label_of(each.address).index for each in world.people if each is not bob]
    without = PrefixTree.of((index, tree.get(index)) for index in others)
    epochs._tip = replace(epochs._tip, tree=without)
    lookups = world.desk._lookups
    looked_up = lookups._looked_up

    def without_bob(published, asked, have, rows):
        kept = [
            (None, None) if who == bob.address else row
            for who, row in zip(asked, rows, strict=True)
        ]
        return looked_up(published, asked, have, kept)

    lookups._looked_up = without_bob
    world.wake(700)
    world.look(alice, bob)
    assert only_alarm(alice).code == "vanished"
    assert "may not follow" in proves(only_alarm(alice).evidence)
    alice.write(bob, "are you there?")
    world.settle()
    assert alice.waiting() == 1 and len(bob.received()) == 1


@pytest.mark.parametrize("how", ["pending", "silence"])
def test_a_server_that_says_nothing_of_somebody_whom_the_ledger_had_is_not_believed(how):
    world, alice, bob = acquainted(722)
    pending = [bob.address] if how == "pending" else []

    def mutate(frame):
        if not isinstance(frame, f.LookedUp):
            return frame
        answers = [each for each in frame.answers if each.address != bob.address]
        return changed(frame, answers=answers, pending=pending)

    world.lie(alice, mutate)
    world.look(alice, bob)
    assert (only_alarm(alice).code, only_alarm(alice).address) == ("denied", bob.address)
    alice.write(bob, "are you there?")
    world.settle()
    assert alice.waiting() == 1 and len(bob.received()) == 1


@pytest.mark.parametrize("checks", ["between", "only after"])
def test_keys_that_are_swapped_and_swapped_back_are_noticed(checks):
    world, alice, bob = acquainted(723)
    true = world.value_of(bob)
    world.cut(bob.wire)
    world.entry(bob, Value(b"\x07" * 32, true.seq, true.flags))
    world.entry(bob, Value(true.head, true.seq, true.flags))
    bob.connect()
    world.look(alice, bob)
    for person in (alice, bob):
        assert only_alarm(person).code == "swapped"
        assert "changes of the entry" in proves(only_alarm(person).evidence)
    alice.write(bob, "secret")
    world.settle()
    assert alice.waiting() == 1


def test_an_entry_that_goes_back_is_noticed():
    world, alice, bob = acquainted(724)
    true = world.value_of(bob)
    with bob.unit() as unit:
        draft = world.statement(bob, SetRecovery(SigningKeys.generate(unit.random).public))
        signed = make(draft, [(bob.keys.device, bob.keys.signing)])
    bob.wire.say(f.SubmitStatement(99, signed.encode()))
    world.settle()
    world.publish()
    world.look(alice, bob)
    assert alice.chain_of(bob).seq == true.seq + 1
    world.entry(bob, true)
    world.look(alice, bob)
    assert only_alarm(alice).code == "vanished"
    proves(only_alarm(alice).evidence)


def test_a_chain_that_is_rewritten_is_refused():
    """The map commits to a chain of the attacker's, which does not continue the known one."""
    world, alice, bob = acquainted(725)
    ghost = world.ghost(bob)
    other = world.statement(bob, RevokeDevice(bob.keys.device, "lost", 0))
    world.force(make(other, [(ghost.keys.device, ghost.keys.signing)]))
    world.look(alice, bob)
    assert only_alarm(alice).code == "bad-chain"
    assert "breaks a rule" in proves(only_alarm(alice).evidence)
    assert alice.chain_of(bob).device(bob.keys.device) is not None
    alice.write(bob, "secret")
    world.settle()
    assert alice.waiting() == 1


@pytest.mark.parametrize("lie", ["another statement", "none", "too many"])
def test_statements_that_the_map_does_not_commit_to_are_refused(lie):
    world = EvilServer(726, "alice", "bob", "carol")
    alice, bob, carol, *_ = world.people
    theirs = world.ledger.stored(carol.address).statements

    def mutate(frame):
        if not isinstance(frame, f.ChainPart):
            return frame
        other = {"another statement": list(theirs), "none": [], "too many": frame.statements * 2}
        return changed(frame, statements=other[lie])

    world.lie(alice, mutate)
    alice.write(bob, "secret")
    world.settle()
    assert only_alarm(alice).code == "bad-chain" and only_alarm(alice).evidence
    assert alice.waiting() == 1 and alice.chain_of(bob) is None


def test_a_chain_without_end_is_given_up():
    world = EvilServer(727, "alice", "bob")
    alice, bob, *_ = world.people

    theirs = list(world.ledger.stored(bob.address).statements)

    def mutate(frame):
        if not isinstance(frame, f.ChainPart):
            return frame
        return changed(frame, statements=theirs, more=True)

    world.lie(alice, mutate)
    alice.write(bob, "secret")
    world.settle()
    assert alice.alarms() == ["bad-chain"] and alice.waiting() == 1
    assert world.told <= limits.MAX_CHAIN_STATEMENTS


def test_a_chain_always_of_another_epoch_is_given_up_without_an_alarm():
    world = EvilServer(728, "alice", "bob")
    alice, bob, *_ = world.people

    def mutate(frame):
        if not isinstance(frame, f.ChainPart):
            return frame
        return changed(frame, size=frame.size + 1, statements=[])

    world.lie(alice, mutate)
    number = alice.write(bob, "secret")
    world.settle()
    assert not alice.alarms() and "of another epoch" in alice.outcomes[number].error
    world.honest()
    world.wake(60)
    world.check_received(bob, ["secret"])


def test_a_mail_certificate_that_is_not_the_stated_one_is_refused():
    world, alice, bob = acquainted(729)
    certificate, body = certified(bob.address)
    with bob.unit():
        draft = world.statement(bob, body)
        signed = make(draft, [(bob.keys.device, bob.keys.signing)])
    bob.wire.say(f.SubmitStatement(99, signed.encode(), certificate))
    world.settle()
    world.publish()
    other, _ = certified(bob.address, 1)

    def mutate(frame):
        return changed(frame, certificate=other) if isinstance(frame, f.ChainPart) else frame

    world.lie(alice, mutate)
    world.look(alice, bob)
    assert only_alarm(alice).code == "false-certificate"
    with alice.vault.transaction() as records:
        assert records.directory.chain(bob.address).certificate == b""
    assert alice.chain_of(bob).openpgp is not None


# --- One's own user -----------------------------------------------------------------------


def state_recovery(person):
    """The person's device states a recovery key."""
    from blackthorn.device.operations import change_chain

    with person.unit() as unit:
        keys = SigningKeys.generate(unit.random).public
    return person.enqueue(
        lambda unit: change_chain.enqueue(unit, "the recovery key", SetRecovery(keys))
    )


def test_an_own_change_is_looked_for_until_the_ledger_shows_it():
    world = World(740, "alice", epoch_ms=10_000)
    (alice,) = world.people
    number = state_recovery(alice)
    world.settle()
    assert alice.outcomes[number].error == ""
    with alice.unit() as unit:
        assert own_chain.waiting(unit) is not None
        assert local_chain.own(unit).recovery and not unit.chains.of(unit.me.address).recovery
    world.publish()
    world.settle()
    with alice.unit() as unit:
        assert own_chain.waiting(unit) is None and unit.chains.of(unit.me.address).recovery
    assert not alice.alarms()


def test_a_ledger_that_goes_on_without_an_own_change_is_noticed():
    world = EvilServer(741, "alice", "bob")
    alice, bob, *_ = world.people
    world.falsify(lambda waiting: [user for user in waiting if user.label.address != alice.address])
    state_recovery(alice)
    world.settle()
    for _ in range(2):
        assert not alice.alarms()
        state_recovery(bob)
        world.settle()
        alice.look_up()
        world.settle()
    for _ in range(3):
        state_recovery(bob)
        world.settle()
        alice.look_up()
        world.settle()
    assert alice.alarms() == ["not-published"]


def test_witnesses_silent_for_hours_make_no_alarm_of_an_own_change():
    world = World(742, "alice", "bob", epoch_ms=10_000)
    alice, _ = world.people
    world.cosigning = False
    state_recovery(alice)
    world.settle()
    for _ in range(20):
        world.later(HOUR)
        world.settle()
        alice.connect()
        world.settle()
    assert not alice.alarms()
    world.cosigning = True
    world.reconnect_all()
    with alice.unit() as unit:
        assert own_chain.waiting(unit) is None
    assert not alice.alarms()


def test_a_statement_of_ones_own_that_is_not_is_unknown():
    world = EvilServer(743, "alice", "bob")
    alice, *_ = world.people
    ghost = world.ghost(alice)
    draft = world.statement(alice, RevokeDevice(alice.keys.device, "lost", 0))
    world.force(make(draft, [(ghost.keys.device, ghost.keys.signing)]))
    world.check(alice)
    alarm = only_alarm(alice)
    assert (alarm.code, alarm.address) == ("unknown-statement", alice.address)
    assert alarm.evidence


def test_an_identity_of_ones_own_without_this_device_is_unknown():
    """A device that the server has taken, and that was never in its user's chain."""
    world = EvilServer(744, "alice", "bob")
    alice, *_ = world.people
    device = world.ghost(alice)
    device.connect()
    world.settle()
    assert only_alarm(device).code == "unknown-statement"
    assert "another one" in proves(only_alarm(device).evidence)
    assert not alice.alarms()


def test_a_reset_of_ones_own_is_told_at_once_and_others_see_it_wait():
    world, alice, bob = acquainted(745)
    world.reset(bob)
    world.publish()
    world.settle()
    assert bob.alarms() == ["own-reset"], "the server tells him that his entry has changed"
    world.look(alice, bob)
    assert alice.alarms() == ["reset-pending"]
    assert any("asked for a new identity" in each for each in alice.events())
    alice.write(bob, "is it you?")
    world.settle()
    assert bob.received()[-1] == "is it you?", "old devices are still valid"
