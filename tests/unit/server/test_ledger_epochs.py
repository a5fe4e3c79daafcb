"""Epochs (server/ledger/epochs.py): cadence, witnesses, and a crash at each moment of a
whole story.
"""

from collections.abc import Callable

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.directory import entries
from blackthorn.directory.config import decode_config
from blackthorn.directory.records import encode_record
from blackthorn.errors import StorageError
from blackthorn.identity.statements import AddDevice, Body, Cancel, SetRecovery, make
from blackthorn.ids import Address
from blackthorn.link.frames import LeafChanged
from blackthorn.ports.enrolment import Enrolled
from blackthorn.ports.ledger import AppendEpoch
from blackthorn.server.ledger import limits
from blackthorn.server.ledger.epoch_builder import EpochBuilder
from blackthorn.simulation.ledger import DELAY_MS
from blackthorn.storage.sqlite.engine import COMMANDS
from blackthorn.tlog.checkpoint import open_checkpoint
from blackthorn.tlog.cosignature import Cosigner
from blackthorn.tlog.verify import verify_consistency
from blackthorn.wire.note import parse_vkey
from tests.support import runs
from tests.support.ledger_world import LedgerWorld, Model

RELEASE = encode_record(entries.RELEASE, {"name": "x", "version": "1", "digest": bytes(32)})


# --- Cadence ------------------------------------------------------------------------------


def test_the_first_epoch_logs_the_configuration_and_nothing_else() -> None:
    world = LedgerWorld(1)
    world.settle(0)
    first, head = world.store.entries(0, 10, 2**40)
    entry = entries.decode_entry(first)
    assert isinstance(entry, entries.ConfigEntry) and decode_config(entry.record) == world.config
    assert entries.decode_entry(head).epoch == 1
    assert world.audit().users == 0


def test_an_epoch_comes_ten_seconds_after_the_first_change_and_a_heartbeat_without_any() -> None:
    world = LedgerWorld(2)
    world.settle(0)
    alice = world.add_user("alice")
    world.begin(alice, world.model())
    world.writer.commit()
    world.tick(9_999)
    assert world.writer.waiting == 0
    world.tick(1)
    assert world.writer.waiting == 1
    world.settle(0)
    assert world.audit().users == 1
    epoch = world.ledger.published.epoch
    world.settle(world.config.heartbeat_ms - 10_001)
    assert world.ledger.published.epoch == epoch
    world.settle(10_001)
    assert world.ledger.published.epoch == epoch + 1, "freshness, though nothing changed"


def test_at_epoch_zero_a_change_is_published_as_soon_as_it_is_durable() -> None:
    world = LedgerWorld(3, epoch_ms=0)
    world.settle(0)
    alice = world.add_user("alice")
    world.begin(alice, world.model())
    world.writer.commit()
    world.writer.commit()
    assert world.audit().users == 1


def test_what_one_user_changed_in_an_epoch_is_one_entry_but_for_resets_and_cancels() -> None:
    world = LedgerWorld(4)
    alice, phone = world.user("alice")
    laptop = world.model()
    world.submit(alice, world.draft(alice, AddDevice(laptop.info)), phone, laptop)
    world.writer.commit()
    world.submit(alice, world.draft(alice, SetRecovery(None)), phone)
    world.writer.commit()
    world.reset(alice, world.model())
    world.writer.commit()
    world.submit(alice, world.draft(alice, Cancel(4)), phone)
    world.settle()
    label = world.store.label(alice)
    leaves = [world.store.leaf_of(label.user, seq) for seq in range(1, 6)]
    assert [leaf and (leaf.version, leaf.flags) for leaf in leaves] == [
        (1, 0),
        None,
        None,
        (2, 1),
        (3, 0),
    ]
    world.audit()


def test_an_epoch_is_bounded_and_the_rest_comes_with_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MAX_EPOCH_CHANGES", 3)
    world = LedgerWorld(5)
    world.settle(0)
    for name in "abcdefgh":
        world.begin(world.add_user(name), world.model())
    for users in (3, 6, 8):
        world.settle()
        assert world.audit().users == users


def test_a_clock_that_goes_back_does_not_turn_the_time_of_the_heads_back() -> None:
    world = LedgerWorld(6)
    world.settle(0)
    world.begin(world.add_user("alice"), world.model())
    world.writer.commit()
    world.tick(-3_600_000)
    world.settle()
    assert world.audit().epoch == 2, "and nothing waits longer for it"
    world.settle(600_000)
    assert world.audit().epoch == 3


