"""A mail is opened once, while the link and other processes of the device go on."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from blackthorn.crypto.openpgp import recipients
from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.secret import Secret
from blackthorn.device.mail import keys
from blackthorn.device.operations import change_chain
from blackthorn.errors import UserError
from blackthorn.link import frames as f
from blackthorn.mail.pgp.seal import BY_SENDER
from blackthorn.programs.device import mail
from blackthorn.programs.device.opening import opener
from blackthorn.programs.event_loop import run
from blackthorn.simulation.device import Person
from blackthorn.simulation.linking import bring_up
from tests.support.mail_world import MailWorld, program_of, reader_of, secret_of, signed_mail


def opened_by(monkeypatch: pytest.MonkeyPatch, person: Person) -> list[bytes]:
    """What is opened from now on; none of it while the person's vault is locked."""
    opened: list[bytes] = []
    real = opener.opener

    def counted(secrets: list[Secret]) -> Any:
        def open_part(armored: bytes) -> bytes:
            assert not person.vault.connection.in_transaction
            opened.append(armored)
            return real(secrets)(armored)

        return open_part

    monkeypatch.setattr(opener, "opener", counted)
    monkeypatch.setattr(mail, "opener", counted)
    return opened


def serve(monkeypatch: pytest.MonkeyPatch, entries: list[f.MailEntry], sealed: bytes) -> None:
    """The server has these mails, each with the same bytes."""

    class Fetcher:
        used, quota, count = 3, 4, len(entries)

        async def listing(self, after: int) -> list[f.MailEntry]:
            return [entry for entry in entries if entry.uid > after]

        async def sealed(self, entry: f.MailEntry) -> bytes:
            if entry not in entries:
                raise UserError("there is no such mail")
            return sealed

    @asynccontextmanager
    async def link(_: object) -> AsyncIterator[Fetcher]:
        yield Fetcher()

    monkeypatch.setattr(mail, "mail_link", link)


def test_a_mail_whose_author_is_looked_up_is_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = MailWorld(51, "alice", "bob")
    alice, bob = world.people
    with bob.unit() as unit:
        made = keys.fresh_compatible(unit.records, bob.address, unit.now_ms, bytes)
    now = world.now_ms // 1000
    signer, reader = Secret(made.secret), reader_of(alice, now)
    sealed = BY_SENDER + signed_mail(bob.address, signer, reader, now, alice.address)

    async def fetched(*_: object) -> tuple[f.MailEntry, bytes]:
        return f.MailEntry(1, len(sealed), 7), sealed

    async def look_up(*_: object) -> None:
        bob.enqueue(lambda unit: change_chain.enqueue_compatible(unit, made, copies=False))
        bring_up(world)
        alice.look_up(bob)
        world.settle()

    monkeypatch.setattr(mail, "fetch_sealed", fetched)
    monkeypatch.setattr(mail, "look_up", look_up)
    opened = opened_by(monkeypatch, alice)
    found = run(mail.read(program_of(alice), 1))
    assert (found.signature, found.rendered.subject, found.received_ms) == ("ledger", "hi", 7)
    assert len(opened) == 1


def test_a_list_opens_each_mail_once_and_the_link_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    world = MailWorld(52, "alice", "bob")
    alice, bob = world.people
    now = world.now_ms // 1000
    reader = reader_of(alice, now)
    sealed = BY_SENDER + signed_mail(bob.address, secret_of(bob), reader, now, alice.address)
    entries = [f.MailEntry(uid, len(sealed), uid) for uid in (1, 2)]

    serve(monkeypatch, entries, sealed)
    beats = threading.Semaphore(0)
    real = opener.subprocess.run

    def slow(*args: Any, **options: Any) -> Any:
        assert beats.acquire(timeout=10), "nothing else runs while a mail is opened"
        return real(*args, **options)

    async def listed() -> tuple[int, int]:
        async def beat() -> None:
            while True:
                beats.release()
                await asyncio.sleep(0.01)

        beating = asyncio.ensure_future(beat())
        try:
            return await mail.refresh(program_of(alice))
        finally:
            beating.cancel()

    monkeypatch.setattr(opener.subprocess, "run", slow)
    opened = opened_by(monkeypatch, alice)
    assert [run(listed()) for _ in range(2)] == [(3, 4), (3, 4)]
    assert len(opened) == 2
    with alice.vault.transaction() as records:
        found = [(record.uid, record.subject, record.readable) for record in records.mail.all()]
    assert found == [(1, "hi", False), (2, "hi", False)]


def test_a_mail_that_no_key_opens_is_tried_again_with_each_new_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A device may list the mail before the others have told it the new key."""
    world = MailWorld(53, "alice", "bob")
    alice, bob = world.people
    now, (secret, certificate) = world.now_ms // 1000, generate_user_key("alice@acme.example")
    reader = recipients.judge(certificate, alice.address, now)
    sealed = BY_SENDER + signed_mail(bob.address, secret_of(bob), reader, now, alice.address)
    entries = [f.MailEntry(1, len(sealed), 1), f.MailEntry(2, len(sealed), 2)]
    serve(monkeypatch, entries, sealed)
    opened = opened_by(monkeypatch, alice)

    def listed() -> list[str]:
        run(mail.refresh(program_of(alice)))
        with alice.vault.transaction() as records:
            return [record.subject for record in records.mail.all()]

    closed = listed()
    assert len(closed) == 2 and closed[0].startswith("[cannot be opened: ")
    assert listed() == closed and len(opened) == 2
    with alice.vault.transaction() as records:
        keys.keep(records, secret, certificate, world.now_ms)
    del entries[1]
    assert listed() == ["hi", closed[1]] and len(opened) == 3
    assert listed() == ["hi", closed[1]] and len(opened) == 3


def test_a_mail_whose_opening_could_not_start_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = MailWorld(54, "alice", "bob")
    alice, bob = world.people
    now = world.now_ms // 1000
    reader = reader_of(alice, now)
    sealed = BY_SENDER + signed_mail(bob.address, secret_of(bob), reader, now, alice.address)
    serve(monkeypatch, [f.MailEntry(1, len(sealed), 1)], sealed)

    def refused(*_: Any, **__: Any) -> None:
        raise OSError("no memory")

    def listed() -> str:
        run(mail.refresh(program_of(alice)))
        with alice.vault.transaction() as records:
            (record,) = records.mail.all()
        return record.subject

    with monkeypatch.context() as patch:
        patch.setattr(opener.subprocess, "run", refused)
        assert "close other programs, and try again" in listed()
    assert listed() == "hi"
