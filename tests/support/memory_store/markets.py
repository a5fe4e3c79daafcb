"""`ports.markets` in memory: rows are not wrapped, they only say under whose key they lie."""

from blackthorn.errors import AbsentError
from blackthorn.ports.markets import FindMarkets, MoveUser, WrapStored
from tests.support.memory_store import exits
from tests.support.memory_store.mail import check_key
from tests.support.memory_store.state import Mail, Queued, State


def find(state: State, query: FindMarkets) -> list[str | None]:
    markets = {user.address: user.market for user in state.users.values()}
    return [markets.get(address) for address in query.addresses]


def move(state: State, command: MoveUser) -> bool:
    found = [n for n, user in state.users.items() if user.address == command.address]
    if not found:
        raise AbsentError(f"there is no user {command.address}")
    number, user = found[0], state.users[found[0]]
    devices = [key for key, device in state.devices.items() if device.user == number]
    rows: list[Mail | Queued] = []
    rows += [mail for (owner, _), mail in state.mails.items() if owner == number]
    rows += [mail for mail in state.queued.values() if mail.user == number]
    old = [row for row in rows if row.market != command.market][: command.limit]
    parcels = [row for (device, _), row in state.parcels.items() if device in devices]
    if user.market != command.market and (rows or parcels):
        check_key(state, command.market)
    for row in old:
        check_key(state, row.market)
        row.market = command.market
    if len(old) == command.limit:
        return False
    user.market = command.market
    if command.note is not None:
        exits.act(state, command.note)
    return True


COMMANDS = {MoveUser: move, WrapStored: lambda state, command: True}
QUERIES = {FindMarkets: find}
