"""What every store of key packages keeps to (`ports.key_packages`)."""

import pytest

from blackthorn.errors import DiskError
from blackthorn.ports.key_packages import ClaimKeyPackages, KeyPackageStock, PublishKeyPackages
from blackthorn.wire.limits import MAX_KEY_PACKAGE_BYTES
from tests.contracts.stores.conftest import FULL_DISK, Store

ROOM = 10**8


@pytest.fixture(autouse=True)
def people(store: Store) -> None:
    store.add_people(3)


def publish(
    store: Store, device: int, *packages: bytes, last: bytes | None = None, room: int = 100
) -> int:
    return store.submit(PublishKeyPackages(device, packages, last, room))


def claim(store: Store, *users: list[int], room: int = ROOM) -> list[list[bytes | None]]:
    return store.submit(ClaimKeyPackages(users, room))


def test_the_oldest_goes_first_and_the_last_resort_stays(store: Store) -> None:
    assert publish(store, 1, b"a", b"b", last=b"z") == 2
    assert claim(store, [1], [2]) == [[b"a"], [None]]
    assert claim(store, [1, 2]) == [[b"b", None]]
    assert [claim(store, [1]) for _ in range(2)] == [[[b"z"]]] * 2
    assert store.ask(KeyPackageStock(1)) == 0


def test_the_one_that_lives_longest_goes_first_and_none_that_has_expired(store: Store) -> None:
    store.submit(PublishKeyPackages(1, [b"old"], b"z", 9, 10, 400))
    store.submit(PublishKeyPackages(1, [b"a", b"b"], None, 9, 20))
    assert [store.ask(KeyPackageStock(1, day)) for day in (10, 11, 20, 21)] == [3, 2, 2, 0]
    assert store.submit(ClaimKeyPackages([[1]], ROOM, 10)) == [[b"a"]]
    assert store.submit(ClaimKeyPackages([[1]], ROOM, 11)) == [[b"b"]]
    assert store.submit(ClaimKeyPackages([[1]], ROOM, 11)) == [[b"z"]]
    assert store.submit(ClaimKeyPackages([[1]], ROOM, 10)) == [[b"old"]]
    assert store.submit(ClaimKeyPackages([[1]], ROOM, 401)) == [[None]]


def test_a_new_set_replaces_the_old_one_and_expired_ones_give_way(store: Store) -> None:
    store.submit(PublishKeyPackages(1, [b"a"], b"z", 9, 10))
    store.submit(PublishKeyPackages(1, [b"b"], None, 9, 20))
    assert store.submit(PublishKeyPackages(1, [b"c"], None, 2, 30, day=11)) == 2
    assert store.submit(PublishKeyPackages(1, [b"d"], None, 9, 40, 0, True, 11)) == 1
    assert [claim(store, [1]) for _ in range(2)] == [[[b"d"]], [[b"z"]]]


def test_a_new_last_resort_package_takes_the_place_of_the_old(store: Store) -> None:
    publish(store, 1, last=b"y")
    publish(store, 1, last=b"z")
    publish(store, 1)
    assert claim(store, [1]) == [[b"z"]]


def test_no_more_than_the_room_are_kept(store: Store) -> None:
    assert publish(store, 1, b"a", b"b", b"c", room=2) == 2
    assert publish(store, 1, b"d", room=1) == 2
    assert claim(store, [1, 1]) == [[b"a", b"b"]]
    assert store.ask(KeyPackageStock(1)) == 0
    assert store.ask(KeyPackageStock(3)) == 0


def test_an_answer_ends_before_it_could_grow_too_large(store: Store) -> None:
    for device in (1, 2, 3):
        publish(store, device, bytes(1000))
    room = 2 * MAX_KEY_PACKAGE_BYTES
    assert claim(store, [1], [2, 3], [1], room=room) == [[bytes(1000)]]
    assert [store.ask(KeyPackageStock(device)) for device in (1, 2, 3)] == [0, 1, 1]


def test_a_failed_commit_hands_nothing_out(store: Store) -> None:
    publish(store, 1, b"a")
    broken = DiskError("the disk failed")
    store.fail(broken)
    assert store.submit_group(ClaimKeyPackages([[1]], ROOM)) == [broken]
    store.fail(None)
    assert claim(store, [1]) == [[b"a"]]


def test_what_was_handed_out_when_the_answer_was_lost_never_comes_again(store: Store) -> None:
    publish(store, 1, b"a", b"b")
    store.submit_unanswered(ClaimKeyPackages([[1]], ROOM))
    assert claim(store, [1]) == [[b"b"]]


def test_a_full_disk_keeps_the_stock_as_it_was(store: Store) -> None:
    publish(store, 1, b"a")
    store.fill_disk()
    with pytest.raises(DiskError, match=FULL_DISK):
        publish(store, 1, *(bytes(16_000) for _ in range(30)))
    assert store.ask(KeyPackageStock(1)) == 1
    store.heal_disk()
    assert claim(store, [1, 1]) == [[b"a", None]]


def test_the_reserved_ones_are_for_those_who_are_known(store: Store) -> None:
    publish(store, 1, b"a", b"b", b"c", last=b"z")

    def given(*known: int, reserved: int = 3, spent: int = 0) -> bytes | None:
        sets = frozenset({spent}), frozenset(known)
        return store.submit(ClaimKeyPackages([[1]], ROOM, 0, *sets, reserved))[0][0]

    assert given() == b"a", "three are not fewer than three"
    assert given() == b"z"
    assert given(1, spent=1) == b"z"
    assert given(1) == b"b"
    assert given(reserved=1) == b"c"
    assert given(1) == b"z"


def test_without_a_last_resort_package_none_is_withheld(store: Store) -> None:
    publish(store, 1, b"a")
    command = ClaimKeyPackages([[1]], ROOM, 0, frozenset(), frozenset(), 3)
    assert store.submit(command) == [[b"a"]]
    assert store.submit(command) == [[None]]
