"""What every store of parcels keeps to (`ports.parcels`)."""

from typing import Any

import pytest

from blackthorn.errors import DefectError, DiskError
from blackthorn.ports.parcels import (
    CommitOutcome,
    CommitPosition,
    ExpireCommits,
    ExpireUndecryptable,
    ForgetMissed,
    MailboxTallies,
    MarkUndecryptable,
    Missed,
    MissedCommits,
    OrderedCommit,
    Parcels,
    Removal,
    RemoveOldestUndecryptable,
    RemoveParcels,
    RemoveUndecryptable,
    SharedParcel,
    StoreParcels,
    TakenHandles,
    Tally,
    WaitingParcel,
    WaitingParcels,
)
from blackthorn.ports.store import Together
from blackthorn.storage.limits import MAX_REMEMBERED_COMMITS
from tests.contracts.stores.conftest import FULL_DISK, Store

HANDLE, TOKEN, OTHER = b"h" * 32, b"t" * 16, b"o" * 16


@pytest.fixture(autouse=True)
def people(store: Store) -> None:
    store.add_people(3)


def single(*rows: tuple[int, int, bytes]) -> StoreParcels:
    return StoreParcels(Parcels([(*row, 0) for row in rows]))


def shared(seq: int, sealed: bytes, *devices: int) -> StoreParcels:
    places = [(device, seq) for device in devices]
    return StoreParcels(Parcels([], [SharedParcel(sealed, places, [0] * len(places))]))


def waiting(store: Store, device: int, after: int = 0, **bounds: Any) -> list[WaitingParcel]:
    bounds = {"undecryptable": False, "max_parcels": 1000, "max_bytes": 10**6} | bounds
    return store.ask(WaitingParcels(device, after, **bounds))


def seqs(store: Store, device: int, **bounds: Any) -> list[int]:
    return [parcel.seq for parcel in waiting(store, device, **bounds)]


def tally(store: Store, device: int) -> Tally:
    (found,), after, _ = store.ask(MailboxTallies((device,)))
    assert after == 0
    return found


def commit(
    epoch: int, token: bytes = TOKEN, parcels: Parcels | None = None, digest: bytes = b""
) -> StoreParcels:
    parcels = parcels if parcels is not None else Parcels([(1, epoch + 100, b"c", 0)])
    return StoreParcels(Parcels(), [(CommitPosition(HANDLE, epoch, token, digest), parcels)], 5)


def outcomes(store: Store, command: StoreParcels) -> list[CommitOutcome]:
    return [ordered.outcome for ordered in store.submit(command)]


def test_parcels_wait_in_order_until_they_are_removed(store: Store) -> None:
    store.submit(single((1, 5, b"five"), (1, 2, b"two"), (2, 3, b"three")))
    store.submit(shared(4, b"four", 1, 2))
    assert waiting(store, 1) == [
        WaitingParcel(2, b"two", False),
        WaitingParcel(4, b"four", False),
        WaitingParcel(5, b"five", False),
    ]
    assert seqs(store, 1, max_parcels=2) == [2, 4]
    assert [parcel.seq for parcel in waiting(store, 1, after=2)] == [4, 5]
    store.submit(RemoveParcels([(1, 4), (1, 5), (1, 77), (3, 3)]))
    assert seqs(store, 1) == [2]
    assert waiting(store, 2) == [
        WaitingParcel(3, b"three", False),
        WaitingParcel(4, b"four", False),
    ]


def test_a_read_ends_with_the_parcel_that_fills_it(store: Store) -> None:
    store.submit(single(*((1, seq, bytes(10)) for seq in range(1, 9))))
    assert seqs(store, 1, max_bytes=30) == [1, 2, 3]
    assert seqs(store, 1, max_bytes=31) == [1, 2, 3, 4]
    assert seqs(store, 1, max_bytes=1) == [1]


def test_nothing_is_stored_for_who_is_not_there_or_whose_key_is_gone(store: Store) -> None:
    store.submit(single((9, 1, b"nobody")))
    store.submit(shared(2, b"both", 1, 9))
    assert (seqs(store, 9), seqs(store, 1)) == ([], [2])
    store.destroy_key("XX")
    store.submit(single((1, 3, b"gone")))
    store.submit(shared(4, b"gone", 1, 2))
    assert tally(store, 1)[0] == 1


