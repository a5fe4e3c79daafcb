"""What a device makes of what it is told: each lie has its code, and evidence that proves it."""

import msgspec
import pytest

from blackthorn.device.transparency import accepted_chains, alarms, disputes, ledger_state
from blackthorn.device.transparency.accepted_chains import OvertakenError
from blackthorn.device.transparency.directory_client import DirectoryClient
from blackthorn.device.transparency.evidence import proves
from blackthorn.device.transparency.ledger_state import StaleError
from blackthorn.directory.commitment import Value
from blackthorn.directory.verify import Absent, Present
from blackthorn.errors import VerificationError
from blackthorn.identity.bodies import AddDevice, RevokeDevice
from blackthorn.identity.statements import SignedStatement
from blackthorn.link import frames as f
from blackthorn.tlog.checkpoint import Checkpoint
from tests.support.chain_ledger import DAY_MS, DELAY_MS, ChainLedger, Teller, look

ME, BOB, CAROL = "me@acme.example", "bob@acme.example", "carol@acme.example"
NOBODY = "nobody@acme.example"
ORIGIN = "acme.example/ledger"


@pytest.fixture
def world():
    ledger = ChainLedger()
    mine = ledger.begin(ME)
    bobs = ledger.begin(BOB)
    ledger.publish()
    return ledger, Teller(ledger, ME, mine), bobs


def changed(frame, **fields):
    return msgspec.structs.replace(frame, **fields)


def flipped(data, at=0):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def have(me):
    with me.unit() as unit:
        newest = unit.records.directory.newest()
    return newest.size if newest is not None else 0


def told(me, *labels):
    """What an honest server would answer now."""
    return me.ledger.looked_up(f.LookUp(1, sorted(labels), have(me)))


def accept_epoch(me, frame):
    with me.unit() as unit:
        return ledger_state.accept_epoch(unit, frame)


def refused_epoch(me, frame):
    """The rule that the frame breaks; the turn itself is kept, with its alarm."""
    with me.unit() as unit:
        before = unit.records.directory.newest()
        with pytest.raises(VerificationError) as refused:
            ledger_state.accept_epoch(unit, frame)
        assert unit.records.directory.newest() == before, "nothing of it is kept"
    return refused.value


def refused_answer(me, label, **lie):
    frame = told(me, label)
    shown = accept_epoch(me, frame)
    with me.unit() as unit:
        before = unit.records.directory.chain(label)
        with pytest.raises(VerificationError) as refused:
            ledger_state.accept_answer(unit, changed(frame.answers[0], **lie), shown)
        assert unit.records.directory.chain(label) == before, "nothing of it is kept"
    return refused.value


def refused_chain(me, label, change):
    """The chain that `change` makes of an honest ChainPart is refused."""
    frame = told(me, label)
    shown = accept_epoch(me, frame)
    with me.unit() as unit:
        known = unit.records.directory.chain(label)
        found = ledger_state.accept_answer(unit, frame.answers[0], shown)
        after = known.seq if known is not None else 0
        part = change(me.ledger.chain_part(f.FetchChain(1, label, after)))
        with pytest.raises(VerificationError) as refused:
            accepted_chains.accept_chain(unit, found, frame.answers[0], part, shown)
    return refused.value


def only_alarm(me):
    with me.unit() as unit:
        (alarm,) = unit.records.directory.alarms()
        return alarm


def check(me, code, proved=""):
    """The one alarm has this code; its evidence says so, or there is none."""
    alarm = only_alarm(me)
    assert alarm.code == code and code in alarms.KINDS
    if proved:
        assert proved in proves(alarm.evidence)
    else:
        assert not alarm.evidence


# --- Epochs -------------------------------------------------------------------------------


def test_an_honest_epoch_is_kept_with_the_witnesses_time(world):
    ledger, me, _ = world
    shown = accept_epoch(me, told(me))
    with me.unit() as unit:
        newest = unit.records.directory.newest()
    assert (newest.size, newest.root) == (ledger.log.size, ledger.log.root())
    assert newest.quorum_s == ledger.unix_ms // 1000 and newest.users == 2
    assert shown.epoch.accepted.note == newest.note and not me.alarms()


