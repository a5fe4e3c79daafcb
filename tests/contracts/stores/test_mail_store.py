"""What every store of sealed mail keeps to (`ports.mail`)."""

import pytest

from blackthorn.errors import AbsentError, DiskError, StorageError
from blackthorn.ids import Address
from blackthorn.ports.governance.notices import FindNoticeState, NoteNotice
from blackthorn.ports.mail import (
    CountMail,
    DeleteMail,
    ListMail,
    MailHead,
    MailPart,
    MailPiece,
    PiecedMail,
    ReadMail,
    RemovePieces,
    SealedMail,
    StoreMail,
    StorePieces,
    UsedByMail,
)
from blackthorn.ports.markets import MoveUser
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


def test_copies_for_other_programs_are_listed_by_themselves_and_counted(store: Store) -> None:
    large = b"x" * 70_000
    store.submit(StorePieces((MailPiece(1, 77, 0, large),)))
    mails = (SealedMail(1, b"a"), SealedMail(1, b"bb", True), PiecedMail(1, 77, len(large), True))
    assert store.submit(StoreMail(mails, 1)) == [1, 2, 3]
    assert store.ask(ListMail(1, 0, 10)) == [MailHead(1, 1, 1)]
    copies = store.ask(ListMail(1, 0, 10, compatible=True))
    assert copies == [MailHead(2, 2, 1), MailHead(3, len(large), 1)]
    assert store.ask(UsedByMail(1)) == 3 + len(large)


def test_a_mail_is_deleted_with_its_copy_and_its_pieces(store: Store) -> None:
    large = b"x" * 70_000
    store.submit(StorePieces((MailPiece(1, 77, 0, large),)))
    mails = (SealedMail(1, b"a"), SealedMail(1, b"bb", True), PiecedMail(1, 77, len(large)))
    assert store.submit(StoreMail(mails, 1)) == [1, 2, 3]
    store.submit(mail(1, b"dddd"))
    store.submit(mail(2, b"e"))
    assert store.ask(CountMail(1)) == 3
    assert store.submit(DeleteMail(1, 1)) == 3
    assert store.submit(DeleteMail(1, 1)) is None and store.submit(DeleteMail(2, 4)) is None
    assert store.submit(DeleteMail(1, 3)) == len(large)
    assert store.ask(ReadMail(1, 3, 0, 10)) is None and store.ask(UsedByMail(1)) == 4
    assert uids(store, 1) == [4] and store.ask(CountMail(1)) == 1
    assert store.submit(RemovePieces(frozenset(), 10)) < 10
    assert store.submit(mail(1, b"f")) == [5] and uids(store, 2) == [1]


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


# --- Pieces -------------------------------------------------------------------------------

PIECE, MAIL = 100_000, 7
SEALED = bytes(n % 251 for n in range(3 * PIECE + 5))


def pieces(user: int = 1, mail: int = MAIL, sealed: bytes = SEALED) -> list[StorePieces]:
    starts = range(0, len(sealed), PIECE)
    cut = [MailPiece(user, mail, start, sealed[start : start + PIECE]) for start in starts]
    return [StorePieces((piece,)) for piece in cut]


def row(user: int = 1, mail: int = MAIL, size: int = len(SEALED)) -> StoreMail:
    return StoreMail((PiecedMail(user, mail, size),), 5)


def remove(store: Store, *keep: int, limit: int = 9) -> int:
    return store.submit(RemovePieces(frozenset(keep), limit))


def test_a_mail_in_pieces_is_there_with_its_row_only(store: Store) -> None:
    for command in pieces():
        assert uids(store, 1) == [] and store.ask(UsedByMail(1)) == 0
        store.submit(command)
    assert store.ask(ReadMail(1, 1, 0, 9)) is None
    assert store.submit(row()) == [1]
    assert store.ask(ListMail(1, 0, 9)) == [MailHead(1, len(SEALED), 5)]
    assert store.ask(UsedByMail(1)) == len(SEALED)
    assert remove(store) == 0
    assert store.ask(ReadMail(1, 1, 0, 10**6)) == MailPart(len(SEALED), SEALED)


