"""Large mail beside messages: one piece a commit, in turns, and nothing left of one given up."""

import pytest

from blackthorn.errors import AbsentError, DiskError
from blackthorn.ports.mail import PiecedMail, StoreMail, StorePieces
from blackthorn.server.mail import limits
from blackthorn.server.mail.pieces import PieceWriter
from blackthorn.server.mail.quota import MailboxFullError
from blackthorn.server.mail.service import DiskRoom, MailFor
from tests.unit.server.test_mail_server import Room

PIECE = limits.MAIL_PIECE_BYTES
LARGE = bytes(range(256)) * (3 * PIECE // 256) + b"end"
FREE = 10**9
COMMITS = 5
"""Four of pieces, one of the row."""


@pytest.fixture
def room():
    room = Room()
    yield room
    room.database.close()


def stored(room: Room) -> tuple[int, int, int]:
    """Rows of mails, of pieces, and of mails begun."""
    reading = room.database.reading
    tables = ("mail", "mail_piece", "mail_begun")
    mails, pieces, begun = (reading.execute(f"SELECT count(*) FROM {name}").get for name in tables)
    return mails, pieces, begun


def sealed_bytes(room: Room) -> int:
    """Sealed bytes of mail in the commands that wait."""
    size = 0
    for command, _ in room.writer._waiting:
        if isinstance(command, StorePieces):
            size += sum(len(piece.sealed) for piece in command.pieces)
        elif isinstance(command, StoreMail):
            size += sum(len(m.sealed) for m in command.mails if not isinstance(m, PiecedMail))
    return size


def read(room: Room, uid: int) -> bytes:
    answers: list = []
    room.mail_service.read(room.alice, uid, 0, 10**9, answers.append)
    return answers[0].data


def test_other_mail_is_committed_between_the_pieces(room: Room) -> None:
    room.deliver(MailFor(room.alice, LARGE))
    for number in range(COMMITS):
        assert room.done == [[n + 1] for n in range(number)] and stored(room)[0] == number
        room.deliver(MailFor(room.alice, b"small"))
        assert sealed_bytes(room) <= PIECE + 5
        assert room.writer.commit() == 2
    assert room.done == [[n + 1] for n in range(COMMITS + 1)]
    assert stored(room) == (COMMITS + 1, COMMITS - 1, 0)
    assert read(room, COMMITS) == LARGE


def test_large_mails_take_turns_with_one_piece_in_a_commit(room: Room) -> None:
    room.deliver(MailFor(room.alice, LARGE), MailFor(room.bob, LARGE))
    room.deliver(MailFor(room.alice, bytes(limits.MAIL_AT_ONCE_BYTES + 1)))
    commits = 0
    while room.writer.waiting:
        assert sealed_bytes(room) <= PIECE
        room.writer.commit()
        commits += 1
        if commits == 4:
            assert room.done == [[1]], "the smaller one does not wait for the larger ones"
    assert room.done == [[1], [2, 1]] and stored(room)[2] == 0
    assert read(room, 2) == LARGE


def test_a_mail_to_many_is_bounded_as_one_large_mail_is(room: Room) -> None:
    room.quota.bytes = 10**9
    room.deliver(*[MailFor(room.alice, bytes([n]) * 20_000) for n in range(100)])
    commits = 0
    while room.writer.waiting:
        assert sealed_bytes(room) <= PIECE
        room.writer.commit()
        commits += 1
    assert commits == -(-97 * 20_000 // PIECE) + 1
    assert room.done == [list(range(1, 101))]
    assert [read(room, n + 1) for n in range(100)] == [bytes([n]) * 20_000 for n in range(100)]


@pytest.mark.parametrize("commits", range(COMMITS))
@pytest.mark.parametrize("told", [True, False])
def test_a_crash_at_any_moment_leaves_no_mail_and_its_pieces_are_deleted(
    room: Room, commits: int, told: bool
) -> None:
    room.deliver(MailFor(room.alice, b"small"))
    room.writer.commit()
    room.deliver(MailFor(room.alice, LARGE), MailFor(room.bob, LARGE))
    for _ in range(commits):
        room.writer.commit()
    if not told:
        room.writer.commit(told=False)
    room.writer.crash()
    assert room.done == [[1]] and stored(room)[0] == 1
    after = PieceWriter(writer=room.writer, random=bytes)
    done: list[object] = []
    after.remove(done.append)
    while room.writer.waiting:
        before = stored(room)[1]
        room.writer.commit()
        assert before - stored(room)[1] <= limits.REMOVED_PIECES
    assert done == [None] and stored(room) == (1, 0, 0)


def test_a_mail_whose_answer_was_lost_is_whole_after_a_crash(room: Room) -> None:
    room.deliver(MailFor(room.alice, LARGE))
    for _ in range(COMMITS - 1):
        room.writer.commit()
    room.writer.commit(told=False)
    room.writer.crash()
    PieceWriter(writer=room.writer, random=bytes).remove()
    room.commit()
    assert room.done == [] and stored(room) == (1, COMMITS - 1, 0)
    assert read(room, 1) == LARGE


@pytest.mark.parametrize("commits", range(COMMITS))
def test_a_failure_at_any_moment_is_told_and_leaves_nothing(room: Room, commits: int) -> None:
    room.check(1, 0)
    room.mail_service.room = DiskRoom(FREE)
    room.deliver(MailFor(room.alice, LARGE))
    for _ in range(commits):
        room.writer.commit()
    room.writer.fail(DiskError("the disk is full"))
    room.writer.commit()
    room.writer.fail(None)
    (error,) = room.done
    assert isinstance(error, DiskError)
    room.commit()
    assert stored(room) == (0, 0, 0) and room.mail_service.pieces.unfinished == set()
    assert room.quota._mailboxes[1].used == 0 and room.mail_service.room.free == FREE
    room.deliver(MailFor(room.alice, LARGE))
    room.commit()
    assert room.done[1:] == [[1]], "later mails are not kept waiting"


@pytest.mark.parametrize("commits", range(COMMITS))
def test_mails_added_in_steps_are_stored_together_or_not_at_all(room: Room, commits: int) -> None:
    """Given up at any moment, also by a client that hangs up while a piece is written."""
    room.mail_service.room = DiskRoom(FREE)
    for whole in (False, True):
        storing = room.mail_service.begin()
        room.quota.check(1, 0, lambda _: None)
        storing.add([MailFor(room.alice, b"small")], room.done.append)
        storing.add([MailFor(room.bob, LARGE)], room.done.append)
        if not whole:
            for _ in range(commits):
                room.writer.commit()
            storing.close()
            room.commit()
            assert stored(room) == (0, 0, 0) and room.mail_service.pieces.unfinished == set()
            assert room.quota._mailboxes[1].used == 0 and room.mail_service.room.free == FREE
            room.done.clear()
        else:
            room.commit()
            assert stored(room)[0] == 0
            storing.commit(room.done.append)
            storing.close()
            room.commit()
            assert room.done == [None, None, [1, 1]] and stored(room)[0] == 2
            assert room.mail_service.room.free == FREE - 2 * (len(b"small") + len(LARGE))


def test_a_mail_given_up_after_the_disk_was_measured_gives_no_room_back(room: Room) -> None:
    room.mail_service.room = DiskRoom(FREE)
    storing = room.mail_service.begin()
    storing.add([MailFor(room.alice, LARGE)], room.done.append)
    room.mail_service.room = DiskRoom(1_000)
    room.commit()
    storing.close()
    assert room.done == [None] and room.mail_service.room.free == 1_000


def test_the_purge_leaves_mails_that_are_being_written(room: Room) -> None:
    room.deliver(MailFor(room.alice, LARGE))
    for _ in range(COMMITS):
        room.mail_service.pieces.remove()
        room.writer.commit()
    assert room.done == [[1]] and read(room, 1) == LARGE


def test_a_mail_whose_pieces_went_with_its_market_is_not_stored(room: Room) -> None:
    room.deliver(MailFor(room.alice, LARGE))
    room.writer.commit()
    room.database.writing.execute("DELETE FROM mail_piece")
    room.commit()
    assert isinstance(room.done[0], AbsentError) and stored(room) == (0, 0, 0)


def test_mails_in_progress_cannot_overrun_a_quota(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_COUNTED_MAILBOXES", 1)
    room.check(1, 0)
    room.deliver(MailFor(room.alice, LARGE), MailFor(room.alice, LARGE))
    room.writer.commit()
    room.check(2, 0)
    (full,) = room.check(1, 2 * PIECE)
    assert isinstance(full, MailboxFullError), "counted although it is not stored"
    room.deliver(MailFor(room.alice, LARGE))
    assert isinstance(room.done[0], MailboxFullError)
    room.commit()
    assert room.done[1:] == [[1, 2]]
    room.check(2, 0)
    assert list(room.quota._mailboxes) == [2], "read again when it is stored"
    assert isinstance(room.check(1, 2 * PIECE)[0], MailboxFullError)
