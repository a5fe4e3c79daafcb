"""Mail from outside through the whole served process: SMTP in, sealed, over the link, opened."""

import asyncio
import signal
import smtplib
from pathlib import Path

import httpx
import pytest

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.secret import Secret
from blackthorn.edges.link.client import connect
from blackthorn.ids import Address, Fingerprint
from blackthorn.link.activation.code import parse_code
from blackthorn.link.frames import (
    Drained,
    FetchMail,
    ListMail,
    MailArrived,
    MailChunk,
    MailListing,
    Ready,
    Resume,
)
from blackthorn.link.hello import sign_hello
from blackthorn.mail.pgp.open import open_mail
from blackthorn.mail.pgp.wkd import places
from blackthorn.storage.files.server import ServerFolder
from tests.support.real_device import ADDRESS, activate, answer, new_device
from tests.support.server_process import ServerProcess, add_user, initialise
from tests.support.tls import unchecked

MARKER = "quartz-7741-in-the-clear"
MAIL = (
    f"From: carol@elsewhere.example\r\nTo: alice@acme.example\r\nSubject: hello\r\n\r\n{MARKER}\r\n"
)


def hand_in(port: int, starttls: bool) -> None:
    """Send the mail as another mail server would; raises when it is not accepted."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as smtp:
        if starttls:
            smtp.starttls(context=unchecked())
        smtp.sendmail("carol@elsewhere.example", [ADDRESS], MAIL)


async def receive_mail(
    server: ServerProcess, pin: Fingerprint, identity: Secret, starttls: bool
) -> bytes:
    """Be connected, let the mail come in, hear of it, fetch its sealed bytes."""
    link = await connect("127.0.0.1", server.ready["link_port"], pin)
    link.send(sign_hello(identity, link.binding))
    assert isinstance(await answer(link), Ready)
    link.send(Resume())
    assert isinstance(await answer(link), Drained)
    await asyncio.to_thread(hand_in, server.ready["smtp_port"], starttls)
    arrived = await answer(link)
    assert isinstance(arrived, MailArrived)
    link.send(ListMail(1, arrived.uid - 1))
    listing = await answer(link)
    assert isinstance(listing, MailListing) and listing.entries[0].uid == arrived.uid
    link.send(FetchMail(2, arrived.uid, 0))
    chunk = await answer(link)
    assert isinstance(chunk, MailChunk) and chunk.total == len(chunk.data)
    await link.close()
    return chunk.data


def published(server: ServerProcess, address: str) -> list[bytes | None]:
    """What the Web Key Directory gives of an address, by either method."""
    found: list[bytes | None] = []
    for place in places(Address(address)):
        url = f"https://127.0.0.1:{server.ready['ledger_port']}{place.path}"
        answer = httpx.get(url, verify=False, timeout=30, headers={"Host": place.host})
        found.append(answer.content if answer.status_code == 200 else None)
    return found


def test_mail_comes_in_by_smtp_is_sealed_and_reaches_the_device(tmp_path: Path):
    directory = initialise(tmp_path / "server")
    pin = ServerFolder(directory).fingerprint()
    key, certificate = generate_user_key(ADDRESS)
    identity, keys = new_device((key, certificate))
    with ServerProcess(directory) as server:
        code = parse_code(add_user(directory, ADDRESS)["code"])
        with pytest.raises(smtplib.SMTPRecipientsRefused) as early:
            hand_in(server.ready["smtp_port"], starttls=False)
        assert early.value.recipients[ADDRESS][0] == 450
        asyncio.run(activate(server.ready["link_port"], code, identity, keys))
        assert published(server, ADDRESS) == [certificate] * 2
        assert published(server, "nobody@acme.example") == [None] * 2
        for starttls in (False, True):
            sealed = asyncio.run(receive_mail(server, pin, identity, starttls))
            assert MARKER.encode() not in sealed
            assert MARKER.encode() in open_mail(sealed, key).content
        assert server.stop(signal.SIGTERM) == 0
        log = "".join(server.lines)
    stored = b"".join(each.read_bytes() for each in directory.rglob("*") if each.is_file())
    assert MARKER.encode() not in stored
    assert "carol" not in log and "alice" not in log and MARKER not in log


def test_a_nearly_full_disk_takes_no_mail_and_takes_it_again(tmp_path: Path):
    directory = initialise(tmp_path / "server")
    key, certificate = generate_user_key(ADDRESS)
    identity, keys = new_device((key, certificate))
    with ServerProcess(directory) as server:
        code = parse_code(add_user(directory, ADDRESS)["code"])
        asyncio.run(activate(server.ready["link_port"], code, identity, keys))
        assert server.stop(signal.SIGTERM) == 0
    no_disk_has_it = {"BLACKTHORN_OPS_MIN_FREE_DISK_MIB": str(10**9)}
    with ServerProcess(directory, **no_disk_has_it) as server:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            hand_in(server.ready["smtp_port"], starttls=False)
        assert refused.value.smtp_code == 452
        assert server.stop(signal.SIGTERM) == 0
    pin = ServerFolder(directory).fingerprint()
    with ServerProcess(directory) as server:
        sealed = asyncio.run(receive_mail(server, pin, identity, starttls=False))
        assert MARKER.encode() in open_mail(sealed, key).content
