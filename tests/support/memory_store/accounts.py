"""`ports.enrolment` and `ports.users` in memory."""

from dataclasses import replace

from blackthorn.crypto.secret import Secret
from blackthorn.errors import AbsentError, ConflictError
from blackthorn.ids import Address, DeviceId
from blackthorn.link.activation.exchange import Verifier
from blackthorn.ports import enrolment as port
from blackthorn.ports import users
from blackthorn.ports.enrolment import Enrolled, OpenCode, OrphanStep
from blackthorn.ports.inbound.aliases import AliasKind
from blackthorn.ports.key_packages import PublishKeyPackages
from blackthorn.ports.ledger import StoreChange
from blackthorn.ports.users import ListedUser
from tests.support.memory_store import key_packages, ledger
from tests.support.memory_store.state import Code, State, User


def find_code(state: State, query: port.FindCode) -> OpenCode | None:
    code = state.codes.get(query.nameplate)
    if code is None:
        return None
    verifier = Verifier(Secret(code.password), code.public_key)
    standing = (code.expires_ms, code.used_by, code.used_seq)
    return OpenCode(query.nameplate, code.address, verifier, *standing)


def enrol(state: State, command: port.EnrolDevice) -> Enrolled:
    change, device = command.change, command.device
    repeated = change is None or ledger.is_stored(state, change)
    code = state.codes.get(command.nameplate)
    if code is None or code.expires_ms <= command.now_ms:
        raise AbsentError("the code has expired")
    if code.used_by not in (None, device.id):
        raise ConflictError(port.CODE_USED)
    if code.used_by is None and repeated:
        raise ConflictError("this device was activated before, by another code")
    user = ledger.user_of(state, code.address)
    assert user is not None
    removed: tuple[DeviceId, ...] = ()
    if code.used_by is None:
        if command.seq == 1:
            known = sorted(state.devices.items())
            removed = tuple(DeviceId(old.id) for _, old in known if old.user == user)
            ledger.remove_devices(state, user, list(removed))
        ledger.add_device(state, user, device)
    numbers = [number for number, known in state.devices.items() if known.id == device.id]
    if not numbers:
        raise AbsentError("this device was removed")
    seq = command.seq if code.used_by is None else code.used_seq or 0
    state.codes[command.nameplate] = replace(code, used_by=device.id, used_seq=seq)
    if code.used_by is None and change is not None:
        ledger.store_change(state, StoreChange(change))
        packages = (
            *(command.key_packages, command.last_resort, command.room),
            *(command.not_after, command.last_resort_not_after),
        )
        key_packages.publish(state, PublishKeyPackages(numbers[0], *packages))
    pin, fresh = state.users[user].pin, code.used_by is None
    return Enrolled(numbers[0], fresh, device.id, code.address, pin, seq, removed)


def purge_codes(state: State, command: port.PurgeCodes) -> int:
    expired = [key for key, code in state.codes.items() if code.expires_ms <= command.now_ms]
    for nameplate in expired[: command.limit]:
        del state.codes[nameplate]
    return min(len(expired), command.limit)


def purge_orphans(state: State, command: port.PurgeOrphans) -> OrphanStep:
    after, removed = command.after, 0
    for _ in range(command.devices):
        device = min((number for number, _ in state.parcels if number > after), default=None)
        if device is None:
            return OrphanStep(removed, None)
        if device not in state.devices:
            for key in sorted(key for key in state.parcels if key[0] == device):
                if removed == command.parcels:
                    break
                del state.parcels[key]
                removed += 1
            if removed >= command.parcels:
                return OrphanStep(removed, after)
        after = device
    return OrphanStep(removed, after)


def add_user(state: State, command: users.AddUser) -> None:
    if ledger.user_of(state, command.address) is not None:
        raise ConflictError(f"there is a user {command.address} already")
    if command.address.partition("@")[0] in state.aliases:
        raise users.NameTakenError(command.address, AliasKind.ALIAS)
    if any(user.pin == command.pin for user in state.users.values()):
        raise users.PinTakenError("another user has this PIN")
    number = max(state.users, default=0) + 1
    home = command.home
    state.users[number] = User(command.address, command.pin, home.market, home.language)
    state.given[f"created {number}"] = command.now_ms
    _store(state, command.address, command.code)


def renew(state: State, command: users.RenewCode) -> None:
    if ledger.user_of(state, command.address) is None:
        raise AbsentError(f"there is no user {command.address}")
    for nameplate, code in list(state.codes.items()):
        if code.address == command.address and code.used_by is None:
            del state.codes[nameplate]
    _store(state, command.address, command.code)


def _store(state: State, address: Address, code: users.NewCode) -> None:
    password = code.verifier.password.expose()
    state.codes[code.nameplate] = Code(address, password, code.verifier.public_key, code.expires_ms)


def list_users(state: State, query: users.ListUsers) -> list[ListedUser]:
    rows = sorted(state.users.items(), key=lambda row: row[1].address)
    found = [row for row in rows if row[1].address > query.after][: query.limit]
    return [_listed(state, number, user, query.now_ms) for number, user in found]


def _listed(state: State, number: int, user: User, now_ms: int) -> ListedUser:
    devices = sum(device.user == number for device in state.devices.values())
    mine = [code for code in state.codes.values() if code.address == user.address]
    code = max((c for c in mine if c.used_by is None), key=lambda c: c.expires_ms, default=None)
    created_ms = state.given.get(f"created {number}", 0)
    if code is None or code.expires_ms <= now_ms:
        how, until = ("" if devices else "expired"), None
    else:
        how, until = "open", code.expires_ms
    return ListedUser(
        user.address, user.pin, devices, created_ms, how, until, user.market, user.language
    )


COMMANDS = {
    port.EnrolDevice: enrol,
    port.PurgeCodes: purge_codes,
    port.PurgeOrphans: purge_orphans,
    users.AddUser: add_user,
    users.RenewCode: renew,
}
QUERIES = {
    port.FindCode: find_code,
    users.FindUser: lambda state, query: ledger.user_of(state, query.address) is not None,
    users.NameplateTaken: lambda state, query: query.nameplate in state.codes,
    users.ListUsers: list_users,
}
