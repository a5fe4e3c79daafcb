"""Who gets mail by another name: plus-addressing, aliases, lists, the catch-all; and traces."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from secrets import token_bytes

import pytest

from blackthorn.edges.smtp import limits
from blackthorn.edges.smtp.inbound import InboundPolicy
from blackthorn.errors import AbsentError, ConflictError, UserError
from blackthorn.ids import Address, Fingerprint
from blackthorn.ports.inbound.aliases import AddAlias, AliasKind, ListAliases, RemoveAlias
from blackthorn.ports.inbound.traces import FindTrace, KeepTraces
from blackthorn.server.accounts.users import UserAdministration
from blackthorn.server.mail import limits as mail_limits
from blackthorn.storage.sqlite.engine import Engine, host_store
from tests.support.smtp_harness import ALICE, BOB, Dialogue, Site, run, site

MAIL = b"From: eve@example.net\r\nSubject: s\r\n\r\nHello\r\n"


def serving(
    folder: Path,
    test: Callable[[Site, Dialogue, Engine], Awaitable[None]],
    mailbox_mib: int = mail_limits.MAILBOX_MIB,
) -> None:
    async def body() -> None:
        async with site(folder, mailbox_mib=mailbox_mib) as running:
            for number, address in ((1, ALICE), (2, BOB), (3, "carol@acme.example")):
                running.database.writing.execute(
                    "UPDATE users SET address = ? WHERE number = ?", (address, number)
                )
            running.enterprise.add("carol@acme.example")  # without a certificate
            client = await (await Dialogue.open(running.port)).greet()
            await test(running, client, host_store(running.database))

    run(body)


def add(store: Engine, name: str, kind: AliasKind, *users: str, most: int = 100) -> None:
    address = Address(f"{name}@acme.example")
    store.write(AddAlias(name, address, kind, tuple(map(Address, users)), most))


def test_other_names_reach_their_users(tmp_path: Path) -> None:
    async def test(running: Site, client: Dialogue, store: Engine) -> None:
        add(store, "sales", AliasKind.ALIAS, ALICE)
        add(store, "team", AliasKind.LIST, ALICE, BOB)
        for name in ("alice+shop", "Sales", "sales+x", "ALICE+a+b"):
            await client.transaction(MAIL, "250 ", f"{name}@acme.example")
        assert len(running.stored(ALICE)) == 4
        await client.transaction(MAIL, "250 ", "team@acme.example", ALICE)
        assert len(running.stored(ALICE)) == 5 and len(running.stored(BOB)) == 1
        await client.say("MAIL FROM:<eve@example.net>", "250 ")
        for name in ("nobody", "nobody+alice", "+alice", "*"):
            await client.say(f"RCPT TO:<{name}@acme.example>", "550 5.1.1 ")
        add(store, "*", AliasKind.ALIAS, BOB)
        await client.say("RCPT TO:<nobody@acme.example>", "250 ")
        add(store, "all", AliasKind.LIST, ALICE, "carol@acme.example")
        await client.say("RCPT TO:<all@acme.example>", "450 4.2.1 ")

    serving(tmp_path, test)


def test_a_mail_in_several_batches_reaches_all_or_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a sender who tries again makes no copies."""
    monkeypatch.setattr(limits, "MAX_SEALED_BATCH_BYTES", 1)
    large = MAIL + b"a line of text\r\n" * 40_000

    async def test(running: Site, client: Dialogue, store: Engine) -> None:
        add(store, "team", AliasKind.LIST, ALICE, BOB)
        await client.transaction(large, "250 ", BOB)
        (bobs,) = running.stored(BOB)
        with monkeypatch.context() as patch:
            patch.delattr(type(running.gateway._pool), "seal")  # a full mailbox is known before
            await client.transaction(large, "452 4.2.2 ", "team@acme.example")
        assert running.stored(ALICE) == [] and running.stored(BOB) == [bobs]
        running.gateway._mail_service.quota.bytes *= 4
        await client.transaction(large, "250 ", "team@acme.example")
        assert len(running.stored(ALICE)) == 1 and len(running.stored(BOB)) == 2
        count = running.database.reading.execute("SELECT count(*) FROM mail_begun").get
        assert count == 0

    serving(tmp_path, test, mailbox_mib=1)


