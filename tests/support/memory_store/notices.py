"""`ports.governance.notices` in memory."""

from blackthorn.ids import Address
from blackthorn.ports.governance.notices import (
    Addressee,
    AddresseePage,
    FindAddressee,
    FindNoticeState,
    FindUnnotified,
    FindUnnotifiedOf,
    FindUnread,
    ListUndisclosedCases,
    NoteNotice,
    NoteNoticeRead,
    NoticeState,
    Unread,
)
from tests.support.memory_store.state import State


def people(state: State) -> list[Addressee]:
    return [
        Addressee(number, Address(user.address), user.market, user.language)
        for number, user in sorted(state.users.items())
    ]


def addressee(state: State, query: FindAddressee) -> Addressee | None:
    return next((each for each in people(state) if each.address == query.address), None)


def knows(state: State, case: str, user: int) -> bool:
    return any((name, number) == (case, user) for name, _, number in state.notices)


def unnotified(state: State, query: FindUnnotified) -> AddresseePage:
    market = [each for each in people(state) if each.market == query.market]
    page = [each for each in market if each.number > query.after][: query.limit]
    found = [
        each
        for each in page
        if (query.case, query.seq, each.number) not in state.notices
        and (not query.only_known or knows(state, query.case, each.number))
    ]
    return AddresseePage(found, page[-1].number if len(page) == query.limit else None)


def unnotified_of(state: State, query: FindUnnotifiedOf) -> list[Addressee]:
    found = (addressee(state, FindAddressee(address)) for address in query.addresses)
    return [
        each
        for each in found
        if each is not None and (query.case, query.seq, each.number) not in state.notices
    ]


def notice_state(state: State, query: FindNoticeState) -> NoticeState:
    key = (query.case, query.seq, query.user)
    read_ms = state.notices.get(key, (None, None))[1]
    known = knows(state, query.case, query.user)
    return NoticeState(key in state.notices, read_ms is not None, known)


def unread(state: State, query: FindUnread) -> Unread | None:
    person = addressee(state, FindAddressee(query.address))
    if person is None:
        return None
    cases = [
        case
        for (case, seq, user), (_, read_ms) in sorted(state.notices.items())
        if (seq, user, read_ms) == (0, person.number, None)
    ]
    return Unread(person, cases[:16])


def note(state: State, command: NoteNotice) -> None:
    key = (command.case, command.seq, command.user)
    sent_ms, read_ms = state.notices.get(key, (None, None))
    state.notices[key] = (command.sent_ms if sent_ms is None else sent_ms, read_ms)


def note_read(state: State, command: NoteNoticeRead) -> None:
    key = (command.case, command.seq, command.user)
    sent_ms, read_ms = state.notices.get(key, (None, None))
    state.notices[key] = (sent_ms, command.now_ms if read_ms is None else read_ms)


COMMANDS = {NoteNotice: note, NoteNoticeRead: note_read}
QUERIES = {
    FindAddressee: addressee,
    FindUnnotified: unnotified,
    FindUnnotifiedOf: unnotified_of,
    FindNoticeState: notice_state,
    FindUnread: unread,
    ListUndisclosedCases: lambda state, query: {row.case for row in state.decisions if row.sealed},
}
