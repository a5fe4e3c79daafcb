"""`ports.key_packages` in memory."""

from blackthorn.ports.key_packages import ClaimKeyPackages, KeyPackageStock, PublishKeyPackages
from blackthorn.wire.limits import MAX_KEY_PACKAGE_BYTES
from tests.support.memory_store.state import State

Package = tuple[bytes, int]
"""A package and the last Unix day on which it is handed out; 0: any."""


def _valid(packages: list[Package], day: int) -> list[Package]:
    return [package for package in packages if package[1] == 0 or package[1] >= day]


def publish(state: State, command: PublishKeyPackages) -> int:
    earlier = state.key_packages.get(command.device, [])
    stock = [] if command.replace else _valid(earlier, command.day)
    fitting = command.packages[: max(0, command.room - len(stock))]
    stock = stock + [(package, command.not_after) for package in fitting]
    state.key_packages[command.device] = stock
    if command.last_resort is not None:
        state.last_resort[command.device] = (command.last_resort, command.last_resort_not_after)
    return len(_valid(stock, command.day))


def _claim_of(state: State, device: int, command: ClaimKeyPackages) -> bytes | None:
    stock, day = state.key_packages.get(device, []), command.day
    valid = _valid(stock, day)
    withheld = device not in command.known and len(valid) < command.reserved
    last = _valid([state.last_resort[device]] if device in state.last_resort else [], day)
    if valid and not (withheld and last) and device not in command.spent:
        best = max(valid, key=lambda package: package[1])
        stock.remove(best)
        return best[0]
    return last[0][0] if last else None


def claim(state: State, command: ClaimKeyPackages) -> list[list[bytes | None]]:
    claimed: list[list[bytes | None]] = []
    room = command.max_bytes
    for devices in command.users:
        if room < len(devices) * MAX_KEY_PACKAGE_BYTES:
            break
        packages = [_claim_of(state, device, command) for device in devices]
        room -= sum(len(package or b"") for package in packages)
        claimed.append(packages)
    return claimed


COMMANDS = {PublishKeyPackages: publish, ClaimKeyPackages: claim}


def stock(state: State, query: KeyPackageStock) -> int:
    return len(_valid(state.key_packages.get(query.device, []), query.day))


QUERIES = {KeyPackageStock: stock}
