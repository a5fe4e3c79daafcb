"""`blackthorn mail read`: what a person is told of who could read a mail."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from blackthorn.cli import main, terminal
from blackthorn.cli.device import mail as mail_cli
from blackthorn.errors import UnavailableError
from blackthorn.mail.render.render import render
from blackthorn.programs.device import mail
from blackthorn.programs.device.mail import ReadMail
from blackthorn.wire.units import MIB
from tests.support.device_home import activated, invoke

HEAD = b"From: eve@example.net\r\nSubject: hello\r\n"
SEALED = HEAD + (
    b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b\r\n\r\n'
    b"--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"
    b"--b\r\nContent-Type: application/octet-stream\r\n\r\nsealed\r\n--b--\r\n"
)
INLINE = HEAD + b"\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nabc\r\n-----END PGP MESSAGE-----\r\n"


def test_a_mail_that_the_server_wrote_is_not_said_to_have_been_readable(monkeypatch) -> None:
    async def read(device: object, uid: int, **_: object) -> ReadMail:
        return ReadMail(render(HEAD + b"\r\nhi\r\n"), False)

    monkeypatch.setattr(mail, "read", read)
    monkeypatch.setattr(mail_cli, "program", lambda at: None)
    monkeypatch.setattr(terminal, "out", Console(highlight=False, width=200))
    told = CliRunner().invoke(main.app, ["mail", "read", "1"]).output
    assert "(The server itself wrote this mail: it is signed by the key" in told
    assert "Others could read" not in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (HEAD + b"\r\nHow are you?\r\n", "(Others could read this mail on its way to the server.)"),
        (SEALED, "(Others could read what is above, not the text that was sealed, on its way"),
        (INLINE, "(Others could read what is above, not the text that was sealed, on its way"),
    ],
)
def test_what_others_could_read_of_a_mail(monkeypatch, content: bytes, told: str) -> None:
    async def read(device: object, uid: int, **_: object) -> ReadMail:
        return ReadMail(render(content), True)

    monkeypatch.setattr(mail, "read", read)
    monkeypatch.setattr(mail_cli, "program", lambda at: None)
    monkeypatch.setattr(terminal, "out", Console(highlight=False, width=200))
    result = CliRunner().invoke(main.app, ["mail", "read", "1"])
    assert result.exception is None and told in result.output
    assert ("Others could read this mail" in result.output) == (content[-3:-2] == b"?")


def test_a_mail_without_attachments_says_how_it_is_saved(monkeypatch, tmp_path: Path) -> None:
    async def read(device: object, uid: int, **_: object) -> ReadMail:
        return ReadMail(render(HEAD + b"\r\nhi\r\n"), True)

    monkeypatch.setattr(mail, "read", read)
    monkeypatch.setattr(mail_cli, "program", lambda at: None)
    said = str(invoke("mail", "save", "1", tmp_path).exception)
    assert "`blackthorn mail read 1`" in said and "`blackthorn export make`" in said


@pytest.mark.parametrize("words", [("mail", "read", "x"), ("alarms", "accept", "x")])
def test_a_number_that_is_none_is_told_in_plain_words(words: tuple[str, ...]) -> None:
    result = invoke(*words)
    told = " ".join(result.stderr.split())
    assert result.exit_code == 2 and "it should be a whole number" in told
    assert "Input" not in told and "parse" not in told


@pytest.mark.parametrize("words", [("read", "1"), ("save", "1", ".")])
def test_a_mail_that_cannot_be_fetched_says_that_it_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    activated(tmp_path, monkeypatch)
    error = invoke("mail", *words).exception
    assert isinstance(error, UnavailableError)
    assert "cannot be reached" in str(error) and "keeps only the list" in str(error)


@pytest.mark.parametrize(
    ("used", "told"),
    [
        (0, ""),
        (95, "is nearly full: 95 of 100 MiB."),
        (100, "is full, and new mail is put off: 100 of 100 MiB."),
    ],
)
def test_a_mailbox_without_room_is_told(monkeypatch, tmp_path: Path, used: int, told: str) -> None:
    activated(tmp_path, monkeypatch)[1].close()

    async def refresh(device: object, progress: Callable[[int, int], None]) -> tuple[int, int]:
        for total in (19, 20):
            progress(total - 1, total)
        return used * MIB, 100 * MIB if used else 0

    monkeypatch.setattr(mail, "refresh", refresh)
    listed = invoke("mail", "list")
    assert listed.exit_code == 0
    output = " ".join(listed.output.split())
    assert told in output and ("Your mailbox" in output) == bool(used)
    assert "19/20 mails opened" in output and "18/19" not in output
