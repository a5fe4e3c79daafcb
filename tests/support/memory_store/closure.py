"""`ports.governance.closure` in memory."""

import hashlib
from dataclasses import replace
from typing import Any

from blackthorn.errors import ConflictError
from blackthorn.ids import Address
from blackthorn.ports.governance.closure import (
    AddReceipts,
    AdvanceClosure,
    BeginClosure,
    CheckReceipts,
    Closure,
    CountMoved,
    DropClosure,
    FindReceipts,
    ForgetPersons,
    HashStatement,
    ListAddresses,
    ListClosures,
    ListLeaves,
    ListPersons,
    ListSamples,
    NoteKeyDestroyed,
    Person,
    Phase,
    PurgeRows,
    ReadStatement,
    ReceiptCheck,
    RemembersPersons,
    SetRoot,
    StoredReceipt,
    StoreStatement,
)
from blackthorn.ports.governance.exits import FindExitPerson
from tests.support.memory_store.exits import person as exit_person
from tests.support.memory_store.state import State

COUNTED = ("users", "notified", "read", "exported", "moved", "forwarded", "unreachable")


# --- Queries --------------------------------------------------------------------------------


def persons(state: State, query: ListPersons) -> list[Person]:
    closure = query.closure
    found: list[Person] = []
    for number, user in sorted(state.users.items()):
        known = exit_person(state, FindExitPerson(number, closure.exit))
        here = user.market == closure.market
        if number <= closure.cursor or not (here or known.moved_ms is not None):
            continue
        mails = [mail.sealed for (owner, _), mail in sorted(state.mails.items()) if owner == number]
        devices = [key for key, device in state.devices.items() if device.user == number]
        parcels = [place for place in state.parcels if place[0] in devices]
        person = Person(
            number,
            Address(user.address),
            known.notified_ms is not None,
            known.read_ms is not None,
            known.exported_ms is not None,
            known.moved_ms is not None,
            known.forward is not None,
            known.unreachable,
            len(mails) if here else 0,
            len(parcels) if here else 0,
            mails[0] if here and mails and query.samples else None,
        )
        found.append(person)
    return found[: query.limit]


def addresses(state: State, query: ListAddresses) -> list[Address]:
    market = sorted(user.address for user in state.users.values() if user.market == query.market)
    return [Address(each) for each in market if each > query.after][: query.limit]


def check(state: State, query: CheckReceipts) -> ReceiptCheck:
    users = sorted(number for number, user in state.users.items() if user.market == query.market)
    page = [number for number in users if number > query.after][: query.limit]
    held = {user for (exit_id, _), (user, _, _) in state.receipts.items() if exit_id == query.exit}
    after = page[-1] if len(page) == query.limit else None
    return ReceiptCheck(all(number in held for number in page), after)


def moved(state: State, query: CountMoved) -> int:
    rows = [row for (exit_id, _), row in state.exit_persons.items() if exit_id == query.exit]
    return sum(row.moved_ms is not None for row in rows)


def leaves(state: State, query: ListLeaves) -> list[bytes]:
    rows = sorted(
        (place, row) for (name, place), row in state.receipts.items() if name == query.exit
    )
    return [row[2] for place, row in rows if place >= query.start][: query.limit]


def receipts(state: State, query: FindReceipts) -> list[StoredReceipt]:
    return [
        StoredReceipt(exit_id, place, data)
        for (exit_id, place), (user, data, _) in state.receipts.items()
        if state.users[user].address == query.address
    ]


def remembers(state: State, query: RemembersPersons) -> bool:
    return any(name == query.exit for name, _ in [*state.exit_persons, *state.receipts])


# --- Commands -------------------------------------------------------------------------------


def check_place(state: State, closure: Closure) -> None:
    known = state.closures.get(closure.exit)
    seen = (closure.phase, closure.cursor, closure.mails, closure.parcels)
    if known is None or (known.phase, known.cursor, known.mails, known.parcels) != seen:
        raise ConflictError(f"the closure {closure.exit} has moved on")


def step(state: State, closure: Closure, phase: Phase, **values: Any) -> None:
    check_place(state, closure)
    known = state.closures[closure.exit]
    state.closures[closure.exit] = replace(known, phase=phase, **values)


