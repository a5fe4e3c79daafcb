"""A fall of the ledger's time: by an entry of two officers, once, and no further than before."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from blackthorn.directory import entries, limits
from blackthorn.directory.audit import Replay
from blackthorn.directory.checks import Accepted, _rises
from blackthorn.directory.entries import Head
from blackthorn.directory.head_times import Fall
from blackthorn.directory.receipts import _check_place
from blackthorn.errors import VerificationError
from blackthorn.governance import ledger_case, register
from blackthorn.governance.ledger_time import new_replay, resume
from blackthorn.governance.statements import Signed
from blackthorn.programs.witness.auditor import PENDING, Auditor
from blackthorn.tlog.checkpoint import Checkpoint
from blackthorn.tlog.merkle import MerkleLog
from blackthorn.wire.note import parse_vkey
from tests.support.governance_world import DAY_MS, World

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def minutes(world: World, number: int = 1) -> None:
    world.epoch(days=number / 24 / 60)


def at_fault(ahead_ms: int = 2 * DAY_MS) -> World:
    """Three right heads, then two by a clock that is ahead; now it is right again."""
    world = World()
    for _ in range(3):
        minutes(world)
    world.now_ms += ahead_ms
    minutes(world)
    minutes(world)
    world.now_ms -= ahead_ms
    return world


def heal(world: World, epoch: int = 3, least_ms: int = 0, **how: Any) -> Signed:
    ledger = how.pop("ledger", world.keys.origin)
    public = {"ledger": ledger, "epoch": epoch, "least_ms": least_ms}
    return world.decide(ledger_case.CASE, "heal", public, **how)


def replayed(world: World) -> Replay:
    replay = new_replay()
    for entry in world.log:
        replay.feed(entry)
    return replay


def refused(world: World, rule: str) -> None:
    with pytest.raises(VerificationError) as caught:
        replayed(world)
    assert caught.value.rule == rule, caught.value
    assert f"entry {len(world.log) - 1} of the log" in str(caught.value)


def test_two_officers_let_the_time_fall_and_then_it_rises_again() -> None:
    world = at_fault()
    heal(world)
    fallen_ms = world.now_ms
    minutes(world)
    minutes(world)
    replay = replayed(world)
    assert replay.falls == (Fall(3, 6, fallen_ms),)
    assert replay.unix_ms == fallen_ms + MINUTE_MS


def test_a_replay_goes_on_with_the_officers_that_it_has_saved() -> None:
    world = at_fault()
    replay = resume(replayed(world).save())
    before = len(world.log)
    heal(world)
    minutes(world)
    for entry in world.log[before:]:
        replay.feed(entry)
    assert [fall.epoch for fall in replay.falls] == [6]
    assert resume(replay.save()).falls == replay.falls


def test_without_officers_nothing_lets_the_time_fall() -> None:
    world = at_fault()
    heal(world)
    minutes(world)
    replay = Replay()
    for entry in world.log[:-1]:
        replay.feed(entry)
    with pytest.raises(VerificationError, match="D25"):
        replay.feed(world.log[-1])


def test_no_entry_no_fall() -> None:
    world = at_fault()
    minutes(world)
    refused(world, "D25")


def test_a_second_fall_on_one_entry() -> None:
    world = at_fault()
    heal(world)
    minutes(world, 5)
    world.now_ms -= 10 * MINUTE_MS
    minutes(world)
    refused(world, "D25")


def test_an_entry_that_is_logged_again_permits_nothing() -> None:
    world = at_fault()
    signed = heal(world)
    minutes(world, 5)
    again = register.entry(ledger_case.CASE, 1, world.kept[-1].salt + signed.encode(), sealed=False)
    world._records.append(again)
    world.now_ms -= 6 * MINUTE_MS
    minutes(world)
    refused(world, "D25")


def by_one(world: World) -> None:
    """As a server would log it with the approval of one officer."""
    signed = heal(world)
    kind, body = world._records[-1]
    alone = Signed(signed.statement, signed.approvals[:1])
    world._records[-1] = register.entry(
        ledger_case.CASE, 1, bytes(32) + alone.encode(), sealed=False
    )
    assert kind == entries.OFFICE and world._records[-1][1] != body


def by_strangers(world: World) -> None:
    """Two officers of another enterprise, with ids as here."""
    other = World(seed=7)
    heal(other, ledger=world.keys.origin)
    world._records.append(other._records[-1])


def sealed(world: World) -> None:
    world.sealed = True
    heal(world)


@pytest.mark.parametrize("forge", [by_one, by_strangers, sealed])
def test_an_entry_that_does_not_hold_permits_nothing(forge: Callable[[World], None]) -> None:
    world = at_fault()
    forge(world)
    minutes(world)
    refused(world, "D25")


def test_D41_an_entry_of_another_ledger() -> None:
    world = at_fault()
    heal(world, ledger="other.example/ledger")
    minutes(world)
    refused(world, "D41")


def test_D41_a_fall_below_the_head_before_the_fault() -> None:
    world = at_fault()
    heal(world)
    world.now_ms -= 3 * MINUTE_MS
    minutes(world)
    refused(world, "D41")


def test_D41_a_fall_below_the_quorums_time_before_the_fault() -> None:
    world = at_fault()
    heal(world, least_ms=world.now_ms + 1)
    minutes(world)
    refused(world, "D41")


def test_D41_an_entry_that_names_no_step() -> None:
    for world, epoch in ((at_fault(), 2), (at_fault(), 4), (at_fault(HOUR_MS - MINUTE_MS), 3)):
        heal(world, epoch)
        minutes(world)
        refused(world, "D41")


def test_D41_a_second_fall_to_the_same_step() -> None:
    world = at_fault()
    heal(world)
    minutes(world, 5)
    heal(world)
    world.now_ms -= 6 * MINUTE_MS
    minutes(world)
    refused(world, "D41")


def test_D41_a_step_that_is_more_than_a_week_of_heads_ago() -> None:
    """An outage of long ago is no way to date something back."""
    world = at_fault()
    world.now_ms += 2 * DAY_MS
    for _ in range(2 * (limits.MAX_HEAD_FAULT_MS // DAY_MS) + 1):
        world.epoch(days=0.5)
        world.now_ms -= HOUR_MS
    heal(world)
    world.now_ms -= 9 * DAY_MS
    minutes(world)
    refused(world, "D41")


def test_a_device_follows_a_fall_that_a_replay_has_found_and_no_other() -> None:
    last = Accepted(9, bytes(32), b"", 5, 1_000)
    fall = Fall(3, 7, 400)

    def head(epoch: int, unix_ms: int) -> Head:
        return Head(epoch, unix_ms, bytes(32), 0, 0, bytes(32))

    assert not _rises(head(7, 400), last, ())
    assert _rises(head(7, 400), last, (fall,)) and _rises(head(8, 401), last, (fall,))
    assert not _rises(head(8, 399), last, (fall,))
    assert not _rises(head(6, 900), last, (fall,))
    behind = Accepted(12, bytes(32), b"", 8, 410)
    assert not _rises(head(9, 405), behind, (fall,))


def test_a_receipt_of_a_head_that_was_ahead_has_another_time_than_its_place() -> None:
    ahead = Head(5, 1_000, bytes(32), 0, 0, bytes(32))
    known = Accepted(12, bytes(32), b"", 8, 410)
    _check_place(ahead, 8, known, (Fall(3, 7, 400),))
    for falls in ((), (Fall(5, 7, 400),)):
        with pytest.raises(VerificationError, match="D39"):
            _check_place(ahead, 8, known, falls)
    with pytest.raises(VerificationError, match="D39"):  # its place in the log must still fit
        _check_place(ahead, 13, known, (Fall(3, 7, 400),))


@dataclass
class Mirror:
    """The tiles of a log that waits for its witnesses, as its server shows them."""

    folder: Path

    def read(self, path: str) -> bytes | None:
        return (self.folder / path.removeprefix(PENDING)).read_bytes()


@pytest.mark.parametrize("permitted", [True, False])
def test_an_auditing_witness_signs_a_permitted_fall_and_no_other(
    permitted: bool, tmp_path: Path
) -> None:
    world = at_fault()
    auditor, key = Auditor(Mirror(world.mirror(tmp_path))), parse_vkey(world.keys.log_vkey)

    def examine() -> None:
        world.mirror(tmp_path)
        root = MerkleLog(world.log).root()
        auditor.examine(Checkpoint(world.keys.origin, len(world.log), root), key)

    examine()
    if permitted:
        heal(world)
        minutes(world)
        examine()
    minutes(world)
    if permitted:
        examine()
    else:
        with pytest.raises(VerificationError, match="D25"):
            examine()