@pytest.mark.parametrize("offset", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 4])
@pytest.mark.parametrize("length", [1, 2, 70_000, PIECE, PIECE + 1, 2 * PIECE + 1])
def test_a_mail_in_pieces_is_read_from_any_offset(store: Store, offset: int, length: int) -> None:
    view = memoryview(SEALED)
    store.submit(StorePieces((MailPiece(1, MAIL, 0, view[:PIECE]),)))
    others = range(PIECE, len(SEALED), PIECE)
    rest = (MailPiece(1, MAIL, start, view[start : start + PIECE]) for start in others)
    store.submit(StorePieces(tuple(rest)))
    store.submit(row())
    found = store.ask(ReadMail(1, 1, offset, length))
    assert found == MailPart(len(SEALED), SEALED[offset : offset + length])
    assert store.ask(ReadMail(1, 1, len(SEALED), 9)) == MailPart(len(SEALED), b"")
    assert store.ask(ReadMail(2, 1, 0, 9)) is None


def test_each_recipient_has_pieces_of_their_own(store: Store) -> None:
    copies = {user: bytes([user]) * (PIECE + user) for user in (1, 2)}
    for first, second in zip(*(pieces(u, u + 70, copies[u]) for u in copies), strict=True):
        store.submit_group(first, second)
    mails = tuple(PiecedMail(user, user + 70, len(copies[user])) for user in copies)
    assert store.submit(StoreMail((*mails, SealedMail(3, b"small")), 5)) == [1, 1, 1]
    for user, sealed in copies.items():
        assert store.ask(ReadMail(user, 1, 0, 10**6)) == MailPart(len(sealed), sealed)


def test_a_mail_with_a_missing_piece_is_not_stored(store: Store) -> None:
    for command in pieces()[:-1]:
        store.submit(command)
    with pytest.raises(AbsentError, match="pieces of the mail were deleted"):
        store.submit(row())
    with pytest.raises(AbsentError, match="pieces of the mail were deleted"):
        store.submit(row(mail=8))
    assert uids(store, 1) == []
    store.submit(pieces()[-1])
    assert store.submit(row()) == [1]


def test_a_deleted_user_gets_no_pieces(store: Store) -> None:
    with pytest.raises(AbsentError, match="was deleted"):
        store.submit(pieces(user=9)[0])


def test_pieces_without_a_row_are_deleted_in_steps_and_others_kept(store: Store) -> None:
    for number in (7, 8, 9):
        for command in pieces(mail=number):
            store.submit(command)
    store.submit(row(mail=8))
    assert [remove(store, 9, limit=3) for _ in range(3)] == [3, 1, 0]
    with pytest.raises(AbsentError):
        store.submit(row(mail=7))
    assert store.submit(row(mail=9)) == [2], "it was being written"
    assert remove(store) == 0
    assert store.ask(ReadMail(1, 1, 0, 10**6)) == MailPart(len(SEALED), SEALED)
    assert store.ask(ReadMail(1, 2, 0, 10**6)) == MailPart(len(SEALED), SEALED)


def test_no_piece_is_stored_or_read_without_the_key_of_the_market(store: Store) -> None:
    for command in pieces():
        store.submit(command)
    store.submit(row())
    store.submit(pieces(mail=8)[0])
    store.destroy_key("XX")
    with pytest.raises(StorageError, match="XX was destroyed"):
        store.submit(pieces(mail=8)[1])
    with pytest.raises(StorageError, match="XX was destroyed"):
        store.ask(ReadMail(1, 1, PIECE, 1))
    assert remove(store) == 1, "what was given up is deleted without the key"


def test_a_mail_that_is_being_written_moves_with_its_user(store: Store) -> None:
    for command in pieces()[:2]:
        store.submit(command)
    move = MoveUser(Address("u1@acme.example"), "DE", 1)
    while not store.submit(move):
        pass
    for command in pieces()[2:]:
        store.submit(command)
    store.submit(row())
    while not store.submit(MoveUser(Address("u1@acme.example"), "FR", 1)):
        pass
    store.destroy_key("XX")
    store.destroy_key("DE")
    assert store.ask(ReadMail(1, 1, 0, 10**6)) == MailPart(len(SEALED), SEALED)


def test_a_full_disk_in_a_mail_leaves_pieces_that_can_be_deleted(store: Store) -> None:
    store.submit(pieces()[0])
    store.fill_disk()
    with pytest.raises(DiskError, match=FULL_DISK):
        store.submit(StorePieces((MailPiece(1, MAIL, PIECE, bytes(2_000_000)),)))
    store.heal_disk()
    assert remove(store) == 1
    assert uids(store, 1) == []
