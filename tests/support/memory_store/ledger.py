"""`ports.ledger` in memory."""

import operator
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from blackthorn.errors import AbsentError, ConflictError, DamageError, ForbiddenError
from blackthorn.ids import Address, DeviceId
from blackthorn.ports import ledger as port
from blackthorn.ports.enterprise import Standing
from blackthorn.ports.ledger import (
    LOGGED_KINDS,
    Change,
    Label,
    Leaf,
    LoggedStatement,
    NewDevice,
    PublishedChain,
    StoredChain,
    StoredStatement,
    WaitingRecord,
    WaitingStatement,
)
from blackthorn.storage.limits import MAX_REMOVED_PARCELS
from blackthorn.wire.limits import MAX_DEVICES_PER_USER
from tests.support.memory_store.state import Device, State

OVERTAKEN = "another statement was first in this chain: look it up, then try again"


def user_of(state: State, address: str) -> int | None:
    return next((n for n, user in state.users.items() if user.address == address), None)


def next_number(state: State, table: str, *known: int) -> int:
    number = max(state.given.get(table, 0), *known, 0) + 1
    state.given[table] = number
    return number


# --- The log -----------------------------------------------------------------------------------


def read_entries(state: State, query: port.ReadEntries) -> list[bytes]:
    found: list[bytes] = []
    for place in range(query.start, query.start + query.count):
        if place not in state.entries or sum(map(len, found)) >= query.max_bytes:
            break
        found.append(state.entries[place])
    return found


def checkpoints(state: State, query: port.ReadCheckpoints) -> list[port.Checkpoint]:
    newest = [state.epochs[size] for size in sorted(state.epochs)][-2:]
    return newest[-1:] if newest and newest[-1].published else newest


def roots(state: State, query: port.ReadRoots) -> list[tuple[int, bytes]]:
    sizes = sorted(size for size in state.epochs if size > query.after)
    return [(size, state.epochs[size].root) for size in sizes[: query.limit]]


def newest_config(state: State, query: port.NewestConfig) -> bytes | None:
    configs = [place for place, entry in state.entries.items() if entry[:1] == b"\x03"]
    return state.entries[max(configs)] if configs else None


def append(state: State, command: port.AppendEpoch) -> None:
    epoch = command.epoch
    end = max(state.epochs, default=0)
    if end != epoch.start or (end and not state.epochs[end].published):
        raise ConflictError("the log ends elsewhere, or an epoch is pending")
    state.entries |= dict(enumerate(epoch.entries, epoch.start))
    state.leaves += epoch.leaves
    for user, first, last, place in epoch.published:
        for seq in range(first, last + 1):
            number, statement = state.chains[user, seq]
            state.chains[user, seq] = (number, replace(statement, place=place))
    for number in epoch.records:
        del state.records[number]
    state.epochs[epoch.checkpoint.size] = epoch.checkpoint


def publish(state: State, command: port.PublishEpoch) -> None:
    if command.size not in state.epochs:
        raise AbsentError(f"there is no epoch of {command.size} entries")
    for size, epoch in state.epochs.items():
        if size < command.size:
            state.epochs[size] = replace(epoch, note=b"")
    epoch = state.epochs[command.size]
    state.epochs[command.size] = replace(epoch, note=command.note, published=True)


def evidence(state: State, query: port.ReadEvidence) -> list[bytes]:
    return sorted(state.evidence, key=lambda note: state.evidence[note])


def keep_evidence(state: State, command: port.KeepEvidence) -> None:
    state.evidence.setdefault(command.note, command.now_ms)


def _newest_leaf(state: State, user: int, size: int = 2**62) -> Leaf | None:
    leaves = [leaf for leaf in state.leaves if leaf.user == user and leaf.place < size]
    return max(leaves, key=lambda leaf: leaf.version, default=None)


def newest_leaves(state: State, query: port.NewestLeaves) -> list[tuple[Label, Leaf]]:
    users = sorted(user for user in state.labels if user > query.after)
    found = [(state.labels[user], _newest_leaf(state, user)) for user in users]
    return [(label, leaf) for label, leaf in found if leaf is not None][: query.limit]


def leaves_between(state: State, query: port.LeavesBetween) -> list[tuple[Address, Leaf]]:
    leaves = sorted(
        (leaf for leaf in state.leaves if query.start <= leaf.place < query.end),
        key=lambda leaf: leaf.place,
    )
    return [(Address(state.users[leaf.user].address), leaf) for leaf in leaves[: query.limit]]


# --- The next epoch ----------------------------------------------------------------------------


def waiting_statements(state: State, query: port.WaitingStatements) -> list[WaitingStatement]:
    found = [
        WaitingStatement(number, state.labels[user], _version(state, user), statement)
        for (user, _), (number, statement) in state.chains.items()
        if statement.place is None and number > query.after
    ]
    return sorted(found, key=lambda row: row.number)[: query.limit]