def test_members_of_lists_have_bounds_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InboundPolicy, "max_recipients", 2)
    monkeypatch.setattr(limits, "MAX_SMTP_COPIES", 3)
    monkeypatch.setattr(limits, "MAX_MAIL_TIMES_RECIPIENTS", 2 * len(MAIL + b"\r\n"))
    monkeypatch.setattr(limits, "MAX_MAIL_TIMES_COPIES", 2 * len(MAIL + b"\r\n"))
    dave, erin = "dave@acme.example", "erin@acme.example"

    async def test(running: Site, client: Dialogue, store: Engine) -> None:
        for number, address in ((4, dave), (5, erin)):
            running.enterprise.add_with_key(address)
            sql = "UPDATE users SET address = ? WHERE number = ?"
            running.database.writing.execute(sql, (address, number))
        add(store, "team", AliasKind.LIST, ALICE, BOB)
        add(store, "all", AliasKind.LIST, ALICE, BOB, dave)
        add(store, "others", AliasKind.LIST, dave, erin)
        await client.transaction(MAIL, "250 ", "team@acme.example", ALICE)
        await client.transaction(MAIL, "552 5.3.4 .* members", "all@acme.example")
        await client.transaction(MAIL + MAIL, "554 5.5.3 ", ALICE, BOB)
        await client.say("MAIL FROM:<eve@example.net>", "250 ")
        await client.say("RCPT TO:<team@acme.example>", "250 ")
        await client.say("RCPT TO:<others@acme.example>", "452 4.5.3 .* members")
        await client.say("RCPT TO:<bob@acme.example>", "250 ")
        await client.say("RCPT TO:<alice@acme.example>", "452 4.5.3 ")

    serving(tmp_path, test)


def test_names_are_kept_apart(tmp_path: Path) -> None:
    async def test(running: Site, client: Dialogue, store: Engine) -> None:
        add(store, "team", AliasKind.LIST, ALICE)
        for name, kind, users, error in (
            ("alice", AliasKind.ALIAS, (BOB,), ConflictError),
            ("team", AliasKind.ALIAS, (BOB,), ConflictError),
            ("new", AliasKind.ALIAS, ("nobody@acme.example",), AbsentError),
        ):
            with pytest.raises(error):
                add(store, name, kind, *users)
        with pytest.raises(ConflictError):
            add(store, "two", AliasKind.LIST, ALICE, BOB, most=1)
        add(store, "team", AliasKind.LIST, BOB)
        people = UserAdministration(store, "acme.example", Fingerprint(bytes(32)), token_bytes)
        with pytest.raises(UserError, match="is a list already: `blackthorn list remove team` "):
            people.add("team@acme.example", 3_600, 0)
        (found,) = store.read(ListAliases(AliasKind.LIST, "", 10))
        assert found.users == (ALICE, BOB)
        store.write(RemoveAlias("team", AliasKind.LIST, (Address(ALICE),)))
        with pytest.raises(AbsentError):
            store.write(RemoveAlias("team", AliasKind.LIST, (Address(ALICE),)))
        with pytest.raises(AbsentError):
            store.write(RemoveAlias("team", AliasKind.ALIAS, ()))
        store.write(RemoveAlias("team", AliasKind.LIST, ()))
        assert store.read(ListAliases(AliasKind.LIST, "", 10)) == []

    serving(tmp_path, test)


def test_who_tries_names_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(running: Site, client: Dialogue, store: Engine) -> None:
        loop = asyncio.get_running_loop()
        await client.say("MAIL FROM:<eve@example.net>", "250 ")
        begun = loop.time()
        await client.say("RCPT TO:<a@acme.example>", "550 ")
        assert loop.time() - begun < 0.3
        await client.say("RCPT TO:<b@acme.example>", "550 ")
        assert loop.time() - begun > 0.4
        await client.say(f"RCPT TO:<{ALICE}>", "250 ")

    monkeypatch.setattr(limits, "FREE_UNKNOWN_RECIPIENTS", 1)
    monkeypatch.setattr(limits, "MAX_TARPIT_SECONDS", 0.4)
    serving(tmp_path, test)


def test_a_trace_says_what_happened_and_names_nobody(tmp_path: Path) -> None:
    async def test(running: Site, client: Dialogue, store: Engine) -> None:
        taken = await client.transaction(MAIL, "250 ", ALICE, BOB)
        refused = await client.transaction(MAIL + b"a\rb\r\n", "550 5.6.11 ")
        command = running.traces.take()
        assert command is not None and running.traces.take() is None
        store.write(command)
        found = [
            store.read(FindTrace(re.findall(r"[0-9a-f]{16}", reply)[0]))
            for reply in (taken, refused)
        ]
        assert [(each.copies, each.reply) for each in found] == [
            (2, "250 2.0.0"),
            (0, "550 5.6.11"),
        ]
        assert found[0].verdict == "spf=none dkim=none arc=none dmarc=none"
        assert "@" not in repr(found) and "example" not in repr(found)
        store.write(KeepTraces((), found[0].received_ms + 1))
        assert store.read(FindTrace(found[0].id)) is None

    serving(tmp_path, test)
