"""`ports.key_packages` in memory."""

from blackthorn.ports.key_packages import ClaimKeyPackages, KeyPackageStock, PublishKeyPackages
from blackthorn.wire.limits import MAX_KEY_PACKAGE_BYTES
from tests.support.memory_store.state import State


def publish(state: State, command: PublishKeyPackages) -> int:
    stock = state.key_packages.setdefault(command.device, [])
    stock += command.packages[: max(0, command.room - len(stock))]
    if command.last_resort is not None:
        state.last_resort[command.device] = command.last_resort
    return len(stock)


def claim(state: State, command: ClaimKeyPackages) -> list[list[bytes | None]]:
    claimed: list[list[bytes | None]] = []
    room = command.max_bytes
    for devices in command.users:
        if room < len(devices) * MAX_KEY_PACKAGE_BYTES:
            break
        stocks = [(state.key_packages.get(device, []), device) for device in devices]
        packages = [s.pop(0) if s else state.last_resort.get(device) for s, device in stocks]
        room -= sum(len(package or b"") for package in packages)
        claimed.append(packages)
    return claimed


COMMANDS = {PublishKeyPackages: publish, ClaimKeyPackages: claim}
QUERIES = {KeyPackageStock: lambda state, query: len(state.key_packages.get(query.device, []))}