def _version(state: State, user: int) -> int:
    leaf = _newest_leaf(state, user)
    return 0 if leaf is None else leaf.version


def waiting_records(state: State, query: port.WaitingRecords) -> list[WaitingRecord]:
    numbers = sorted(number for number in state.records if number > query.after)
    return [state.records[number] for number in numbers[: query.limit]]


def add_record(state: State, command: port.AddRecord) -> None:
    number = max(state.records, default=0) + 1
    state.records[number] = WaitingRecord(number, command.kind, command.body)


def drop(state: State, command: port.DropStatements) -> None:
    user = user_of(state, command.address)
    if user is None:
        return
    for key, (_, statement) in list(state.chains.items()):
        if key[0] == user and key[1] >= command.seq and statement.place is None:
            del state.chains[key]
    last = max((seq for owner, seq in state.chains if owner == user), default=0)
    state.certificates[user] = [
        (seq, data)
        for seq, data in state.certificates.get(user, [])
        if seq < command.seq or seq <= last
    ]
    _keep_compatible(state, user, lambda seq: seq < command.seq or seq <= last)


def forget_certificates(state: State, command: port.ForgetCertificates) -> None:
    for user, below in command.published:
        known = state.certificates.get(user, [])
        newest = max((seq for seq, _ in known if seq <= below), default=0)
        state.certificates[user] = [(seq, data) for seq, data in known if seq >= newest]
        seqs = [seq for seq, _, _ in state.compatible.get(user, []) if seq <= below]
        _keep_compatible(state, user, partial(operator.le, max(seqs, default=0)))


def _keep_compatible(state: State, user: int, keep: Callable[[int], bool]) -> None:
    kept = [row for row in state.compatible.pop(user, []) if keep(row[0])]
    if kept:
        state.compatible[user] = kept


# --- Chains ------------------------------------------------------------------------------------


def find_leaves(state: State, query: port.FindLeaves) -> list[tuple[Label | None, Leaf | None]]:
    found: list[tuple[Label | None, Leaf | None]] = []
    for address in query.addresses:
        user = user_of(state, address)
        label = None if user is None else state.labels.get(user)
        leaf = None if label is None else _newest_leaf(state, label.user, query.size)
        found.append((label, leaf))
    return found


def _statements(state: State, user: int, after: int) -> list[StoredStatement]:
    seqs = sorted(seq for owner, seq in state.chains if owner == user and seq > after)
    return [state.chains[user, seq][1] for seq in seqs]


def _end(state: State, place: int) -> int:
    end = min((size for size in state.epochs if size > place), default=None)
    if end is None:
        raise DamageError(f"entry {place} of the ledger belongs to no epoch")
    return end


def read_chain(state: State, query: port.ReadChain) -> StoredChain | None:
    user = user_of(state, query.address)
    if user is None:
        return None
    statements = _statements(state, user, query.after)
    heads = tuple(
        (row.seq, state.entries[_end(state, row.place) - 1])
        for row in statements
        if row.kind in LOGGED_KINDS and row.place is not None
    )
    devices = [device for device in state.devices.values() if device.user == user]
    waits = any(device.standing == Standing.PENDING for device in devices)
    return StoredChain(tuple(statements), heads, waits, state.users[user].pin)


def read_published_chain(state: State, query: port.ReadPublishedChain) -> PublishedChain | None:
    ((label, leaf),) = find_leaves(state, port.FindLeaves((query.address,), query.size))
    if label is None or leaf is None:
        return None
    rows = [row for row in _statements(state, label.user, 0) if row.seq <= leaf.seq]
    logged = [
        _logged(state, label.user, row)
        for row in rows
        if row.kind in LOGGED_KINDS and row.place is not None
    ]
    wanted = [row.statement for row in rows if row.seq > query.after]
    fitting: list[bytes] = []
    for statement in wanted:
        if fitting and sum(map(len, fitting)) + len(statement) > query.max_bytes:
            break
        fitting.append(statement)
    known = [data for seq, data in state.certificates.get(label.user, []) if seq <= leaf.seq]
    return PublishedChain(
        label,
        tuple(fitting),
        len(fitting) < len(wanted),
        tuple(logged),
        known[-1] if known else None,
        _compatible(state, label.user, leaf.seq),
    )


def _compatible(state: State, user: int, seq: int) -> bytes:
    known = [row[1] for row in state.compatible.get(user, []) if row[0] <= seq]
    return known[-1] if known else b""


def _logged(state: State, user: int, row: StoredStatement) -> LoggedStatement:
    leaf = next((leaf for leaf in state.leaves if (leaf.user, leaf.seq) == (user, row.seq)), None)
    if leaf is None:
        raise DamageError("a published statement has no entry in the ledger")
    end = _end(state, leaf.place)
    return LoggedStatement(row.seq, leaf, state.entries[leaf.place], end, state.entries[end - 1])


