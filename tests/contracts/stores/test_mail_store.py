"""What every store of sealed mail keeps to (`ports.mail`)."""

import pytest

from blackthorn.errors import AbsentError, DiskError, StorageError
from blackthorn.ports.mail import (
    ListMail,
    MailHead,
    MailPart,
    ReadMail,
    SealedMail,
    StoreMail,
    UsedByMail,
)
from blackthorn.ports.notices import FindNoticeState, NoteNotice
from blackthorn.ports.store import Then
from tests.contracts.stores.conftest import FULL_DISK, Store


@pytest.fixture(autouse=True)
def people(store: Store) -> None:
    store.add_people(3)


def mail(user: int, *sealed: bytes, at: int = 1) -> StoreMail:
    return StoreMail(tuple(SealedMail(user, each) for each in sealed), at)


def uids(store: Store, user: int) -> list[int]:
    return [head.uid for head in store.ask(ListMail(user, 0, 100))]


def test_uids_rise_within_a_user(store: Store) -> None:
    mails = (SealedMail(1, b"a"), SealedMail(2, b"b"), SealedMail(1, bytearray(b"cc")))
    assert store.submit(StoreMail(mails, 1)) == [1, 1, 2]
    assert store.submit(mail(1, b"d", at=7)) == [3]
    heads = [MailHead(1, 1, 1), MailHead(2, 2, 1), MailHead(3, 1, 7)]
    assert store.ask(ListMail(1, 0, 10)) == heads
    assert store.ask(ListMail(1, 1, 1)) == heads[1:2]
    assert store.ask(ListMail(3, 0, 10)) == []


def test_the_mail_of_a_user_is_counted(store: Store) -> None:
    assert store.ask(UsedByMail(1)) == 0
    store.submit(mail(1, b"a", b"bb"))
    store.submit(mail(2, b"cccc"))
    assert [store.ask(UsedByMail(user)) for user in (1, 2, 3)] == [3, 4, 0]


@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_000])
def test_a_mail_is_read_in_parts_by_its_owner(store: Store, size: int) -> None:
    sealed = bytes(n % 251 for n in range(1_000)) * (size // 1_000) + bytes(size % 1_000)
    store.submit(mail(1, sealed))
    found = b""
    while True:
        part = store.ask(ReadMail(1, 1, len(found), 500_000))
        assert part is not None and part.size == size
        found += part.data
        if not part.data:
            break
    assert found == sealed
    assert store.ask(ReadMail(1, 1, 2**40, 10)) == MailPart(size, b"")
    assert store.ask(ReadMail(1, 2, 0, 10)) is None
    assert store.ask(ReadMail(2, 1, 0, 10)) is None


def test_all_mails_of_a_command_are_stored_or_none(store: Store) -> None:
    with pytest.raises(AbsentError, match="was deleted"):
        store.submit(StoreMail((SealedMail(1, b"a"), SealedMail(9, b"b")), 1))
    assert uids(store, 1) == []
    assert store.submit(mail(1, b"c")) == [1]


def test_nothing_is_stored_or_read_without_the_key_of_the_market(store: Store) -> None:
    store.submit(mail(1, b"a"))
    store.destroy_key("XX")
    with pytest.raises(StorageError, match="XX was destroyed"):
        store.submit(mail(1, b"b"))
    with pytest.raises(StorageError, match="XX was destroyed"):
        store.ask(ReadMail(1, 1, 0, 1))
    assert uids(store, 1) == [1]


def test_a_mail_and_the_note_of_its_notice_are_kept_together(store: Store) -> None:
    note = NoteNotice("X-PK-1", 3, 1, 5)
    assert store.submit(Then(note, mail(1, b"a"))) == [1]
    assert store.ask(FindNoticeState("X-PK-1", 3, 1)).notified
    with pytest.raises(AbsentError):
        store.submit(Then(NoteNotice("X-PK-1", 3, 2, 5), mail(9, b"a")))
    assert not store.ask(FindNoticeState("X-PK-1", 3, 2)).notified


def test_one_bad_command_of_a_group_fails_alone(store: Store) -> None:
    outcomes = store.submit_group(mail(1, b"a"), mail(9, b"b"), mail(1, b"c"))
    assert outcomes[0] == [1] and outcomes[2] == [2]
    assert isinstance(outcomes[1], AbsentError)


def test_a_failed_commit_gives_no_uid_away(store: Store) -> None:
    broken = DiskError("the disk failed")
    store.fail(broken)
    assert store.submit_group(mail(1, b"a"), mail(2, b"b")) == [broken, broken]
    store.fail(None)
    assert uids(store, 1) == [] and store.submit(mail(1, b"c")) == [1]


def test_a_full_disk_refuses_keeps_what_there_is_and_heals(store: Store) -> None:
    store.submit(mail(1, b"a"))
    store.fill_disk()
    with pytest.raises(DiskError, match=FULL_DISK):
        store.submit(mail(1, bytes(2_000_000)))
    assert uids(store, 1) == [1]
    store.heal_disk()
    assert store.submit(mail(1, bytes(2_000_000))) == [2]


def test_what_was_durable_when_the_answer_was_lost_is_there(store: Store) -> None:
    store.submit_unanswered(mail(1, b"a"))
    assert store.ask(ReadMail(1, 1, 0, 9)) == MailPart(1, b"a")
    assert store.submit(mail(1, b"a")) == [2]