def test_whose_leaf_changed_is_told_once_it_is_published() -> None:
    world = LedgerWorld(7, witnesses=1)
    world.settle(0)
    alice = world.add_user("alice")
    world.begin(alice, world.model())
    world.writer.commit()
    world.tick(10_000)
    world.writer.commit()
    assert world.heard == []
    world.settle(0)
    assert world.heard == [(alice, LeafChanged())]


# --- Typed entries ------------------------------------------------------------------------


def test_a_typed_entry_is_durable_then_logged() -> None:
    world = LedgerWorld(8)
    world.settle(0)
    told: list[object] = []
    world.add_record(entries.RELEASE, RELEASE, told.append)
    assert told == []
    world.writer.commit()
    assert told == [None]
    world.crash()
    world.settle()
    assert world.audit().tally.records == 1


# --- Witnesses ----------------------------------------------------------------------------


def test_nothing_is_told_before_the_quorum_stands() -> None:
    world = LedgerWorld(9, witnesses=3)
    world.tick()
    world.writer.commit()
    assert world.ledger.published is None and world.ledger.waiting is not None
    world.cosign(0)
    world.cosign(1)
    world.writer.commit()
    assert world.ledger.published is None
    world.cosign(2)
    assert world.ledger.published is None, "not before the cosigned note is durable"
    world.writer.commit()
    assert world.ledger.published is not None and world.ledger.waiting is None


def test_false_and_strange_cosignatures_are_left_out_and_counted() -> None:
    world = LedgerWorld(10, witnesses=1)
    world.tick()
    world.writer.commit()
    waiting = world.ledger.waiting
    checkpoint, _ = open_checkpoint(waiting.note, parse_vkey(world.keys.log_vkey))
    stranger = Cosigner("stranger.example", world.keys.vrf)
    forged = Cosigner(world.witnesses[0].vkey.name, world.keys.vrf)
    lines = [stranger.cosign(checkpoint, 1), forged.cosign(checkpoint, 1), "no line", ""]
    world.ledger.cosigned(lines, world.now_ms)
    assert world.counters.cosignatures_refused == 4
    assert world.ledger.waiting.note == waiting.note
    world.settle(0)
    assert world.ledger.published.note.count(b"\xe2\x80\x94") == 2


def test_a_witness_is_shown_consistency_from_where_it_stands() -> None:
    world = LedgerWorld(11, witnesses=1)
    sizes = {0}
    for _ in range(4):
        world.tick(600_000)
        world.writer.commit()
        waiting = world.ledger.waiting
        for old in sizes - {0}:
            verify_consistency(
                old, world.seen[old], waiting.size, waiting.root, waiting.consistency(old)
            )
        sizes.add(waiting.size)
        with pytest.raises(ValueError, match="not that large"):
            waiting.consistency(waiting.size + 1)
        world.settle(0)


def test_changes_wait_while_a_checkpoint_waits_and_the_server_says_that_it_is_not_well() -> None:
    world = LedgerWorld(12, witnesses=1)
    world.settle(0)
    world.add_user("alice")
    world.tick(600_000)
    world.writer.commit()
    offered = world.ledger.waiting
    world.begin(Address("alice@acme.example"), world.model())
    for _ in range(4):
        world.writer.commit()
        world.tick(600_000)
        assert world.ledger.waiting.note == offered.note
    assert "no quorum of witnesses" in world.ledger.problems()[0]
    world.crash()
    assert world.ledger.waiting.note == offered.note
    world.settle()
    assert world.ledger.problems() == [] and world.audit().users == 1


# --- The disk -----------------------------------------------------------------------------


def test_an_epoch_that_the_disk_refused_is_stored_as_it_was_made() -> None:
    world = LedgerWorld(13, witnesses=1)
    world.settle(0)
    world.writer.fail(StorageError("the disk is full"))
    world.tick(600_000)
    world.writer.commit()
    drafted = world.ledger._epochs._draft
    assert world.ledger.waiting is None and drafted is not None
    world.tick(limits.LEDGER_RETRY_MS - 1)
    assert world.writer.waiting == 0, "not at once"
    world.tick(1)
    world.writer.fail(None)
    world.writer.commit()
    assert world.ledger.waiting.note == drafted.epoch.checkpoint.note
    world.writer.fail(StorageError("the disk is full"))
    world.cosign()
    before = world.ledger.published
    world.writer.commit()
    assert world.ledger.published is before
    world.writer.fail(None)
    world.settle(limits.LEDGER_RETRY_MS)
    assert world.ledger.published.size > before.size
    world.audit()


