"""What every store of users and devices answers (`ports.enterprise`)."""

from blackthorn.ids import Address, DeviceId
from blackthorn.ports.enterprise import DeviceRecord, DevicesById, UserRecord, UsersByAddress
from tests.contracts.stores.conftest import Store

U1, U2, NOBODY = (Address(f"{name}@acme.example") for name in ("u1", "u2", "nobody"))


def device_id(number: int) -> DeviceId:
    return DeviceId(number.to_bytes(16, "big"))


def test_devices_are_found_by_id_and_others_left_out(store: Store) -> None:
    store.add_people(3)
    found = store.ask(DevicesById((device_id(2), device_id(9), device_id(1))))
    assert dict(found) == {
        device_id(1): DeviceRecord(1, device_id(1), b"\0", U1),
        device_id(2): DeviceRecord(2, device_id(2), b"\0", U2),
    }
    assert dict(store.ask(DevicesById(()))) == {}


def test_users_are_found_with_their_devices(store: Store) -> None:
    store.add_people(2)
    found = store.ask(UsersByAddress((U2, NOBODY)))
    device = DeviceRecord(2, device_id(2), b"\0", U2)
    assert dict(found) == {U2: UserRecord(2, U2, "00000002", None, (device,))}
