"""`ports.governance.exits` in memory."""

from dataclasses import replace

from blackthorn.ports.governance.exits import ExitPerson, FindExitPerson, NoteAct, NoteNotified
from tests.support.memory_store.state import State


def person(state: State, query: FindExitPerson) -> ExitPerson:
    known = state.exit_persons.get((query.exit, query.user))
    return known or ExitPerson(query.user, query.exit)


def change(state: State, user: int, exit_id: str, **values: object) -> None:
    before = person(state, FindExitPerson(user, exit_id))
    state.exit_persons[exit_id, user] = replace(before, **values)  # type: ignore[arg-type]


def first(state: State, user: int, exit_id: str, name: str, now_ms: int) -> None:
    known = getattr(person(state, FindExitPerson(user, exit_id)), name)
    change(state, user, exit_id, **{name: now_ms if known is None else known})


def notified(state: State, command: NoteNotified) -> None:
    first(state, command.user, command.exit, "notified_ms", command.now_ms)


def act(state: State, command: NoteAct) -> None:
    if command.act == "forward":
        change(state, command.user, command.exit, forward=command.value or None)
    elif command.act == "unreachable":
        change(state, command.user, command.exit, unreachable=bool(command.value))
    else:
        first(state, command.user, command.exit, f"{command.act}_ms", command.now_ms)


COMMANDS = {NoteNotified: notified, NoteAct: act}
QUERIES = {FindExitPerson: person}
