"""What every store of codes and users keeps to (`ports.enrolment`, `ports.users`)."""

from typing import Any

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.errors import AbsentError, ConflictError, DiskError, ForbiddenError
from blackthorn.ids import Address, DeviceId
from blackthorn.link.activation.exchange import Verifier
from blackthorn.ports.enrolment import (
    EnrolDevice,
    Enrolled,
    FindCode,
    OrphanStep,
    PurgeCodes,
    PurgeOrphans,
)
from blackthorn.ports.enterprise import Standing, UsersByAddress
from blackthorn.ports.key_packages import KeyPackageStock
from blackthorn.ports.ledger import Change, Label, NewDevice, ReadChain, StoredStatement
from blackthorn.ports.parcels import Parcels, StoreParcels
from blackthorn.ports.users import (
    AddUser,
    FindUser,
    Home,
    ListUsers,
    NameplateTaken,
    NewCode,
    PinTakenError,
    RenewCode,
)
from tests.contracts.stores.conftest import FULL_DISK, Store

ALICE, BOB = Address("alice@acme.example"), Address("bob@acme.example")
VERIFIER = Verifier(Secret(bytes(32)), bytes(32))


def code(nameplate: str, expires_ms: int = 100) -> NewCode:
    return NewCode(nameplate, VERIFIER, expires_ms)


def genesis(address: Address = ALICE) -> Change:
    first = StoredStatement(1, b"h" * 32, "genesis", 0, b"genesis")
    label = Label(0, address, address.encode().ljust(32), bytes(80), b"salt" * 8)
    return Change(address, 0, bytes(32), (first,), label=label)


def enrol(nameplate: str = "1", number: int = 7, **more: Any) -> EnrolDevice:
    device = NewDevice(DeviceId(bytes([number]) * 16), bytes(32), "d", Standing.LIVE)
    fields = {"change": genesis(), "now_ms": 5, "seq": 1} | more
    return EnrolDevice(nameplate, device, key_packages=(b"a", b"b"), room=9, **fields)


@pytest.fixture
def alice(store: Store) -> Store:
    """A store with Alice, who has the code 1."""
    store.submit(AddUser(ALICE, "0000CAFE", 3, code("1"), Home("DE", "de")))
    return store


# --- Users -------------------------------------------------------------------------------------


def test_users_are_added_once_and_listed_in_pages(alice: Store) -> None:
    with pytest.raises(PinTakenError):
        alice.submit(AddUser(BOB, "0000CAFE", 3, code("2")))
    with pytest.raises(ConflictError):
        alice.submit(AddUser(ALICE, "00000002", 3, code("2")))
    assert not alice.ask(FindUser(BOB)) and not alice.ask(NameplateTaken("2"))
    alice.submit(AddUser(BOB, "00000002", 4, code("2", 200)))
    assert alice.ask(FindUser(BOB)) and alice.ask(NameplateTaken("2"))
    one, two = alice.ask(ListUsers(50, "", 9))
    assert (one.address, one.market, one.language, one.code) == (ALICE, "DE", "de", "open")
    assert (one.code_expires_ms, one.created_ms, two.pin) == (100, 3, "00000002")
    assert alice.ask(ListUsers(50, "", 1)) == [one] and alice.ask(ListUsers(50, ALICE, 9)) == [two]
    assert [user.code for user in alice.ask(ListUsers(100, "", 9))] == ["expired", "open"]


def test_a_new_code_takes_the_place_of_the_unused_one(alice: Store) -> None:
    alice.submit(RenewCode(ALICE, code("9", 300)))
    assert alice.ask(FindCode("1")) is None
    found = alice.ask(FindCode("9"))
    assert found is not None and (found.address, found.expires_ms) == (ALICE, 300)
    with pytest.raises(AbsentError):
        alice.submit(RenewCode(BOB, code("8")))
    assert alice.ask(FindCode("8")) is None


# --- Codes -------------------------------------------------------------------------------------


def test_a_device_is_stored_with_all_that_it_brings(alice: Store) -> None:
    enrolled = alice.submit(enrol())
    assert enrolled == Enrolled(
        enrolled.number, True, DeviceId(bytes([7]) * 16), ALICE, "0000CAFE", 1, ()
    )
    (device,) = alice.ask(UsersByAddress((ALICE,)))[ALICE].devices
    assert (device.number, device.id) == (enrolled.number, enrolled.device)
    chain = alice.ask(ReadChain(ALICE, 0))
    assert chain is not None and [row.seq for row in chain.statements] == [1]
    assert alice.ask(KeyPackageStock(enrolled.number)) == 2
    used = alice.ask(FindCode("1"))
    assert used is not None and (used.used_by, used.used_seq) == (device.id, 1)


def test_a_lost_answer_is_repeated_and_nothing_is_stored_twice(alice: Store) -> None:
    alice.submit_unanswered(enrol())
    alice.start()
    for change in (genesis(), None):
        again = alice.submit(enrol(change=change))
        assert not again.fresh and (again.address, again.seq) == (ALICE, 1)
    assert len(alice.ask(UsersByAddress((ALICE,)))[ALICE].devices) == 1
    assert alice.ask(KeyPackageStock(again.number)) == 2


def test_what_may_not_be_enrolled_leaves_nothing(alice: Store) -> None:
    alice.submit(AddUser(BOB, "00000002", 4, code("2")))
    with pytest.raises(AbsentError):
        alice.submit(enrol(now_ms=100))
    with pytest.raises(ConflictError):
        alice.submit(enrol(change=None))
    assert alice.ask(UsersByAddress((ALICE,)))[ALICE].devices == ()
    alice.submit(enrol())
    with pytest.raises(ConflictError):
        alice.submit(enrol(number=8))
    with pytest.raises(ForbiddenError):
        alice.submit(enrol("2", change=genesis(BOB)))
    unused, chain = alice.ask(FindCode("2")), alice.ask(ReadChain(BOB, 0))
    assert unused is not None and unused.used_by is None
    assert chain is not None and chain.statements == ()


def test_a_full_disk_enrols_nobody(alice: Store) -> None:
    alice.fail(DiskError(FULL_DISK))
    (outcome,) = alice.submit_group(enrol())
    assert str(outcome) == FULL_DISK
    alice.fail(None)
    assert alice.ask(UsersByAddress((ALICE,)))[ALICE].devices == ()
    assert alice.submit(enrol()).fresh


# --- Purges ------------------------------------------------------------------------------------


def test_expired_codes_go_a_few_at_a_time(store: Store) -> None:
    for number in range(1, 6):
        address = Address(f"u{number}@acme.example")
        store.submit(AddUser(address, f"{number:08X}", 0, code(str(number), number)))
    assert [store.submit(PurgeCodes(4, 3)) for _ in range(2)] == [3, 1]
    assert store.ask(FindCode("5")) is not None and store.ask(FindCode("4")) is None


def test_parcels_of_devices_that_are_gone_go_in_steps(store: Store) -> None:
    store.add_people(3)
    rows = [(device, seq, b"x", 0) for seq, device in enumerate((1, 2, 2, 2, 3), 1)]
    store.submit(StoreParcels(Parcels(rows)))
    for number in (2, 3):
        store.lose_device(number)
    steps, after = [], 0
    while not steps or steps[-1].after is not None:
        steps.append(store.submit(PurgeOrphans(after, 2, 2)))
        after = steps[-1].after or 0
    assert sum(step.removed for step in steps) == 4 and max(step.removed for step in steps) == 2
    assert store.submit(PurgeOrphans(0, 9, 9)) == OrphanStep(0, None)