# --- Whose time ----------------------------------------------------------------------------


def seconds_ahead(world: LedgerWorld) -> float:
    """How far the published head is ahead of the true time."""
    return (world.ledger.published.unix_ms - (world.now_ms - world.jumped_ms)) / 1000


def jump(world: LedgerWorld, ms: int) -> None:
    """The machine's clock jumps; its witnesses have clocks of their own."""
    world.now_ms += ms
    world.jumped_ms += ms
    world.ahead_ms += ms


def test_no_head_is_dated_by_a_clock_that_has_jumped_ahead() -> None:
    """Two days ahead for forty seconds: devices refused such a head for two days."""
    world = LedgerWorld(14, witnesses=2)
    world.settle(0)
    world.settle(600_000)
    jump(world, 2 * 86_400_000)
    for _ in range(4):
        before = world.ledger.published.epoch
        world.settle(600_000)
        assert world.ledger.published.epoch > before, "the ledger goes on meanwhile"
        assert -60 <= seconds_ahead(world) <= 60
        assert world.ledger.published.ahead_ms <= 61_000
    jump(world, -2 * 86_400_000)
    world.tick()
    before = world.ledger.published.epoch
    world.settle(600_001)
    assert world.ledger.published.epoch > before
    assert -600 <= seconds_ahead(world) <= 60 and not world.ledger.problems()
    world.audit()


def test_after_a_restart_a_wrong_clock_dates_no_head_ahead_and_witnesses_give_the_time() -> None:
    world = LedgerWorld(15, witnesses=1)
    world.settle(0)
    world.crash()
    world.now_ms += 7_200_000  # it was off for two hours
    jump(world, 2 * 86_400_000)
    world.start()
    published = world.ledger.published
    for _ in range(3):
        world.tick(600_000)
        assert world.ledger.published.epoch == published.epoch, "first it asks what time it is"
    assert world.ledger.waiting.size == published.size
    world.cosign()
    assert world.ledger.published.size == published.size and world.ledger.waiting is None
    world.settle(0)
    assert world.ledger.published.epoch == published.epoch + 1
    assert -60 <= seconds_ahead(world) <= 60
    world.audit()


def test_a_restarted_ledger_takes_the_time_from_its_quorum_alone() -> None:
    world = LedgerWorld(16, witnesses=2)
    world.settle(0)
    world.crash()
    published = world.ledger.published
    checkpoint, _ = open_checkpoint(published.note, parse_vkey(world.keys.log_vkey))
    foreign = Cosigner("witness0.example", Secret(bytes(32)))
    far_s = world.now_ms // 1000 + 86_400
    world.ledger.cosigned([foreign.cosign(checkpoint, far_s), "no line"], world.now_ms)
    world.ledger.cosigned([world.witnesses[0].cosign(checkpoint, far_s)], world.now_ms)
    assert world.ledger.waiting is not None and world.ledger.published.note == published.note
    world.cosign()
    assert world.ledger.waiting is None
    world.settle(600_000)
    assert world.ledger.published.epoch == published.epoch + 1
    assert -60 <= seconds_ahead(world) <= 60
    world.audit()


def test_a_head_that_is_ahead_already_is_waited_for() -> None:
    """Such heads were signed before: the next one rises, and still is not ahead."""
    world = LedgerWorld(17, witnesses=1)
    world.settle(0)
    world.ahead_ms = 600_000  # the witness says ten minutes less
    world.crash()
    published = world.ledger.published
    world.cosign()
    world.ledger.wake()
    world.settle(400_000)
    assert world.ledger.published.epoch == published.epoch
    world.settle(200_000)
    assert world.ledger.published.epoch == published.epoch + 1
    world.audit()


# --- A crash at each moment ----------------------------------------------------------------

MODES = ("before the commit", "after it, untold", "after it, told")


class Crash(Exception):  # noqa: N818 - no fault: the process ends
    """The process has ended and was started again."""


