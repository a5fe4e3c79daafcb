"""What we sign, dkimpy verifies; what was changed on the way, it does not."""

import asyncio
import threading
from pathlib import Path
from unittest import mock

import dkim
import pytest

from blackthorn.errors import DamageError, UserError
from blackthorn.mail.authentication import limits
from blackthorn.mail.authentication.canonical import canonical_body
from blackthorn.mail.dkim.sign import Signer, signed
from blackthorn.programs.server.outbound.signing import DkimSigning
from blackthorn.programs.server.zone.setup import dkim_key
from blackthorn.storage.files.dkim import DkimFolder
from tests.support.smtp_harness import SystemClock

MAIL = (
    b"From: Alice <alice@acme.example>\r\nTo: eve@far.example,\r\n\tdan@far.example\r\n"
    b"Subject:  [...]  \r\nDate: Mon, 30 Nov 2026 12:00:00 +0000\r\nReceived: from a\r\n"
    b"References: <a@b>\r\n <c@d>\r\nMIME-Version: 1.0\r\n\r\n"
    b"a  b \t\r\n \r\nAttack  at dawn.\r\n\r\n\r\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> DkimFolder:
    made = DkimFolder(tmp_path_factory.mktemp("server") / "dkim")
    made.add("one", "rsa")
    made.add("two", "ed25519")
    return made


def signers(folder: DkimFolder) -> list[Signer]:
    return [
        Signer("acme.example", key.selector, key.key.algorithm, key.key.sign)
        for key in folder.stored()
    ]


def verdicts(folder: DkimFolder, content: bytes) -> list[bool]:
    records = {
        f"{key.selector}._domainkey.acme.example.": dkim_key(key).record.encode()
        for key in folder.stored()
    }

    def txt(name: bytes, timeout: int = 5) -> bytes:
        return records[name.decode()]

    def verify(place: int) -> bool:
        try:
            return bool(dkim.DKIM(content).verify(idx=place, dnsfunc=txt))
        except dkim.DKIMException:
            return False

    return [verify(0), verify(1)]


@pytest.mark.parametrize(
    "content",
    [
        MAIL,
        MAIL.partition(b"\r\n\r\n")[0] + b"\r\n\r\n",
        MAIL + b"no line end",
        MAIL.replace(b"\r\n\r\na", b"\r\n\r\n\r\n\r\na", 1),
        b"From: a@acme.example\r\n\r\n\r\n\r\n",
        b"From: a@acme.example\r\nSubject: \xc3\xa9\r\n\r\n \xff \r\n",
        b"From: a@acme.example\r\nTo: b@c\r\nTo: d@e\r\n\r\nx",
    ],
)
def test_dkimpy_verifies_both_signatures(folder: DkimFolder, content: bytes) -> None:
    made = signed(content, signers(folder), 1_700_000_000)
    assert made.endswith(content) and made.count(b"DKIM-Signature:") == 2
    assert verdicts(folder, made) == [True, True]
    head = made[: -len(content)]
    assert all(len(line) <= 78 for line in head.split(b"\r\n"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Attack", b"Defend"),
        (b"Subject: ", b"Subject: x"),
        (b"From: Alice", b"From: eve@far.example\r\nFrom: Alice"),
        (b"To: eve", b"To: dan"),
    ],
)
def test_a_changed_mail_fails(folder: DkimFolder, before: bytes, after: bytes) -> None:
    made = signed(MAIL, signers(folder), 1_700_000_000)
    assert verdicts(folder, made.replace(before, after, 1)) == [False, False]


def test_without_keys_nothing_is_added() -> None:
    assert signed(MAIL, [], 1) == MAIL


def test_signing_leaves_the_loop_and_takes_a_body_in_pieces(folder: DkimFolder) -> None:
    signing = DkimSigning(folder=folder, domain="acme.example", clock=SystemClock())
    signing.refresh()
    threads = []

    def sign(data: bytes) -> bytes:
        threads.append(threading.get_ident())
        return b""

    signing._signers = {"one": Signer("acme.example", "one", "rsa-sha256", sign)}
    asyncio.run(signing.sign(MAIL))
    assert threads and threading.get_ident() not in threads
    pieces = [*canonical_body(b"words of a line\r\n" * 100_000, True)]
    assert max(map(len, pieces)) < limits.BODY_PIECE_BYTES + 100


def test_bodies_in_relaxed_form() -> None:
    """The example of RFC 6376, 3.4.5."""
    assert b"".join(canonical_body(b" C \r\nD \t E\r\n\r\n\r\n", True)) == b" C\r\nD E\r\n"
    assert [*canonical_body(b"", True)] == [*canonical_body(b"\r\n", True)] == []


def test_keys_are_for_their_owner_and_are_retired_by_name(tmp_path: Path) -> None:
    folder = DkimFolder(tmp_path / "dkim")
    assert folder.stored() == []
    folder.add("one", "ed25519")
    assert (tmp_path / "dkim" / "one.key").stat().st_mode & 0o077 == 0
    for selector in ("one", "../one", "", "One", "a.b"):
        with pytest.raises(UserError):
            folder.add(selector, "ed25519")
    before = folder.stamp()
    folder.retire("one")
    assert [key.retired for key in folder.stored()] == [True] and folder.stamp() != before
    for selector in ("one", "../one"):
        with pytest.raises(UserError):
            folder.retire(selector)
    (tmp_path / "dkim" / "two.key").write_bytes(b"no key")
    with pytest.raises(DamageError, match="two"):
        folder.stored()
    folder.add("three", "ed25519")  # also beside a damaged one


def test_a_damaged_key_is_told_and_the_others_sign(tmp_path: Path) -> None:
    folder = DkimFolder(tmp_path / "dkim")
    for selector in ("one", "two"):
        folder.add(selector, "ed25519")
    file = tmp_path / "dkim" / "one.key"
    good = file.read_bytes()

    def signatures(signing: DkimSigning) -> int:
        signing.refresh()
        return asyncio.run(signing.sign(MAIL)).count(b"DKIM-Signature:")

    def new() -> DkimSigning:
        return DkimSigning(folder=folder, domain="acme.example", clock=SystemClock())

    running = new()
    assert signatures(running) == 2 and running.warnings() == []
    file.write_bytes(b"no key")  # in place: the folder itself does not change
    fresh = new()
    assert signatures(running) == 2 and signatures(fresh) == 1
    for signing in (running, fresh):
        (warning,) = signing.warnings()
        assert "one.key cannot be used" in warning and "DKIM" in warning
    file.write_bytes(good)
    assert signatures(fresh) == 2 and fresh.warnings() == []
    unreadable = PermissionError(13, "Permission denied")
    with mock.patch.object(Path, "read_bytes", side_effect=unreadable):
        fresh = new()
        assert signatures(fresh) == 0 and len(fresh.warnings()) == 2
    assert signatures(fresh) == 2  # its mode was mended, which leaves time and size as they are
    with mock.patch.object(Path, "iterdir", side_effect=OSError(5, "Input/output error")):
        assert signatures(fresh) == 2 and len(fresh.warnings()) == 1
    assert signatures(fresh) == 2 and fresh.warnings() == []
    file.write_bytes(b"no key")
    assert signatures(fresh) == 2
    folder.retire("one")
    assert signatures(fresh) == 1 and fresh.warnings() == []
