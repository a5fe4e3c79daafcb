"""Groups in rows: a text writes little, a crash loses nothing, older vaults and two processes."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from blackthorn.device.core import limits
from blackthorn.device.core.preferences import MESSAGE_KEYS
from blackthorn.device.engine import Device
from blackthorn.device.operations import send_text
from blackthorn.errors import StorageError
from blackthorn.mls.schedule.secret_tree import APPLICATION
from blackthorn.simulation.memory import MemoryVault
from blackthorn.storage.device.vault import prepare
from tests.support import runs
from tests.support.big_group import BigGroup, older
from tests.support.device_world import World
from tests.support.stranding import sealed

ALONE_BYTES = 12 * 1024
"""What a text may write in each of its transactions: written down, sealed, accepted; received."""
BATCH_BYTES = 6 * 1024
"""The same of a text in a batch of eight."""


def _costs(folder: Path, members: int) -> list[list[float]]:
    """Bytes that a text writes when it is sealed, accepted and received: alone, and of eight."""
    folder.mkdir()
    group = BigGroup(folder, members)
    costs: list[list[float]] = []
    for size, batches in ((1, 12), (8, 6)):
        found = [0, 0, 0]
        for batch in range(batches):
            texts = [
                f"text {batch} of {number} in a row, as people write" for number in range(size)
            ]
            group.write(*texts)
            start = group.written(group.alice)
            parcels = group.send(*texts)
            sealed = group.written(group.alice)
            group.accept()
            found[0] += sealed - start
            found[1] += group.written(group.alice) - sealed
            start = group.written(group.bob)
            group.deliver(parcels)
            found[2] += group.written(group.bob) - start
        costs.append([total / batches / size for total in found])
    assert len(group.bob.received()) == 12 + 48
    return costs


def test_a_text_writes_as_little_among_1000_as_between_two(tmp_path: Path) -> None:
    small, large = _costs(tmp_path / "2", 2), _costs(tmp_path / "1000", 1000)
    print(small, large)
    for costs in (small, large):
        assert max(costs[0]) <= ALONE_BYTES
        assert max(costs[1]) <= BATCH_BYTES
    for few, many in zip(small[0] + small[1], large[0] + large[1], strict=True):
        assert abs(many - few) <= few / 10


# --- Crashes ------------------------------------------------------------------------------


class DiedError(StorageError):
    """The process dies here."""


def _dies_at(person: Any, number: int) -> list[int]:
    """Let a person's process die at its write of that number, from 1, if any; the writes so far."""
    writes = [0]

    def trace(_: object, sql: str, bindings: object) -> bool:
        if sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE", "COMMIT")):
            writes[0] += 1
            if writes[0] == number:
                raise DiedError("died")
        return True

    person.vault.connection.set_exec_trace(trace)
    return writes


def _team(seed: int) -> World:
    world = World(seed, "alice", "bob", "carol", "dave")
    alice, bob, carol, _ = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    alice.write_group("team", "to begin with")
    bob.write_group("team", "so that all have written")
    world.settle()
    return world


def _worlds_of_deaths(who: int, before: Callable, act: Callable) -> Iterator[World]:
    """Worlds in which a process died at writes of `act` and began again; first none died."""
    moments = [0]
    while moments:
        number = moments.pop(0)
        world = _team(700)
        person = world.people[who]
        person.restart()
        before(world)
        writes = _dies_at(person, number)
        with contextlib.suppress(DiedError):
            act(world)
        person.vault.connection.set_exec_trace(None)
        if number == 0:
            assert writes[0] > 20
            moments = runs.moments(writes[0], 5, f"a death of {who}")
        person.restart()
        world.reconnect_all()
        yield world


