"""`ports.governance.cases` in memory."""

from dataclasses import replace

from blackthorn.ids import Address
from blackthorn.ports.governance.cases import (
    ListDecisionEntries,
    ListDecisions,
    ListFounders,
    ListPendingDecisions,
    MarkDisclosed,
    PendingDecision,
    ProposeDecision,
    StoredDecision,
    StoreDecision,
)
from tests.support.memory_store.state import State

KINDS = (0x12, 0x13, 0x15)


def decisions(state: State, query: ListDecisions) -> list[StoredDecision]:
    rows = sorted(state.decisions, key=lambda row: row.number)
    return [row for row in rows if row.number > query.after][: query.limit]


def pending(state: State, query: ListPendingDecisions) -> list[PendingDecision]:
    return sorted(state.pending.values(), key=lambda row: row.since_ms)


def founders(state: State, query: ListFounders) -> list[Address]:
    return sorted(Address(state.users[number].address) for number in state.founders)


def entries(state: State, query: ListDecisionEntries) -> list[tuple[int, bytes]]:
    found = [
        (place, entry)
        for place, entry in sorted(state.entries.items())
        if place > query.after and entry[0] in KINDS
    ]
    return found[: query.limit]


def store(state: State, command: StoreDecision) -> None:
    decision = command.decision
    places = [(row.case, row.seq) for row in state.decisions]
    assert (decision.case, decision.seq) not in places
    assert decision.number not in [row.number for row in state.decisions]
    state.decisions.append(decision)
    state.pending.pop(decision.case, None)
    if decision.case == "officers":
        state.founders.clear()


def mark_disclosed(state: State, command: MarkDisclosed) -> None:
    state.decisions = [
        replace(row, sealed=False) if (row.case, row.seq) in command.decisions else row
        for row in state.decisions
    ]


def propose(state: State, command: ProposeDecision) -> None:
    earlier = state.pending.get(command.pending.case)
    command.check(b"" if earlier is None else earlier.signed)
    state.pending[command.pending.case] = command.pending


COMMANDS = {StoreDecision: store, MarkDisclosed: mark_disclosed, ProposeDecision: propose}
QUERIES = {
    ListDecisions: decisions,
    ListPendingDecisions: pending,
    ListFounders: founders,
    ListDecisionEntries: entries,
}