def test_a_tally_comes_in_pages_and_counts_plain_bytes(store: Store) -> None:
    store.submit(single(*((1, seq, bytes(seq)) for seq in range(1, 8))))
    store.submit(shared(8, bytes(100), 1, 2))
    store.submit(MarkUndecryptable([(1, 2), (1, 8)], 5))
    assert tally(store, 1) == Tally(6, 1 + 3 + 4 + 5 + 6 + 7, 2, 102, 8)
    pages, after = [], 0
    while len(pages) < 3:
        (page,), after, _ = store.ask(MailboxTallies((1,), after, limit=3))
        pages.append(page)
        assert (after == 0) == (len(pages) == 3)
    assert pages == [Tally(2, 4, 1, 2, 3), Tally(3, 15, 0, 0, 6), Tally(1, 7, 1, 100, 8)]
    assert tally(store, 3) == Tally(0, 0, 0, 0, 0)


def test_many_tallies_come_together_until_enough_was_counted(store: Store) -> None:
    store.submit(
        single(*((device, seq, b"x") for device in (1, 2) for seq in (device, device + 5)))
    )
    one, none, two = Tally(2, 2, 0, 0, 6), Tally(0, 0, 0, 0, 0), Tally(2, 2, 0, 0, 7)
    assert store.ask(MailboxTallies((1, 3, 2), limit=5))[:2] == ([one, none, two], 0)
    part = Tally(1, 1, 0, 0, 2)
    assert store.ask(MailboxTallies((1, 3, 2), limit=3))[:2] == ([one, none, part], 2)
    assert store.ask(MailboxTallies((2, 1), 2, limit=3))[:2] == ([Tally(1, 1, 0, 0, 7), one], 6)
    assert store.ask(MailboxTallies((1,), 6))[:2] == ([none], 0)


def test_a_shared_parcel_has_a_number_of_its_own_in_each_mailbox(store: Store) -> None:
    store.submit(single((1, 1, b"own"), (2, 1, b"theirs")))
    places = [(1, 2), (2, 2), (3, 1)]
    store.submit(StoreParcels(Parcels([], [SharedParcel(b"all", places, [0] * len(places))])))
    store.submit(StoreParcels(Parcels([], [SharedParcel(b"more", [(1, 3), (3, 2)], [0, 0])])))
    assert [each.sealed for each in waiting(store, 1)] == [b"own", b"all", b"more"]
    assert [(each.seq, each.sealed) for each in waiting(store, 3)] == [(1, b"all"), (2, b"more")]
    store.submit(RemoveParcels([(1, 2), (3, 1)]))
    assert [(each.seq, each.sealed) for each in waiting(store, 2)] == [(1, b"theirs"), (2, b"all")]
    assert [tally(store, device).newest for device in (1, 2, 3)] == [3, 2, 2]


def test_a_handle_is_taken_once_it_has_a_commit(store: Store) -> None:
    asked = TakenHandles([HANDLE, bytes(32)])
    assert store.ask(asked) == [None, None]
    store.submit(commit(7, digest=bytes([7] * 32)))
    assert store.ask(asked) == [bytes([7] * 32), None]
    store.submit(commit(8))
    assert store.ask(asked) == [b"", None], "a Commit whose digest is not known"


def test_who_comes_second_learns_which_commit_was_first(store: Store) -> None:
    first, second = bytes([1] * 32), bytes([2] * 32)
    assert store.submit(commit(0, digest=first)) == [OrderedCommit(CommitOutcome.STORED)]
    late = OrderedCommit(CommitOutcome.LATE, first)
    assert store.submit(commit(0, OTHER, digest=second)) == [late]
    assert store.submit(commit(0, digest=second)) == [OrderedCommit(CommitOutcome.REPEATED)]


# --- The order of Commits -------------------------------------------------------------------


def test_the_first_commit_of_an_epoch_is_stored_and_no_other(store: Store) -> None:
    assert outcomes(store, commit(7)) == [CommitOutcome.STORED]
    assert outcomes(store, commit(7, OTHER)) == [CommitOutcome.LATE]
    assert outcomes(store, commit(7)) == [CommitOutcome.REPEATED]
    assert outcomes(store, commit(9)) == [CommitOutcome.AHEAD]
    assert outcomes(store, commit(8, OTHER)) == [CommitOutcome.STORED]
    assert outcomes(store, commit(6, OTHER)) == [CommitOutcome.LATE]
    assert seqs(store, 1) == [107, 108]


