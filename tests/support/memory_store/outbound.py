"""`ports.outbound.queue` in memory."""

from itertools import groupby
from operator import attrgetter

from blackthorn.errors import AbsentError, ConflictError
from blackthorn.ids import Address
from blackthorn.ports.mail import PiecedMail
from blackthorn.ports.outbound.queue import (
    CountQueue,
    Delivery,
    DropMail,
    DueDeliveries,
    DueDomain,
    DueDomains,
    FindSubmission,
    FinishDelivery,
    ListQueue,
    PostponeDelivery,
    PurgeSubmissions,
    QueuedDelivery,
    QueueMail,
    ReadQueued,
    RetryMail,
)
from tests.support.memory_store.mail import check_key, joined
from tests.support.memory_store.state import Delivered, Queued, State


def queue(state: State, command: QueueMail) -> None:
    mail = command.mail
    user = state.users.get(mail.user)
    if user is None:
        raise AbsentError("the mail's user was deleted")
    key = (mail.user, command.token)
    if command.token and key in state.submissions:
        raise ConflictError("the mail was submitted before")
    check_key(state, user.market)
    sealed = joined(state, mail) if isinstance(mail, PiecedMail) else bytes(mail.sealed)
    state.queued[command.id] = Queued(mail.user, command.queued_ms, user.market, sealed)
    if command.token:
        state.submissions[key] = command.queued_ms // 86_400_000, command.id
    for route in command.routes:
        number = max(state.deliveries, default=0) + 1
        made = Delivered(command.id, route.domain, command.queued_ms, route.envelope)
        state.deliveries[number] = made


def postpone(state: State, command: PostponeDelivery) -> None:
    delivery = state.deliveries.get(command.number)
    if delivery is not None:
        check_key(state, state.queued[delivery.mail].market)
        delivery.next_ms, delivery.tries = command.next_ms, command.tries
        delivery.warned, delivery.envelope = command.warned, command.envelope


def finish(state: State, command: FinishDelivery) -> None:
    gone = state.deliveries.pop(command.number, None)
    if gone and all(other.mail != gone.mail for other in state.deliveries.values()):
        del state.queued[gone.mail]


def retry(state: State, command: RetryMail) -> int:
    found = [d for d in state.deliveries.values() if command.mail in (None, d.mail)]
    for delivery in found:
        delivery.next_ms = 0
    return len(found)


def drop(state: State, command: DropMail) -> bool:
    if command.mail not in state.queued:
        return False
    state.queued[command.mail].dropped = True
    return retry(state, RetryMail(command.mail)) > 0


def purge(state: State, command: PurgeSubmissions) -> int:
    old = [key for key, (day, _) in state.submissions.items() if day < command.day]
    for key in old[: command.limit]:
        del state.submissions[key]
    return len(old[: command.limit])


def find(state: State, query: FindSubmission) -> int | None:
    return state.submissions.get((query.user, query.token), (0, None))[1]


def due_domains(state: State, query: DueDomains) -> list[DueDomain]:
    rows = sorted(state.deliveries.values(), key=attrgetter("domain"))
    found = []
    for domain, group in groupby(rows, attrgetter("domain")):
        first = min(delivery.next_ms for delivery in group)
        if domain > query.after and first <= query.now_ms:
            found.append(DueDomain(domain, first == 0))
    return found[: query.limit]


def due(state: State, query: DueDeliveries) -> list[Delivery]:
    rows = sorted(state.deliveries.items(), key=lambda item: (item[1].next_ms, item[0]))
    found = []
    for number, row in rows:
        if row.domain == query.domain and row.next_ms <= query.now_ms:
            mail = state.queued[row.mail]
            check_key(state, mail.market)
            address = Address(state.users[mail.user].address)
            facts = (row.mail, row.domain, address, row.tries, mail.queued_ms, len(mail.sealed))
            found.append(Delivery(number, *facts, row.warned, mail.dropped, row.envelope))
    return found[: query.limit]


def read(state: State, query: ReadQueued) -> bytes | None:
    mail = state.queued.get(query.mail)
    if mail is None:
        return None
    check_key(state, mail.market)
    return mail.sealed


def listed(state: State, query: ListQueue) -> list[QueuedDelivery]:
    found = []
    for row in state.deliveries.values():
        mail = state.queued[row.mail]
        facts = (row.mail, row.domain, row.tries, mail.queued_ms, row.next_ms, len(mail.sealed))
        found.append(QueuedDelivery(*facts, mail.dropped))
    found.sort(key=attrgetter("queued_ms", "mail", "domain"))
    return found[query.skip : query.skip + query.limit]


COMMANDS = {
    QueueMail: queue,
    PostponeDelivery: postpone,
    FinishDelivery: finish,
    RetryMail: retry,
    DropMail: drop,
    PurgeSubmissions: purge,
}
QUERIES = {
    FindSubmission: find,
    DueDomains: due_domains,
    DueDeliveries: due,
    ReadQueued: read,
    ListQueue: listed,
    CountQueue: lambda state, query: len(state.deliveries),
}
