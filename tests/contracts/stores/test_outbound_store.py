"""What every store of outbound mail keeps to (`ports.outbound.queue`)."""

import pytest

from blackthorn.errors import AbsentError, ConflictError, StorageError
from blackthorn.ids import Address
from blackthorn.ports.mail import MailPiece, PiecedMail, SealedMail, StorePieces
from blackthorn.ports.markets import MoveUser
from blackthorn.ports.outbound.queue import (
    CountQueue,
    DropMail,
    DueDeliveries,
    DueDomain,
    DueDomains,
    FindSubmission,
    FinishDelivery,
    ListQueue,
    PostponeDelivery,
    PurgeSubmissions,
    QueueMail,
    ReadQueued,
    RetryMail,
    Route,
)
from tests.contracts.stores.conftest import Store

DAY = 86_400_000


@pytest.fixture(autouse=True)
def people(store: Store) -> None:
    store.add_people(2)


def queue(
    number: int, *domains: str, user: int = 1, at: int = 100, token: bytes = b""
) -> QueueMail:
    routes = tuple(Route(domain, f"to {domain}".encode()) for domain in domains)
    return QueueMail(number, SealedMail(user, b"sealed"), routes, at, token)


def due(store: Store, domain: str, now: int = 100) -> list[int]:
    return [delivery.number for delivery in store.ask(DueDeliveries(domain, now, 9))]


def domains(store: Store, now: int = 100, after: str = "") -> list[str]:
    return [found.domain for found in store.ask(DueDomains(now, after, 9))]


def test_a_mail_is_due_for_each_domain_until_the_last_is_finished(store: Store) -> None:
    store.submit(queue(7, "b.example", "a.example"))
    assert domains(store) == ["a.example", "b.example"]
    assert domains(store, 99) == [] and domains(store, after="a.example") == ["b.example"]
    (delivery,) = store.ask(DueDeliveries("a.example", 100, 9))
    assert (delivery.mail, delivery.user, delivery.tries) == (7, "u1@acme.example", 0)
    assert (delivery.envelope, delivery.size, delivery.queued_ms) == (b"to a.example", 6, 100)
    store.submit(FinishDelivery(delivery.number))
    store.submit(FinishDelivery(delivery.number))
    assert domains(store) == ["b.example"] and store.ask(ReadQueued(7)) == b"sealed"
    store.submit(FinishDelivery(*due(store, "b.example")))
    assert store.ask(ReadQueued(7)) is None and store.ask(CountQueue()) == 0


def test_a_delivery_is_postponed_with_what_is_left_of_it(store: Store) -> None:
    store.submit(queue(7, "a.example"))
    (number,) = due(store, "a.example")
    store.submit(PostponeDelivery(number, 500, 1, True, b"less"))
    assert due(store, "a.example", 499) == [] and domains(store, 499) == []
    (delivery,) = store.ask(DueDeliveries("a.example", 500, 9))
    assert (delivery.tries, delivery.warned, delivery.envelope) == (1, True, b"less")
    store.submit(PostponeDelivery(99, 1, 1, False, b""))


def test_the_longest_due_comes_first(store: Store) -> None:
    store.submit_group(queue(1, "a.example", at=50), queue(2, "a.example", at=40))
    mails = [delivery.mail for delivery in store.ask(DueDeliveries("a.example", 100, 9))]
    assert mails == [2, 1]
    assert len(store.ask(DueDeliveries("a.example", 100, 1))) == 1


def test_the_administrator_retries_and_drops(store: Store) -> None:
    store.submit_group(queue(1, "a.example", "b.example", at=500), queue(2, "c.example", at=600))
    assert store.submit(RetryMail(1)) == 2 and store.submit(RetryMail(9)) == 0
    assert store.ask(DueDomains(100, "", 9)) == [
        DueDomain("a.example", at_once=True),
        DueDomain("b.example", at_once=True),
    ]
    assert store.submit(DropMail(2)) and not store.submit(DropMail(9))
    assert store.ask(DueDeliveries("c.example", 100, 9))[0].dropped
    listed = store.ask(ListQueue(0, 9))
    assert [(row.mail, row.domain) for row in listed] == [
        (1, "a.example"),
        (1, "b.example"),
        (2, "c.example"),
    ]
    assert store.ask(ListQueue(1, 1)) == listed[1:2]
    assert store.submit(RetryMail(None)) == 3


def test_a_token_is_one_mail_for_its_user(store: Store) -> None:
    token = bytes(16)
    store.submit(queue(1, "a.example", token=token))
    with pytest.raises(ConflictError):
        store.submit(queue(2, "a.example", token=token))
    store.submit(queue(3, "a.example", user=2, token=token, at=3 * DAY))
    assert [store.ask(FindSubmission(user, token)) for user in (1, 2)] == [1, 3]
    assert store.ask(ReadQueued(2)) is None
    assert store.submit(PurgeSubmissions(3, 9)) == 1
    assert [store.ask(FindSubmission(user, token)) for user in (1, 2)] == [None, 3]


def test_a_large_mail_lies_in_pieces(store: Store) -> None:
    for start in (0, 3):
        store.submit(StorePieces((MailPiece(1, 5, start, b"abc"),)))
    command = QueueMail(7, PiecedMail(1, 5, 6), (Route("a.example", b""),), 1, b"")
    store.submit(command)
    assert store.ask(ReadQueued(7)) == b"abcabc"
    assert store.ask(DueDeliveries("a.example", 1, 9))[0].size == 6
    with pytest.raises(AbsentError):
        store.submit(QueueMail(8, PiecedMail(1, 6, 6), (), 1, b""))
    store.submit(FinishDelivery(*due(store, "a.example")))
    assert store.ask(ReadQueued(7)) is None


def test_nothing_is_queued_for_a_deleted_user_or_a_destroyed_market(store: Store) -> None:
    with pytest.raises(AbsentError):
        store.submit(queue(1, "a.example", user=9))
    store.submit(queue(1, "a.example"))
    store.destroy_key("XX")
    with pytest.raises(StorageError, match="XX was destroyed"):
        store.submit(queue(2, "a.example"))
    with pytest.raises(StorageError, match="XX was destroyed"):
        store.ask(ReadQueued(1))
    with pytest.raises(StorageError, match="XX was destroyed"):
        store.ask(DueDeliveries("a.example", 100, 9))


def test_a_user_moves_with_their_queued_mail(store: Store) -> None:
    store.submit(queue(1, "a.example", "b.example"))
    while not store.submit(MoveUser(Address("u1@acme.example"), "YY", 1)):
        pass
    store.destroy_key("XX")
    assert store.ask(ReadQueued(1)) == b"sealed"
    assert store.ask(DueDeliveries("b.example", 100, 9))[0].envelope == b"to b.example"