def test_a_commit_that_is_only_asked_for_changes_nothing(store: Store) -> None:
    ask = StoreParcels(Parcels(), [(CommitPosition(HANDLE, 7, TOKEN), None)])
    assert outcomes(store, ask) == [CommitOutcome.NEW]
    assert outcomes(store, commit(7, OTHER)) == [CommitOutcome.STORED]
    assert outcomes(store, ask) == [CommitOutcome.NEW]
    other = StoreParcels(Parcels(), [(CommitPosition(HANDLE, 7, OTHER), None)])
    assert outcomes(store, other) == [CommitOutcome.REPEATED]


def test_many_commits_of_one_command_are_ordered_among_themselves(store: Store) -> None:
    entries = [
        (CommitPosition(HANDLE, 1, TOKEN), Parcels([(1, 1, b"a", 0)])),
        (CommitPosition(HANDLE, 1, OTHER), Parcels([(1, 2, b"b", 0)])),
        (CommitPosition(HANDLE, 2, OTHER), Parcels([(1, 3, b"c", 0)])),
    ]
    found = outcomes(store, StoreParcels(Parcels(), entries))
    assert found == [CommitOutcome.STORED, CommitOutcome.LATE, CommitOutcome.STORED]
    assert seqs(store, 1) == [1, 3]


def test_old_commits_are_forgotten_by_number_and_by_day(store: Store) -> None:
    for epoch in range(1, MAX_REMEMBERED_COMMITS + 2):
        store.submit(commit(epoch, parcels=Parcels()))
    assert outcomes(store, commit(1, parcels=Parcels())) == [CommitOutcome.LATE]
    assert outcomes(store, commit(2, parcels=Parcels())) == [CommitOutcome.REPEATED]
    assert store.submit(ExpireCommits(5, 10)) == 0
    assert store.submit(ExpireCommits(6, MAX_REMEMBERED_COMMITS - 6)) == MAX_REMEMBERED_COMMITS - 6
    assert store.submit(ExpireCommits(6, 100)) == 6
    assert outcomes(store, commit(50, parcels=Parcels())) == [CommitOutcome.STORED], "all forgotten"


# --- Undecryptable parcels ------------------------------------------------------------------


def undecryptable(store: Store) -> None:
    """Parcels 1 to 6 of device 1 with as many bytes; 2, 4 and 6 undecryptable, from days 2, 4, 6.

    Parcel 6 is shared with device 2.
    """
    store.submit(single(*((1, seq, bytes(seq)) for seq in range(1, 6))))
    store.submit(shared(6, bytes(6), 1, 2))
    for seq in (2, 4, 6):
        store.submit(MarkUndecryptable([(1, seq)], seq))


def test_undecryptable_parcels_are_out_of_the_way(store: Store) -> None:
    undecryptable(store)
    assert seqs(store, 1) == [1, 3, 5]
    found = waiting(store, 1, undecryptable=True)
    assert [(parcel.seq, parcel.undecryptable) for parcel in found] == [
        (1, False),
        (2, True),
        (3, False),
        (4, True),
        (5, False),
        (6, True),
    ]
    assert seqs(store, 2) == [6]


def test_undecryptable_parcels_are_removed_once_and_tell_their_sizes(store: Store) -> None:
    undecryptable(store)
    removed = store.submit(RemoveUndecryptable([(1, 4), (1, 6), (1, 99)]))
    assert removed == [Removal(1, 4), Removal(1, 6)]
    assert store.submit(RemoveUndecryptable([(1, 4)])) == []
    assert tally(store, 1) == Tally(3, 9, 1, 2, 5)
    assert waiting(store, 2) == [WaitingParcel(6, bytes(6), False)]