def test_a_reader_that_dies_at_a_write_reads_each_text_once() -> None:
    """Two texts, a Commit, and a text of the new epoch, which wait for it."""

    def before(world: World) -> None:
        alice, _, _, dave = world.people
        alice.write_group("team", "first")
        alice.write_group("team", "second")
        alice.change_group("team", [dave], [])
        world.settle()
        alice.write_group("team", "third")
        world.settle()

    def act(world: World) -> None:
        world.people[1].connect()
        world.settle()

    for world in _worlds_of_deaths(1, before, act):
        _, bob, carol, dave = world.people
        bob.write_group("team", "after it")
        world.settle()
        texts = ["to begin with", "first", "second", "third"]
        world.check_received(bob, texts)
        world.check_received(carol, [*texts, "so that all have written", "after it"])
        world.check_received(dave, ["third", "after it"])
        assert not any(person.set_aside() for person in world.people)


def test_a_writer_that_dies_at_a_write_sends_each_text_once() -> None:
    """Texts before and after a Commit; what was not written down when it died is written again."""

    def act(world: World) -> None:
        alice, _, _, dave = world.people
        alice.write_group("team", "first")
        alice.change_group("team", [dave], [])
        alice.write_group("team", "second")
        alice.connect()
        world.settle()

    for world in _worlds_of_deaths(0, lambda world: None, act):
        alice, bob, carol, dave = world.people
        lines = [line.text for line in alice.history()]
        if not any("added dave" in event for event in alice.events()):
            alice.change_group("team", [dave], [])
        for text in ("first", "second"):
            if text not in lines:
                alice.write_group("team", text)
        world.settle()
        world.check_received(bob, ["to begin with", "first", "second"])
        assert "second" in dave.received()
        dave.write_group("team", "after it")
        world.settle()
        for person in (alice, bob, carol):
            assert person.received()[-1] == "after it"


# --- Older vaults, other processes --------------------------------------------------------


def test_a_vault_of_the_release_before_is_read_and_becomes_rows() -> None:
    """With texts of a past epoch on their way, and a Commit that waits for its answer."""
    world = _team(701)
    alice, bob, carol, dave = world.people
    carol.restart()  # off line
    alice.write_group("team", "of a past epoch")
    world.settle()
    alice.change_group("team", [dave], [])
    world.settle()
    bob.restart()
    bob.device.enqueue(
        world.now_ms, lambda unit: send_text.enqueue(unit, "group", "team", "by an older program")
    )
    for person in (alice, bob, carol):
        person.vault = older(person.vault)
        prepare(person.vault.connection, create=False)
        person.restart()
        person.connect()
    world.settle()
    carol.write_group("team", "by a newer one")
    world.settle()
    texts = ["to begin with", "of a past epoch", "so that all have written"]
    world.check_received(carol, [*texts, "by an older program"])
    world.check_received(dave, ["by an older program", "by a newer one"])
    for person in (alice, bob, carol):
        with person.vault.transaction() as records:
            assert not any(record.state for record in records.conversations.all())


def test_two_processes_over_one_vault_use_no_key_twice() -> None:
    """What one has in memory is stale once another has written."""
    world = _team(702)
    alice, bob, _, _ = world.people
    one, other = alice.device, Device(alice.vault, alice.keys, random=world.chance.randbytes)
    for number in range(3):
        for name, process in (("one", one), ("other", other)):
            alice.device = process
            alice.connect()
            alice.write_group("team", f"{name} {number}")
            world.settle()
    expected = [f"{name} {number}" for number in range(3) for name in ("one", "other")]
    world.check_received(bob, ["to begin with", *expected])


def test_a_used_key_is_in_no_byte_of_the_database(tmp_path: Path) -> None:
    """A vault that is not encrypted shows what lies in its file."""
    world = _team(703)
    alice, bob, _, _ = world.people
    path = tmp_path / "plain.db"
    connection = apsw.Connection(str(path))
    with connection.backup("main", bob.vault.connection, "main") as copy:
        copy.step()
    prepare(connection, create=False)
    bob.vault = MemoryVault(connection)
    bob.restart()
    bob.connect()
    world.settle()

    def secret() -> bytes:
        with bob.unit() as unit:
            (record,) = [one for one in unit.records.conversations.all() if one.name == "team"]
            tree = unit.open(record.id).group._state.epoch.secret_tree
        return tree.ratchets[0, APPLICATION].secret

    def stored() -> bytes:
        assert connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE) == (0, 0)
        return path.read_bytes()

    used = secret()
    assert used in stored()
    alice.write_group("team", "uses it")
    world.settle()
    assert "uses it" in bob.received()
    assert used not in stored()
    assert secret() in stored()


