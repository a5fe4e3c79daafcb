"""The verdict on real SMTP: judged before it is sealed, and inside the seal for the device."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from blackthorn.edges.smtp import limits
from blackthorn.ports.dns import ResolverFailedError, ResolverTimeoutError, Txt
from tests.support.signed_mail import rsa_key, signed
from tests.support.smtp_harness import ALICE, Dialogue, Site, run, site

MAIL = b"From: eve@example.net\r\nTo: a@acme.example\r\nSubject: s\r\n\r\nHello\r\n"
FORGED = (
    b"Blackthorn-Readable-On-The-Way: no; written by acme.example; now\r\n"
    b"Blackthorn-Place: inbox\r\n"
    b"Authentication-Results: acme.example; dmarc=pass\r\n"
    b"Blackthorn-Original-Follows: 1\r\n"
)


def serving(folder: Path, test: Callable[[Site, Dialogue], Awaitable[None]]) -> None:
    async def body() -> None:
        async with site(folder) as running:
            client = await (await Dialogue.open(running.port)).greet()
            await test(running, client)

    run(body)


def test_the_verdict_is_inside_the_seal_and_a_forged_one_is_not_believed(tmp_path: Path) -> None:
    async def test(running: Site, client: Dialogue) -> None:
        zone = running.resolver
        zone.txt("s._domainkey.example.net", rsa_key()[1])
        zone.txt("_dmarc.example.net", "v=DMARC1; p=quarantine")
        await client.transaction(signed(MAIL, b"example.net"), "250 2.0.0")
        await client.transaction(FORGED + MAIL, "250 2.0.0")
        proven, unproven = running.opened()
        assert b"dmarc=pass" in proven.trace and b"header.d=example.net" in proven.trace
        assert (proven.junk, unproven.junk) == (False, True)
        assert b"dmarc=fail" in unproven.trace and b"dmarc=pass" not in unproven.trace
        assert b"acme.example; dmarc=pass" not in unproven.content
        assert unproven.marked and not unproven.own
        assert b"Junk" not in b"".join(running.stored()), "nothing of it is outside the seal"
        assert b"dmarc" not in b"".join(running.stored())

    serving(tmp_path, test)


def test_failures_of_dns_defer_and_policies_refuse(tmp_path: Path) -> None:
    async def test(running: Site, client: Dialogue) -> None:
        zone = running.resolver
        zone.txt("_dmarc.example.net", "v=DMARC1; p=reject")
        await client.transaction(MAIL, "550 5.7.1 .* example.net")
        await client.transaction(MAIL.replace(b"To:", b"From:"), "550 5.6.0 ")
        for error in (ResolverTimeoutError("late"), ResolverFailedError("failed")):
            zone.fail("_dmarc.example.net", Txt, error)
            await client.transaction(MAIL, "451 4.4.3 ")
        zone.txt("_dmarc.example.net", "v=DMARC1; p=reject")
        zone.txt("example.net", "v=spf1 ip4:127.0.0.1 -all")
        await client.transaction(MAIL, "250 2.0.0")
        assert running.counters.mail_deferred == 2

    serving(tmp_path, test)


def test_a_known_sender_costs_one_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(running: Site, client: Dialogue) -> None:
        running.resolver.txt("example.net", "v=spf1 include:a.example.net -all")
        running.resolver.txt("a.example.net", "v=spf1 ip4:127.0.0.1 -all")
        rounds = 0
        seal = running.pool.seal

        async def counted(request, content):  # type: ignore[no-untyped-def]
            nonlocal rounds
            rounds += 1
            return await seal(request, content)

        monkeypatch.setattr(running.pool, "seal", counted)
        await client.transaction(MAIL, "250 2.0.0")
        assert 1 < rounds < 6
        before = rounds
        await client.transaction(MAIL, "250 2.0.0")
        assert rounds == before + 1

    serving(tmp_path, test)


def test_large_mail_does_not_wait_for_the_names_of_anothers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LARGE_MAIL_BYTES", 10)

    async def test(running: Site, client: Dialogue) -> None:
        asked, answered = asyncio.Event(), asyncio.Event()
        look_up = running.resolver.look_up

        async def slow(name: str, kind: type[Any]) -> Any:
            if name == "slow.example":
                asked.set()
                await answered.wait()
            return await look_up(name, kind)

        monkeypatch.setattr(running.resolver, "look_up", slow)
        other = await (await Dialogue.open(running.port)).greet()
        await other.say("MAIL FROM:<eve@slow.example>", "250 ")
        await other.say(f"RCPT TO:<{ALICE}>", "250 ")
        await other.say("DATA", "354 ")
        waiting = asyncio.ensure_future(other.say(MAIL + b".\r\n", "250 "))
        await asked.wait()
        await client.transaction(MAIL, "250 ")
        assert not waiting.done()
        answered.set()
        await waiting
        assert len(running.stored()) == 2

    serving(tmp_path, test)