def test_the_oldest_undecryptable_go_until_the_rest_may_be_kept(store: Store) -> None:
    undecryptable(store)
    assert store.submit(RemoveOldestUndecryptable(1, 3, 12, 10)) == []
    assert store.submit(RemoveOldestUndecryptable(1, 2, 12, 10)) == [Removal(1, 2)]
    assert store.submit(RemoveOldestUndecryptable(1, 2, 12, 10)) == [], "repeated, it does nothing"
    assert store.submit(RemoveOldestUndecryptable(1, 2, 9, 10)) == [Removal(1, 4)]
    assert store.submit(RemoveOldestUndecryptable(1, 2, 5, 10)) == [Removal(1, 6)]
    assert tally(store, 1)[2:5] == (0, 0, 5)
    assert store.submit(RemoveOldestUndecryptable(1, 0, 0, 10)) == []
    assert seqs(store, 1) == [1, 3, 5]


def test_no_more_than_the_limit_goes_at_once(store: Store) -> None:
    undecryptable(store)
    assert store.submit(RemoveOldestUndecryptable(1, 0, 0, 2)) == [Removal(1, 2), Removal(1, 4)]
    assert store.submit(RemoveOldestUndecryptable(1, 0, 9, 2)) == [Removal(1, 6)]


def test_a_parcel_keeps_the_day_on_which_it_was_first_undecryptable(store: Store) -> None:
    store.submit(single((1, 1, b"a")))
    store.submit(MarkUndecryptable([(1, 1), (1, 9)], 5))
    store.submit(MarkUndecryptable([(1, 1)], 9))
    assert store.submit(ExpireUndecryptable(5, 10)) == []
    assert store.submit(ExpireUndecryptable(6, 10)) == [Removal(1, 1)]


def test_what_was_undecryptable_too_long_goes_in_steps(store: Store) -> None:
    undecryptable(store)
    assert store.submit(ExpireUndecryptable(7, 2)) == [Removal(1, 2), Removal(1, 4)]
    assert store.submit(ExpireUndecryptable(7, 2)) == [Removal(1, 6)]
    assert store.submit(ExpireUndecryptable(7, 2)) == []
    assert seqs(store, 1, undecryptable=True) == [1, 3, 5]
    assert seqs(store, 2) == [6]


# --- Faults ---------------------------------------------------------------------------------


def test_one_bad_command_of_a_group_fails_alone_and_leaves_nothing(store: Store) -> None:
    store.submit(single((1, 1, b"a")))
    twice = Parcels([(1, 7, b"x", 0), (1, 1, b"again", 0)])
    outcomes = store.submit_group(single((1, 2, b"b")), StoreParcels(twice), single((1, 3, b"c")))
    assert isinstance(outcomes[1], BaseException)
    assert (outcomes[0], outcomes[2]) == ([], [])
    assert seqs(store, 1) == [1, 2, 3]


def test_commands_together_are_kept_all_or_none(store: Store) -> None:
    store.submit(single((1, 1, b"a")))
    both = Together((single((1, 2, b"b")), single((1, 1, b"again"))))
    with pytest.raises(Exception):  # noqa: B017 - a broken promise of the caller, not of a disk
        store.submit(both)
    assert seqs(store, 1) == [1]
    store.submit(Together((single((1, 2, b"b")), RemoveParcels([(1, 1)]))))
    assert seqs(store, 1) == [2]


def test_a_programming_error_is_no_fault_of_the_disk(store: Store) -> None:
    with pytest.raises(DefectError):
        store.submit(RemoveUndecryptable(None))  # type: ignore[arg-type]
    store.submit(single((1, 1, b"a")))


def test_a_failed_commit_tells_everyone_and_keeps_nothing(store: Store) -> None:
    store.submit(single((1, 1, b"a")))
    broken = DiskError("the disk failed")
    store.fail(broken)
    answers = store.submit_group(single((1, 2, b"b")), RemoveParcels([(1, 1)]), commit(7))
    assert answers == [broken] * 3
    assert seqs(store, 1) == [1]
    store.fail(None)
    assert outcomes(store, commit(7)) == [CommitOutcome.STORED]


def test_a_full_disk_refuses_keeps_what_there_is_and_heals(store: Store) -> None:
    store.submit(single((1, 1, b"a")))
    store.fill_disk()
    large = StoreParcels(
        Parcels([(1, 2, bytes(500_000), 0)]), [(CommitPosition(HANDLE, 7, TOKEN), Parcels())]
    )
    with pytest.raises(DiskError, match=FULL_DISK):
        store.submit(large)
    assert seqs(store, 1) == [1]
    store.heal_disk()
    assert outcomes(store, large) == [CommitOutcome.STORED], "nothing of the first try was kept"
    assert seqs(store, 1) == [1, 2]