def begin(state: State, command: BeginClosure) -> None:
    counts = dict.fromkeys((*COUNTED, "held"), 0)
    state.closures.setdefault(
        command.exit,
        Closure(
            command.exit,
            command.market,
            Phase.RECEIPTS,
            0,
            command.now_ms,
            counts,
            None,
            command.fingerprint,
            0,
            0,
            None,
        ),
    )


def add(state: State, command: AddReceipts) -> None:
    exit_id, start = command.closure.exit, command.closure.counts["users"]
    phase = Phase.RECEIPTS if command.receipts else Phase.ROOT
    counts = {name: command.counts[name] for name in COUNTED} | {"held": 0}
    step(state, command.closure, phase, cursor=command.cursor, counts=counts)
    for place, new in enumerate(command.receipts, start):
        assert (exit_id, place) not in state.receipts
        state.receipts[exit_id, place] = (new.user, new.receipt, new.leaf)
    state.samples.setdefault(exit_id, []).extend(command.samples)


def purge(state: State, command: PurgeRows) -> None:
    closure = command.closure
    check_place(state, closure)
    cursor, room, counts = closure.cursor, command.limit, [closure.mails, closure.parcels]
    while room > 0:
        users = sorted(n for n, user in state.users.items() if user.market == closure.market)
        user = next((number for number in users if number > cursor), None)
        if user is None:
            values = {"cursor": 0, "mails": counts[0], "parcels": counts[1]}
            step(state, closure, command.following, **values)
            return
        devices = {key for key, device in state.devices.items() if device.user == user}
        mails = [key for key in state.mails if key[0] == user][:room]
        parcels = [key for key in state.parcels if key[0] in devices][: room - len(mails)]
        for mail in mails:
            del state.mails[mail]
        for parcel in parcels:
            del state.parcels[parcel]
        counts = [counts[0] + len(mails), counts[1] + len(parcels)]
        left = room - len(mails) - len(parcels)
        packages = 0
        for device in devices if left else ():
            stock = state.key_packages.get(device, [])
            del stock[: left - packages]
            packages += 0 if stock else 1
        room = left - 1
        if left > 0:
            cursor = user
    step(state, closure, closure.phase, cursor=cursor, mails=counts[0], parcels=counts[1])


def drop_receipts(state: State, exit_id: str, limit: int) -> int:
    found = [key for key in state.receipts if key[0] == exit_id][:limit]
    for key in found:
        del state.receipts[key]
    return len(found)


def drop(state: State, command: DropClosure) -> None:
    exit_id = command.closure.exit
    check_place(state, command.closure)
    if any(row.case == exit_id and row.seq > command.seq for row in state.decisions):
        raise ConflictError(f"the exit {exit_id} has moved on")
    if drop_receipts(state, exit_id, command.limit) == command.limit:
        step(state, command.closure, Phase.DROP)
        return
    state.samples.pop(exit_id, None)
    del state.closures[exit_id]


def forget(state: State, command: ForgetPersons) -> None:
    found = [key for key in state.exit_persons if key[0] == command.exit][: command.limit]
    for key in found:
        del state.exit_persons[key]
    drop_receipts(state, command.exit, command.limit)


def store_statement(state: State, command: StoreStatement) -> None:
    step(state, command.closure, Phase.DESTROYED)
    state.statements[command.closure.exit] = command.statement


def statement(state: State, query: ReadStatement | HashStatement) -> bytes:
    return state.statements.get(query.exit, b"")


COMMANDS = {
    BeginClosure: begin,
    AddReceipts: add,
    SetRoot: lambda state, c: step(state, c.closure, Phase.READY, root=c.root),
    AdvanceClosure: lambda state, c: step(state, c.closure, c.phase, cursor=0),
    PurgeRows: purge,
    NoteKeyDestroyed: lambda state, c: step(
        state, c.closure, Phase.SWEEP, cursor=0, destroyed_ms=c.destroyed_ms
    ),
    StoreStatement: store_statement,
    DropClosure: drop,
    ForgetPersons: forget,
}
QUERIES = {
    ListClosures: lambda state, query: [state.closures[name] for name in sorted(state.closures)],
    ReadStatement: statement,
    HashStatement: lambda state, query: hashlib.sha256(statement(state, query)).digest(),
    ListPersons: persons,
    ListAddresses: addresses,
    CheckReceipts: check,
    CountMoved: moved,
    ListLeaves: leaves,
    FindReceipts: receipts,
    ListSamples: lambda state, query: list(state.samples.get(query.exit, [])),
    RemembersPersons: remembers,
}