class Story:
    """A user's life, told by people who ask again for whatever was not answered.

    `moment` numbers what can be interrupted; the process ends at number `at` in the given mode.
    """

    def __init__(self, witnesses: int, at: int, mode: str) -> None:
        self.world = LedgerWorld(at * 10 + witnesses, witnesses)
        self.at, self.mode, self.moments = at, mode, 0

    def moment(self) -> None:
        self.moments += 1
        world = self.world
        if self.moments == self.at:
            if self.mode == MODES[0]:
                world.crash()
            else:
                world.crash(committed=True, told=self.mode == MODES[2])
            world.note_seen()
            raise Crash

    def unit(self, ms: int = 4_000) -> None:
        """One commit, some time, one round of the witnesses; each can be the last."""
        self.moment()
        self.world.writer.commit()
        self.world.tick(ms)
        self.moment()
        self.world.cosign()
        self.world.note_seen()

    def until(self, holds: Callable[[], bool], act: Callable[[], None]) -> None:
        """`act` again and again, until it holds."""
        for _ in range(30):
            try:
                if holds():
                    self.world.audit()
                    return
                act()
                self.unit()
                self.unit()
            except Crash:
                continue
        raise AssertionError("it never comes to hold")

    def published_seq(self, address: Address) -> int:
        published, label = self.world.ledger.published, self.world.store.label(address)
        if published is None or label is None:
            return 0
        leaf = self.world.store.leaf(label.user, published.size)
        return leaf.seq if leaf is not None else 0

    def tell(self) -> None:
        world = self.world
        alice = world.add_user("alice")
        phone, laptop, thief, new = (world.model() for _ in range(4))
        self._enrols(alice, phone, 1)
        data: dict[int, bytes] = {}
        self._submits(alice, 2, data, AddDevice(laptop.info), phone, laptop)
        self._enrols(alice, thief, 3)
        self._submits(alice, 4, data, Cancel(3), laptop)
        self.until(lambda: thief.id not in world.rows(alice), lambda: None)
        self._enrols(alice, new, 5)
        world.now_ms += DELAY_MS
        self.until(lambda: list(world.rows(alice)) == [new.id], lambda: None)

    def _enrols(self, alice: Address, device: Model, seq: int) -> None:
        world = self.world

        def act() -> None:
            stored = self.world.store.statements(alice, 0)
            if len(stored) >= seq:
                return
            told = world.reset(alice, device) if stored else world.begin(alice, device)
            self._promise(told)

        self.until(lambda: self.published_seq(alice) >= seq, act)

    def _submits(
        self, alice: Address, seq: int, data: dict[int, bytes], body: Body, *signers: Model
    ) -> None:
        world = self.world

        def act() -> None:
            if seq not in data:
                draft = world.draft(alice, body)
                data[seq] = make(draft, [(each.id, each.keys) for each in signers]).encode()
            self._promise(world.send(alice, signers[0], data[seq]))

        self.until(lambda: self.published_seq(alice) >= seq, act)

    def _promise(self, told: list[object]) -> None:
        """What was answered well must be there in the end; the check is by the story's steps."""
        self.unit()
        for answer in told:
            assert answer == "" or isinstance(answer, Enrolled), answer


@pytest.mark.parametrize("witnesses", [0, 2])
def test_the_story_without_a_crash(witnesses: int) -> None:
    story = Story(witnesses, -1, MODES[0])
    story.tell()
    assert story.world.audit().version(story.world.store.label("alice@acme.example").index) == 5
    assert story.moments > 30


@pytest.mark.parametrize("witnesses", [0, 2])
@pytest.mark.parametrize("mode", MODES)
def test_a_crash_at_each_moment_forks_nothing_and_loses_nothing(witnesses: int, mode: str) -> None:
    whole = Story(witnesses, -1, MODES[0])
    whole.tell()
    for at in runs.moments(whole.moments, 12, f"{witnesses} {mode}"):
        story = Story(witnesses, at, mode)
        story.tell()
        chain = story.world.published_chain("alice@acme.example")
        assert chain is not None and chain.seq == 5
        story.world.crash()
        story.world.audit()


def test_an_epoch_that_a_defect_stopped_is_made_by_the_next_tick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = LedgerWorld(31)
    monkeypatch.setattr(EpochBuilder, "draft", None)
    with pytest.raises(TypeError):
        world.tick()
    monkeypatch.undo()
    world.settle(0)
    assert world.ledger.published is not None


def test_an_epoch_that_a_defect_did_not_store_is_no_fault_of_the_disk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = LedgerWorld(32)
    monkeypatch.setitem(COMMANDS, AppendEpoch, None)
    world.settle(0)
    assert world.ledger.published is None
    assert world.counters.storage_failures == 0
    monkeypatch.undo()
    world.settle(limits.LEDGER_RETRY_MS)
    assert world.ledger.published is not None