def test_too_few_witnesses(world):
    ledger, me, _ = world
    part = ledger.epoch_part()
    lines = part.checkpoint.splitlines(keepends=True)
    one = b"".join(lines[:6])
    error = refused_epoch(me, f.LookedUp(1, changed(part, checkpoint=one), [], [], []))
    assert error.rule == "T32"
    check(me, "unwitnessed")


def test_a_note_that_the_log_has_not_signed(world):
    _, me, _ = world
    other = ChainLedger(seed=8)
    other.begin(ME)
    other.publish()
    refused_epoch(me, other.looked_up(f.LookUp(1, [], 0)))
    check(me, "bad-epoch")


def test_an_older_checkpoint_than_was_accepted(world):
    ledger, me, _ = world
    old = ledger.epoch_part()
    ledger.publish()
    accept_epoch(me, told(me))
    assert refused_epoch(me, f.LookedUp(1, old, [], [], [])).rule == "D10"
    check(me, "rollback", "its server showed 4 afterwards")


def forked(ledger, *, same_size):
    """A second ledger with the same keys, and another entry."""
    fork = ChainLedger()
    fork.begin(CAROL)
    if not same_size:
        fork.begin(BOB)
        fork.begin(NOBODY)
    else:
        fork.begin(NOBODY)
    fork.publish()
    assert (fork.log.size == ledger.log.size) is same_size
    return fork


@pytest.mark.parametrize("same_size", [True, False])
def test_a_checkpoint_that_does_not_continue_the_accepted_one(world, same_size):
    ledger, me, _ = world
    accept_epoch(me, told(me))
    fork = forked(ledger, same_size=same_size)
    fork.unix_ms = ledger.unix_ms
    assert refused_epoch(me, told_by(fork, me)).rule == "D11"
    proved = "two different trees of 4" if same_size else "a proof that does not join them"
    check(me, "split-view", proved)


def told_by(ledger, me):
    return ledger.looked_up(f.LookUp(1, [], have(me)))


def test_a_head_that_is_not_the_last_entry(world):
    ledger, me, _ = world
    part = changed(ledger.epoch_part(), head=flipped(ledger.entries[-1], 20))
    assert refused_epoch(me, f.LookedUp(1, part, [], [], [])).rule == "D9"
    check(me, "bad-epoch", "a head with it that is not its last entry")


def test_a_time_that_goes_back(world):
    ledger, me, _ = world
    accept_epoch(me, told(me))
    ledger.unix_ms -= 20_000
    ledger.publish()
    frame = told(me)
    ledger.unix_ms += 30_000
    assert refused_epoch(me, frame).rule == "D12"
    with me.unit() as unit:
        found = disputes.disputed(unit.records)
        assert found is not None and not unit.records.directory.alarms(), "a replay looks first"
        disputes.refuse(unit, found, "no entry of officers lets the time fall")
    check(me, "bad-epoch", "it had ended epoch 1")


def test_a_head_ahead_of_its_witnesses(world):
    """It would end the delay of a reset before its time."""
    ledger, me, _ = world
    witnessed_s = ledger.unix_ms // 1000
    ledger.later(2 * DAY_MS)
    ledger.publish()
    note = ledger.note(time_s=witnessed_s)
    frame = told(me)
    frame = changed(frame, epoch=changed(frame.epoch, checkpoint=note))
    assert refused_epoch(me, frame).rule == "D38"
    check(me, "bad-epoch", "its witnesses cosigned it at")


@pytest.mark.parametrize("clock", ["right", "a year behind", "a year ahead"])
def test_an_old_checkpoint_is_no_news_whatever_the_devices_clock_says(world, clock):
    ledger, me, _ = world
    look(me, DirectoryClient(), ME)
    part = ledger.epoch_part()
    me.behind_ms = {"right": 0, "a year behind": 365 * DAY_MS, "a year ahead": -365 * DAY_MS}[clock]
    frame = f.LookedUp(1, part, [], [], [])
    if clock == "a year behind":
        accept_epoch(me, frame)  # the witnesses' own last word is the best clock that there is
    elif clock == "a year ahead":
        with me.unit() as unit, pytest.raises(StaleError):
            ledger_state.accept_epoch(unit, frame)
    ledger.unix_ms += 2 * DAY_MS
    if clock == "right":
        with me.unit() as unit, pytest.raises(StaleError):
            ledger_state.accept_epoch(unit, frame)
    assert me.alarms() == []


