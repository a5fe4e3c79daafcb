"""The mails of an export against a server that answers late, in another order, or wrongly."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.device.mail.limits import MAX_SEALED_BYTES
from blackthorn.edges.link.client import LinkConnection
from blackthorn.errors import OverrunError
from blackthorn.link import frames as f
from blackthorn.programs.device.export import mail
from blackthorn.programs.device.export.mail import _GONE as GONE
from blackthorn.programs.device.export.mail import AHEAD_MAILS, _Ahead, open_export_mail
from blackthorn.programs.device.program import DeviceProgram

PIECE = 4
Answer = Callable[[f.FetchMail, bytes], f.MailChunk]


def chunk(asked: f.FetchMail, data: bytes) -> f.MailChunk:
    """What an honest server says, in pieces of four bytes."""
    piece = data[asked.offset : asked.offset + PIECE]
    return f.MailChunk(asked.request, asked.uid, asked.offset, len(data), piece)


@dataclass
class Server:
    """Program and connection in one: `step` gives the answer to one of the requests that wait."""

    mails: dict[int, bytes]
    answer: Answer = chunk
    newest_first: bool = False
    asked: list[f.FetchMail] = field(default_factory=list)
    most: int = 0

    def send(self, *frames: f.AnyFrame) -> None:
        self.asked += [each for each in frames if isinstance(each, f.FetchMail)]
        self.most = max(self.most, len(self.asked))

    async def step(self, connection: object) -> f.AnyFrame | None:
        asked = self.asked.pop(-1 if self.newest_first else 0)
        return self.answer(asked, self.mails.get(asked.uid, b""))


def fetched(server: Server) -> list[tuple[int, bytes | str]]:
    async def all_of_them() -> list[tuple[int, bytes | str]]:
        entries = [f.MailEntry(uid, len(data), 1) for uid, data in server.mails.items()]
        ahead = _Ahead(cast(DeviceProgram, server), cast(LinkConnection, server), entries)
        return [(entry.uid, sealed) async for entry, sealed in ahead.all()]

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("newest_first", [False, True])
def test_mails_come_in_their_order_whatever_the_order_of_the_answers(newest_first: bool) -> None:
    mails = {uid: b"%d" % uid * (uid % 7 + 1) for uid in range(1, 100)}
    server = Server(mails, newest_first=newest_first)
    assert fetched(server) == list(mails.items())
    assert server.most == AHEAD_MAILS


def test_no_more_is_asked_for_ahead_than_memory_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "AHEAD_BYTES", PIECE)
    server = Server({uid: bytes(PIECE) for uid in range(1, 4)})

    async def ask() -> None:
        entries = [f.MailEntry(uid, PIECE, 1) for uid in server.mails]
        ahead = _Ahead(cast(DeviceProgram, server), cast(LinkConnection, server), entries)
        async for _ in ahead.all():
            pass

    asyncio.run(ask())
    assert server.most == 1


def test_a_mail_that_went_meanwhile_is_a_problem_and_the_next_one_comes() -> None:
    server = Server({1: b"first", 2: b"", 3: b"third"})
    assert fetched(server) == [(1, b"first"), (2, GONE), (3, b"third")]
    assert open_export_mail(f.MailEntry(2, 1, 1), GONE, []).problem == GONE


@pytest.mark.parametrize(
    "answer",
    [
        lambda asked, data: f.MailChunk(asked.request, asked.uid, 0, MAX_SEALED_BYTES + 1, b"x"),
        lambda asked, data: f.MailChunk(asked.request, asked.uid, 0, 100, b""),
        lambda asked, data: f.MailChunk(asked.request, asked.uid, 0, 1, b""),
        lambda asked, data: f.MailChunk(asked.request, asked.uid, 0, 1, b"xx"),
        lambda asked, data: f.MailChunk(asked.request + 1, asked.uid, 0, 1, b"x"),
    ],
)
def test_a_server_that_gives_too_much_or_nothing_is_refused(answer: Answer) -> None:
    with pytest.raises(OverrunError):
        fetched(Server({1: b"x"}, answer))


@pytest.mark.parametrize("sealed", [b"", b"\x00" * 100, b"From: x\r\n\r\nplain\r\n", b"\xff" * 9])
def test_what_is_no_sealed_mail_is_a_problem_in_words(sealed: bytes) -> None:
    key, _ = generate_user_key("alice@acme.example")
    opened = open_export_mail(f.MailEntry(7, len(sealed), 1), sealed, [key])
    assert opened.content is None and opened.problem
    assert "key" in open_export_mail(f.MailEntry(7, 1, 1), sealed, []).problem
