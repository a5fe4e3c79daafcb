"""`ports.enterprise`, and the aliases of users, in memory."""

from blackthorn.ids import Address, DeviceId
from blackthorn.ports.enterprise import (
    DeviceRecord,
    DevicesById,
    KeepHello,
    Standing,
    UserRecord,
    UsersByAddress,
)
from blackthorn.ports.inbound.aliases import FindAlias
from tests.support.memory_store.state import State


def record(state: State, number: int) -> DeviceRecord:
    device = state.devices[number]
    address = Address(state.users[device.user].address)
    standing = Standing(device.standing)
    return DeviceRecord(number, DeviceId(device.id), device.identity_key, address, standing)


def devices(state: State, query: DevicesById) -> dict[DeviceId, DeviceRecord]:
    numbers = {device.id: number for number, device in state.devices.items()}
    return {name: record(state, numbers[name]) for name in query.ids if name in numbers}


def users(state: State, query: UsersByAddress) -> dict[Address, UserRecord]:
    found: dict[Address, UserRecord] = {}
    for number, user in state.users.items():
        if user.address in query.addresses:
            own = sorted(key for key, device in state.devices.items() if device.user == number)
            known = state.certificates.get(number)
            certificate = known[-1][1] if known else None
            address = Address(user.address)
            records = tuple(record(state, key) for key in own)
            _, compatible, copies = state.compatible.get(number, [(0, b"", False)])[-1]
            found[address] = UserRecord(
                number, address, user.pin, certificate, records, compatible, copies
            )
    return found


def keep_hello(state: State, command: KeepHello) -> bytes:
    device = state.devices.get(command.device)
    if device is None:
        return b""
    before = device.hello
    if device.hello_number <= command.number:
        device.hello_number, device.hello = command.number, command.hello
    return before


def alias(state: State, query: FindAlias) -> tuple[Address, ...]:
    known = [state.aliases[name] for name in query.names if name in state.aliases]
    return tuple(sorted(Address(state.users[one].address) for one in known[0])) if known else ()


COMMANDS = {KeepHello: keep_hello}
QUERIES = {DevicesById: devices, UsersByAddress: users, FindAlias: alias}