# --- Kept epochs --------------------------------------------------------------------------

DAY = 86_400


def _changes(world: World, count: int, first: int = 0) -> None:
    """Changes of the group's members, by bob: even ones add dave, odd ones remove them."""
    _, bob, _, dave = world.people
    for number in range(first, first + count):
        change = ([], [dave]) if number % 2 else ([dave], [])
        bob.change_group("team", *change)
        world.settle()


def _keys(person: Any, table: str) -> int:
    """The epochs of which there are rows."""
    rows = person.vault.connection.execute(f"SELECT count(DISTINCT epoch) FROM {table}")
    return int(rows.fetchall()[0][0])


def test_a_text_that_twelve_changes_overtook_is_read_by_a_process_that_began_since() -> None:
    """By who was there; who was added since cannot read it, who sent it was removed meanwhile."""
    world = _team(704)
    alice, bob, carol, dave = world.people
    slow = [sealed(world, alice, "team", "slow"), sealed(world, alice, "team", "slower")]
    _changes(world, 11)
    bob.change_group("team", [], [alice])
    world.settle()
    world.wake(2 * DAY)
    carol.restart()
    carol.connect()
    world.settle()
    for person in (carol, bob, dave):
        world.put_parcel(person, slow[1])
        world.put_parcel(person, slow[0])
    world.settle()
    assert carol.received()[-2:] == ["slower", "slow"]
    assert bob.received()[-2:] == ["slower", "slow"]
    assert "slow" not in dave.received()


def test_message_keys_go_after_three_days_and_the_rest_of_an_epoch_after_thirty() -> None:
    """The newest five epochs stay however old they are."""
    world = _team(705)
    alice, bob, carol, _ = world.people
    slow, last = sealed(world, alice, "team", "slow"), b""
    _changes(world, 11)
    last = sealed(world, alice, "team", "not too late")
    _changes(world, 4, first=11)
    before = _keys(carol, "ratchet")
    world.wake(4 * DAY)
    assert before > 12
    assert _keys(carol, "ratchet") <= 1 + 5 + 1
    assert _keys(carol, "envelope_key") >= before
    world.put_parcel(carol, slow)
    world.put_parcel(carol, last)
    world.settle()
    assert [each.reason for each in carol.set_aside()] == [
        "the sender's keys of this epoch are gone"
    ]
    assert carol.received()[-1] == "not too late"
    world.wake(27 * DAY)
    assert _keys(carol, "envelope_key") <= 7
    assert _keys(carol, "epoch") <= 8  # one of the conversation in which she tells alice
    assert bob.conversations()


@pytest.mark.parametrize(("days", "reads"), [(3, False), (6, True)])
def test_message_keys_stay_for_the_days_that_are_set(days: int, reads: bool) -> None:
    world = _team(709)
    alice, _, carol, _ = world.people
    with carol.unit() as unit:
        MESSAGE_KEYS.put(unit.records.settings, days)
    slow = sealed(world, alice, "team", "slow")
    _changes(world, 11)
    world.wake(5 * DAY)
    world.put_parcel(carol, slow)
    world.settle()
    assert ("slow" in carol.received()) is reads
    assert bool(carol.set_aside()) is not reads


def test_the_keys_of_late_texts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By epochs and by bytes, beyond the newest five."""
    for name, value in (("MAX_EPOCHS_WITH_KEYS", 8), ("MAX_KEPT_KEY_BYTES", 7 * 52 * 2)):
        world = _team(706)
        with monkeypatch.context() as patch:
            patch.setattr(limits, name, value)
            _changes(world, 14)
        assert 5 <= _keys(world.people[2], "ratchet") <= 9  # one of them may be the present one
        assert _keys(world.people[2], "epoch") > 14