def read_resets(state: State, query: port.ReadResets) -> list[tuple[int, Address, DeviceId]]:
    found = [
        (number, Address(state.users[device.user].address), DeviceId(device.id))
        for number, device in sorted(state.devices.items())
        if device.standing == Standing.PENDING and number > query.after
    ]
    return found[: query.limit]


def is_stored(state: State, change: Change) -> bool:
    user = user_of(state, change.address)
    rows = [] if user is None else _statements(state, user, 0)
    at = {row.seq: row.head for row in rows} | ({0: change.head} if change.after == 0 else {})
    if at.get(change.after) != change.head:
        raise ConflictError(OVERTAKEN)
    behind = [(row.seq, row.head) for row in rows if row.seq > change.after]
    mine = [(row.seq, row.head) for row in change.statements]
    if behind and behind[: len(mine)] != mine:
        raise ConflictError(OVERTAKEN)
    return bool(behind)


def add_device(state: State, user: int, device: NewDevice) -> int:
    count = sum(known.user == user for known in state.devices.values())
    if count >= MAX_DEVICES_PER_USER and device.standing is Standing.LIVE:
        raise ForbiddenError(f"the user has {count} devices, the maximum: remove one first")
    if any(known.id == device.id for known in state.devices.values()):
        raise ForbiddenError("this device was activated before, by another code")
    number = next_number(state, "devices", *state.devices)
    state.devices[number] = Device(device.id, user, device.identity_key, device.standing.value)
    return number


def remove_devices(state: State, user: int, devices: list[DeviceId]) -> None:
    for number, known in list(state.devices.items()):
        if known.user == user and known.id in devices:
            del state.devices[number]
            for key in sorted(key for key in state.parcels if key[0] == number)[
                :MAX_REMOVED_PARCELS
            ]:
                del state.parcels[key]
            state.key_packages.pop(number, None)
            state.last_resort.pop(number, None)


def _rename(state: State, user: int, old: DeviceId, device: NewDevice) -> None:
    taken = any(known.id == device.id for known in state.devices.values())
    if device.id != old and taken:
        raise ForbiddenError("there is a device with these keys already")
    for known in state.devices.values():
        if known.id == old and known.user == user:
            known.id, known.identity_key = device.id, device.identity_key


def store_change(state: State, command: port.StoreChange) -> bool:
    change = command.change
    if is_stored(state, change):
        return False
    user = user_of(state, change.address)
    if user is None:
        raise AbsentError("there is no such user")
    for device in change.devices:
        add_device(state, user, device)
    for old, device in change.renamed:
        _rename(state, user, old, device)
    remove_devices(state, user, list(change.removed))
    if change.label is not None:
        state.labels[user] = replace(change.label, user=user)
    for row in change.statements:
        state.chains[user, row.seq] = (next_number(state, "chains"), row)
    if change.certificate is not None:
        known = state.certificates.setdefault(user, [])
        known.append((change.certificate_seq, change.certificate))
    if change.compatible is not None:
        new = change.compatible
        rows = state.compatible.setdefault(user, [])
        rows.append((new.seq, new.certificate, new.copies))
    return True


def remove_device(state: State, command: port.RemoveDevice) -> None:
    user = user_of(state, command.address)
    if user is not None:
        remove_devices(state, user, [command.device])


def settle(state: State, command: port.SettleReset) -> list[DeviceId]:
    user = user_of(state, command.address)
    if user is None:
        raise AbsentError("there is no such user")
    devices = [device for device in state.devices.values() if device.user == user]
    gone = [DeviceId(device.id) for device in devices if device.id != command.device]
    remove_devices(state, user, gone)
    known = state.certificates.get(user, [])
    state.certificates[user] = [(seq, data) for seq, data in known if seq >= command.seq]
    _keep_compatible(state, user, lambda seq: seq >= command.seq)
    for device in state.devices.values():
        if device.id == command.device:
            device.standing = Standing.LIVE.value
    return gone


COMMANDS = {
    port.AppendEpoch: append,
    port.PublishEpoch: publish,
    port.KeepEvidence: keep_evidence,
    port.AddRecord: add_record,
    port.DropStatements: drop,
    port.ForgetCertificates: forget_certificates,
    port.StoreChange: store_change,
    port.RemoveDevice: remove_device,
    port.SettleReset: settle,
}
QUERIES = {
    port.ReadEntries: read_entries,
    port.ReadCheckpoints: checkpoints,
    port.ReadRoots: roots,
    port.NewestConfig: newest_config,
    port.ReadEvidence: evidence,
    port.NewestLeaves: newest_leaves,
    port.LeavesBetween: leaves_between,
    port.WaitingStatements: waiting_statements,
    port.WaitingRecords: waiting_records,
    port.FindLeaves: find_leaves,
    port.ReadChain: read_chain,
    port.ReadPublishedChain: read_published_chain,
    port.ReadResets: read_resets,
}