def test_what_was_durable_when_the_answer_was_lost_is_there(store: Store) -> None:
    store.submit_unanswered(commit(7))
    assert outcomes(store, commit(7)) == [CommitOutcome.REPEATED]
    assert seqs(store, 1) == [107]


# --- Commits for which a mailbox has no room ------------------------------------------------


def miss(store: Store, epoch: int, *devices: int) -> None:
    digest = epoch.to_bytes(8, "big")
    parcels = Parcels(missed=[(device, digest) for device in devices])
    assert outcomes(store, commit(epoch, parcels=parcels)) == [CommitOutcome.STORED]


def test_missed_commits_are_counted_and_the_newest_named(store: Store) -> None:
    for epoch in range(70):
        miss(store, epoch, 1, 99)  # there is no device 99
    miss(store, 70, 2)
    newest = b"".join(epoch.to_bytes(8, "big") for epoch in range(69, 5, -1))
    assert store.ask(MissedCommits(1)) == Missed(70, newest)
    assert [tally(store, device).missed for device in (1, 2, 3)] == [70, 1, 0]
    assert store.ask(MissedCommits(99)) == store.ask(MissedCommits(3)) == Missed(0, b"")


def test_what_was_read_is_forgotten_and_what_came_since_stays(store: Store) -> None:
    for epoch in range(3):
        miss(store, epoch, 1)
    assert store.submit(ForgetMissed(1, 2)) == 1
    assert store.ask(MissedCommits(1)) == Missed(1, (2).to_bytes(8, "big"))
    assert store.submit(ForgetMissed(1, 2)) == 0
    assert store.submit(ForgetMissed(1, 1)) == 0
    assert tally(store, 1).missed == 0


def test_a_commit_that_came_second_leaves_no_marker(store: Store) -> None:
    miss(store, 1, 1)
    late = commit(1, OTHER, Parcels(missed=[(1, b"8 bytes.")]))
    assert outcomes(store, late) == [CommitOutcome.LATE]
    assert tally(store, 1).missed == 1


# --- By whom it was sent ---------------------------------------------------------------------


def from_senders(*senders: int, size: int = 10) -> StoreParcels:
    """Parcels for device 1 of these senders, numbered from 1 on."""
    return StoreParcels(Parcels([(1, n, bytes(size), one) for n, one in enumerate(senders, 1)]))


def test_what_waits_is_counted_by_sender(store: Store) -> None:
    store.submit(from_senders(7, 9, 7, 0))
    places = [(1, 5), (2, 5)]
    store.submit(StoreParcels(Parcels([], [SharedParcel(bytes(3), places, [9, 40_000])])))
    assert set(tally(store, 1).senders) == {(7, 2, 20), (9, 2, 13)}
    assert tally(store, 2).senders == ((40_000, 1, 3),)
    assert [parcel.sender for parcel in waiting(store, 1)] == [7, 9, 7, 0, 9]
    store.submit(MarkUndecryptable([(1, 1)], 5))
    store.submit(RemoveParcels([(1, 2)]))
    assert set(tally(store, 1).senders) == {(7, 1, 10), (9, 1, 3)}


def test_each_mailbox_has_a_key_of_its_own_that_stays(store: Store) -> None:
    query = MailboxTallies((1, 2, 3))
    keys = store.ask(query).keys
    assert len(set(keys)) == 3 and all(len(key) == 16 for key in keys)
    assert store.ask(query).keys == keys
    assert store.ask(MailboxTallies((2,))).keys == keys[1:2]


def test_of_undecryptable_parcels_those_go_first_of_whom_most_is_kept(store: Store) -> None:
    store.submit(from_senders(7, *[9] * 6, 7, 8))
    store.submit(MarkUndecryptable([(1, seq) for seq in range(1, 10)], 5))
    removed = store.submit(RemoveOldestUndecryptable(1, 5, 1_000, 10))
    assert removed == [Removal(1, 10)] * 4
    assert seqs(store, 1, undecryptable=True) == [1, 6, 7, 8, 9]
    store.submit(RemoveOldestUndecryptable(1, 5, 30, 10))
    assert seqs(store, 1, undecryptable=True) == [7, 8, 9]