def test_a_slow_clock_is_known_as_wrong_also_without_witnesses():
    """No newer head is accepted by it, so that no lookup counts."""
    ledger = ChainLedger(quorum="none")
    mine = ledger.begin(ME)
    ledger.publish()
    me = Teller(ledger, ME, mine)
    accept_epoch(me, told(me))
    ledger.later(DAY_MS // 8)
    me.behind_ms = DAY_MS // 12
    with me.unit() as unit:
        assert not ledger_state.clock_is_wrong(unit)
    ledger.publish()
    frame = told(me)
    with me.unit() as unit, pytest.raises(StaleError):
        ledger_state.accept_epoch(unit, frame)
    with me.unit() as unit:
        assert ledger_state.clock_is_wrong(unit)


def test_the_clock_never_goes_back_behind_what_witnesses_have_said(world):
    ledger, me, _ = world
    old = told(me)
    ledger.later(2 * DAY_MS)
    ledger.publish()
    accept_epoch(me, told(me))
    me.behind_ms = 365 * DAY_MS
    with me.unit() as unit:
        assert ledger_state.clock_ms(unit) == ledger.unix_ms // 1000 * 1000
        assert unit.now_ms < ledger_state.clock_ms(unit)
        assert ledger_state.too_old(unit), "by a clock that is wrong nobody is met"
    assert refused_epoch(me, old).rule == "D10"


# --- Answers ------------------------------------------------------------------------------


def test_presence_is_kept_only_with_its_chain_and_absence_at_once(world):
    _, me, _ = world
    frame = told(me, BOB, NOBODY)
    shown = accept_epoch(me, frame)
    with me.unit() as unit:
        found = [ledger_state.accept_answer(unit, each, shown) for each in frame.answers]
        assert isinstance(found[0], Present) and found[1] == Absent()
        assert unit.records.directory.chain(BOB) is None
        assert unit.records.directory.chain(NOBODY).present is False


LIES = {
    "vrf_proof": lambda said: flipped(said.vrf_proof, 5),
    "version": lambda said: said.version + 1,
    "value": lambda said: flipped(said.value, 3),
    "opening": lambda said: flipped(said.opening),
    "map_proof": lambda said: flipped(said.map_proof, len(said.map_proof) - 1),
}


@pytest.mark.parametrize("field", LIES)
def test_each_field_of_an_answer_that_is_another_is_found_out(world, field):
    """Attack 4."""
    _, me, _ = world
    said = told(me, BOB).answers[0]
    refused_answer(me, BOB, **{field: LIES[field](said)})
    check(me, "bad-answer", "does not hold against the log's checkpoint")


def test_a_false_absence_of_somebody_who_is_there(world):
    """Attack 9."""
    _, me, _ = world
    nobody = told(me, NOBODY).answers[0]
    refused_answer(me, BOB, value=b"", opening=b"", version=0, map_proof=nobody.map_proof)
    assert only_alarm(me).code == "bad-answer"


def test_somebody_who_was_there_and_is_not_any_more(world):
    """A log that takes somebody out of its map: the entries have him, so an auditor sees it."""
    ledger, me, _ = world
    look(me, DirectoryClient(), BOB)
    from blackthorn.directory.prefix_tree import PrefixTree

    rows = {ME: ledger.rows[ME]}
    del ledger.rows[BOB]
    ledger.tree = PrefixTree()
    for label, kept in rows.items():
        said = kept[-1]
        from blackthorn.directory.commitment import commit

        commitment = commit(said.opening, label, said.version, said.value.encode())
        ledger.tree = ledger.tree.updated({ledger.place(label)[0]: commitment})
    ledger.publish()
    assert refused_answer(me, BOB).rule == "D36"
    check(me, "vanished", "may not follow version 1")
    assert me.chain(BOB) is not None


def swap_and_swap_back(ledger) -> None:
    """Publish an entry of Bob that his chain has not, and then the honest one again."""
    honest = ledger.rows[BOB][-1].value
    for value in (Value(bytes(32), 2, 0), honest):
        ledger.put(BOB, value)
        ledger.publish()


def test_a_swap_and_a_swap_back_between_two_looks(world):
    """Attack 5: the chain is the same, the entry has changed twice."""
    ledger, me, _ = world
    look(me, DirectoryClient(), BOB)
    swap_and_swap_back(ledger)
    assert refused_answer(me, BOB).rule == "D37"
    check(me, "swapped", "may not follow version 1")


def test_a_swap_before_the_first_look_shows_too(world):
    """An entry that has changed more often than its chain has statements."""
    ledger, me, _ = world
    swap_and_swap_back(ledger)
    assert refused_answer(me, BOB).rule == "D37"
    check(me, "swapped", "that its chain cannot have led to")


def test_an_alarm_about_an_answer_is_raised_once_for_each_state_of_the_entry(world):
    _, me, _ = world
    for at in (3, 4, 5):
        said = told(me, BOB).answers[0]
        refused_answer(me, BOB, value=flipped(said.value, at))
    assert me.alarms() == ["bad-answer"]


# --- Chains -------------------------------------------------------------------------------


def forge(world, label, body, *signers):
    """The statement stands in the chain and the map commits to it, whoever signed it."""
    ledger, _, _ = world
    return ledger.state(label, body, *signers)


def test_a_statement_without_a_live_devices_signature(world):
    """Attack 1, at a first look and later."""
    ledger, me, _ = world
    ghost = ledger.model("ghost")
    forge(world, BOB, AddDevice(ghost.info), ghost)
    ledger.publish()
    refused_chain(me, BOB, lambda part: part)
    check(me, "bad-chain", "a chain for it that breaks a rule")


def test_a_forged_statement_in_ones_own_chain_names_the_gap(world):
    ledger, me, _ = world
    look(me, DirectoryClient(), ME)
    ghost = ledger.model("ghost")
    forge(world, ME, AddDevice(ghost.info), ghost)
    ledger.publish()
    refused_chain(me, ME, lambda part: part)
    check(me, "unknown-statement", "breaks a rule")
    text = only_alarm(me).text
    assert "2 statements of yours" in text and "knows 1 of yours" in text
    assert len(me.chain(ME).devices) == 1


def test_a_chain_that_is_not_the_one_committed_to(world):
    ledger, me, bobs = world
    forge(world, BOB, AddDevice((tablet := ledger.model("tablet")).info), bobs, tablet)
    ledger.publish()
    refused_chain(me, BOB, lambda part: changed(part, statements=part.statements[:1]))
    assert only_alarm(me).code == "bad-chain"


def test_a_prefix_that_was_accepted_never_changes(world):
    ledger, me, bobs = world
    look(me, DirectoryClient(), BOB)
    other = ledger.model("other")
    draft = ledger.statements[BOB].pop()
    ledger.rows[BOB].pop()
    ledger.begin(BOB, "other")
    ledger.state(BOB, AddDevice(other.info), bobs, other)
    ledger.publish()
    assert draft.statement.seq == 1
    refused_chain(me, BOB, lambda part: part)
    assert only_alarm(me).code == "bad-chain" and me.chain(BOB).devices == (bobs.info,)


@pytest.mark.parametrize("held", [True, False])
def test_a_part_of_another_epoch_proves_nothing(world, held):
    ledger, me, bobs = world
    forge(world, BOB, AddDevice((tablet := ledger.model("tablet")).info), bobs, tablet)
    ledger.publish()
    size = ledger.log.size if held else ledger.log.size + 5
    error = refused_chain(
        me, BOB, lambda part: changed(part, statements=part.statements[:1], size=size)
    )
    assert isinstance(error, OvertakenError) is not held
    assert bool(me.alarms()) is held


def test_a_certificate_that_was_not_stated_is_not_kept(world):
    _, me, _ = world
    frame = told(me, BOB)
    shown = accept_epoch(me, frame)
    with me.unit() as unit:
        found = ledger_state.accept_answer(unit, frame.answers[0], shown)
        part = me.ledger.chain_part(f.FetchChain(1, BOB, 0))
        part = changed(part, certificate=b"another's")
        accepted_chains.accept_chain(unit, found, frame.answers[0], part, shown)
        assert unit.records.directory.chain(BOB).certificate == b""


# --- Receipts and resets ------------------------------------------------------------------


def receipt(part, **lie):
    (one,) = part.receipts
    return changed(part, receipts=[changed(one, **lie)])


def test_a_receipt_of_another_time_is_refused_and_proved(world):
    ledger, me, _ = world
    ledger.reset(BOB)
    ledger.publish()
    other = ledger.entries[ledger.heads[1]]
    error = refused_chain(me, BOB, lambda part: receipt(part, head=other))
    assert error.rule == "D20"
    check(me, "bad-chain", "a receipt that does not hold against it")


def test_a_reset_whose_logging_is_not_proved_is_refused(world):
    ledger, me, _ = world
    ledger.reset(BOB)
    ledger.publish()
    error = refused_chain(me, BOB, lambda part: changed(part, receipts=[]))
    assert error.rule == "I32"
    assert only_alarm(me).code == "bad-chain"


def test_a_reset_that_is_logged_behind_the_look_before_cannot_be_older_than_it(world):
    """A log with an entry that no map has shown: whoever has looked since knows better (D40)."""
    ledger, me, _ = world
    early = ledger.model("early")
    from blackthorn.identity.bodies import Reset

    map_before, rows = ledger.tree, list(ledger.rows[BOB])
    ledger.state(BOB, Reset(early.info), early)
    hidden = ledger.rows[BOB].pop()
    statements = ledger.statements[BOB]
    ledger.tree = map_before
    ledger.publish()
    ledger.statements[BOB], kept = statements[:1], statements
    look(me, DirectoryClient(), BOB)
    ledger.later(DELAY_MS + DAY_MS)
    ledger.statements[BOB] = kept
    ledger.put(BOB, hidden.value)
    assert len(rows) == 1
    ledger.publish()

    def predated(part):
        at = hidden.at
        epoch = int.from_bytes(ledger.entries[at][1:9], "big")
        head = ledger.heads[epoch]
        return receipt(
            part,
            opening=hidden.opening,
            mutation=ledger.entries[at],
            index=at,
            proof=list(ledger.log.inclusion_proof(at)),
            head=ledger.entries[head],
            head_index=head,
            head_proof=list(ledger.log.inclusion_proof(head)),
        )

    error = refused_chain(me, BOB, predated)
    assert error.rule == "D40" and only_alarm(me).code == "bad-chain"


def test_a_reset_that_becomes_effective_by_time_alone_is_told(world):
    """No statement follows it: the chain is the one that is known."""
    ledger, me, _ = world
    directory_client = DirectoryClient()
    look(me, directory_client, BOB)
    ledger.reset(BOB)
    ledger.publish()
    look(me, directory_client, BOB)
    assert me.alarms() == ["reset-pending"]
    ledger.later(DELAY_MS)
    ledger.publish()
    look(me, directory_client, BOB)
    look(me, directory_client, BOB)
    assert me.alarms() == ["identity-reset"]


def test_who_was_compared_is_not_compared_any_more_after_a_reset(world):
    from dataclasses import replace

    ledger, me, _ = world
    directory_client = DirectoryClient()
    look(me, directory_client, BOB)
    with me.unit() as unit:
        record = unit.records.directory.chain(BOB)
        unit.records.directory.put_chain(replace(record, verified_ms=5))
    ledger.reset(BOB)
    ledger.publish()
    look(me, directory_client, BOB)
    with me.unit() as unit:
        assert unit.records.directory.chain(BOB).verified_ms == 5
    ledger.later(DELAY_MS)
    ledger.publish()
    look(me, directory_client, BOB)
    assert me.alarms() == ["verified-reset"]
    with me.unit() as unit:
        assert unit.records.directory.chain(BOB).verified_ms == 0


def test_a_revoked_device_is_not_live_from_the_next_look_on(world):
    ledger, me, bobs = world
    directory_client = DirectoryClient()
    tablet = ledger.add_device(BOB, bobs)
    ledger.publish()
    look(me, directory_client, BOB)
    signed = ledger.state(BOB, RevokeDevice(bobs.info.id, "lost", 2), tablet)
    assert isinstance(signed, SignedStatement)
    ledger.publish()
    look(me, directory_client, BOB)
    assert me.chain(BOB).devices == (tablet.info,) and me.alarms() == []


def test_a_checkpoint_of_size_zero_is_no_epoch(world):
    ledger, me, _ = world
    note = ledger.note(Checkpoint(ORIGIN, 0, bytes(32)))
    part = changed(ledger.epoch_part(), checkpoint=note)
    refused_epoch(me, f.LookedUp(1, part, [], [], []))
    assert only_alarm(me).code == "bad-epoch"
