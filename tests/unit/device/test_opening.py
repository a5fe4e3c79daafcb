"""Parts that their sender sealed: opened in a process of their own, refused with a reason."""

import signal
import subprocess

import pytest

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.openpgp_seal import parse_certificate, seal
from blackthorn.device.mail import keys
from blackthorn.errors import UnavailableError
from blackthorn.mail.errors import SealBrokenError
from blackthorn.mail.pgp.seal import BY_SENDER
from blackthorn.mail.render.render import render, render_head
from blackthorn.mail.render.walk import SEALED
from blackthorn.programs.device.opening import limits, worker
from blackthorn.programs.device.opening import opener as opener_module
from blackthorn.programs.device.opening.opener import open_any, opener
from blackthorn.programs.device.opening.worker import BEGUN, OpenRequest, answer

KEY, CERTIFICATE = generate_user_key("alice@acme.example")
OTHER, _ = generate_user_key("bob@acme.example")
NOW = 1_900_000_000
INSIDE = b"Subject: real\r\nContent-Type: text/plain\r\n\r\nAttack at dawn.\r\n"


def sealed(content: bytes = INSIDE) -> bytes:
    return seal(content, parse_certificate(CERTIFICATE), now=NOW)


def mail() -> bytes:
    armored = sealed().replace(b"\n", b"\r\n")
    return (
        b"Subject: ...\r\nContent-Type: multipart/encrypted; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"
        b"--b\r\nContent-Type: application/octet-stream\r\n\r\n" + armored + b"\r\n--b--\r\n"
    )


def test_a_part_is_opened_by_any_of_the_keys() -> None:
    shown = render(mail(), opener([OTHER, KEY]))
    assert (shown.subject, shown.unopened) == ("real", False)
    assert [(each.head, each.text) for each in shown.sections] == [(SEALED, "Attack at dawn.")]


def test_a_list_shows_the_sealed_subject() -> None:
    def in_this_process(armored: bytes) -> bytes:
        return answer(OpenRequest([KEY.expose()], armored))[1:]

    assert render_head(mail(), in_this_process).subject == "real"
    assert render_head(b"Subject: a\r\n\r\nb").subject == "a"


@pytest.mark.parametrize("armored", [b"nonsense", b"", sealed()[:-200]])
def test_what_is_damaged_is_refused(armored: bytes) -> None:
    assert answer(OpenRequest([KEY.expose()], armored))[:1] == b"\x01"


def test_a_process_without_a_key_says_so() -> None:
    with pytest.raises(SealBrokenError, match="another key"):
        opener([OTHER])(sealed())
    assert answer(OpenRequest([], sealed())) == b"\x01this device has no key for mail yet"


def test_unpacked_content_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.limits, "MAX_OPENED_BYTES", len(INSIDE) - 1)
    assert answer(OpenRequest([KEY.expose()], sealed())) == b"\x01it is larger than a mail can be"


def test_a_process_that_lasts_too_long_is_no_content(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_OPENING_SECONDS", 0)
    with pytest.raises(UnavailableError, match="could not run"):
        opener([KEY])(sealed())


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        (1, b"", UnavailableError),  # it had no memory to start
        (-signal.SIGKILL, BEGUN, UnavailableError),
        (-signal.SIGABRT, b"", UnavailableError),
        (-signal.SIGABRT, BEGUN, SealBrokenError),
        (-signal.SIGXCPU, BEGUN, SealBrokenError),
        (1, BEGUN + b"\x00half", SealBrokenError),
    ],
)
def test_a_process_that_ends_early_is_no_content(
    monkeypatch: pytest.MonkeyPatch, code: int, said: bytes, kind: type[Exception]
) -> None:
    """Only after it has begun does its end say something of the mail."""
    ended = subprocess.CompletedProcess((), code, said)
    monkeypatch.setattr(opener_module.subprocess, "run", lambda *_, **__: ended)
    with pytest.raises(kind):
        opener([KEY])(sealed())


def test_mail_of_a_colleague_is_opened_in_the_process_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "open_mail", None)
    assert open_any(BY_SENDER + mail(), [OTHER, KEY]).content == INSIDE
    with pytest.raises(SealBrokenError):
        open_any(BY_SENDER + mail(), [OTHER])
    monkeypatch.undo()
    monkeypatch.setattr(opener_module.subprocess, "run", None)
    assert open_any(mail(), [OTHER, KEY]).by_sender  # the server's own seal is not packed
