"""The resolver against a name server on loopback: kinds of answers, of failures, and bounds."""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address

import pytest
import uvloop
from dns import message
from dns.nameserver import Do53Nameserver

from blackthorn.edges.dns import limits
from blackthorn.edges.dns.resolver import DnsResolver, parse_server
from blackthorn.errors import ConfigError
from blackthorn.ports.dns import (
    A,
    Answer,
    Mx,
    ResolverFailedError,
    ResolverTimeoutError,
    Tlsa,
    Txt,
)
from tests.support.fake_dns import DnsServer, dns_server, servfail, silent


def with_server(test: Callable[[DnsServer, DnsResolver], Awaitable[None]]) -> None:
    async def run() -> None:
        async with dns_server() as server:
            await test(server, DnsResolver([server.address]))

    uvloop.run(run())


def test_answers_are_typed_and_asked_for_once() -> None:
    async def test(server: DnsServer, resolver: DnsResolver) -> None:
        server.zone["acme.example", "MX"] = 60, ["10 MX1.acme.example.", "20 mx2.acme.example."]
        server.zone["acme.example", "TXT"] = 60, ['"v=spf1 " "-all"']
        server.zone["_25._tcp.mx1.acme.example", "TLSA"] = 60, ["3 1 1 " + "ab" * 32]
        found = await resolver.look_up("ACME.example.", Mx)
        assert set(found.records) == {Mx(10, "mx1.acme.example"), Mx(20, "mx2.acme.example")}
        assert (await resolver.look_up("acme.example", Txt)).records == (Txt(b"v=spf1 -all"),)
        tlsa = await resolver.look_up("_25._tcp.mx1.acme.example", Tlsa)
        assert tlsa.records == (Tlsa(3, 1, 1, b"\xab" * 32),)
        assert not found.authenticated
        await asyncio.gather(*(resolver.look_up("acme.example", Mx) for _ in range(5)))
        assert server.asked["acme.example", "MX"] == 1

    with_server(test)


def test_equal_questions_at_once_are_one() -> None:
    async def test(server: DnsServer, resolver: DnsResolver) -> None:
        server.zone["acme.example", "A"] = 0, ["192.0.2.1"]
        questions = (resolver.look_up("acme.example", A) for _ in range(9))
        found = await asyncio.gather(*questions)
        assert {each.records for each in found} == {(A(IPv4Address("192.0.2.1")),)}
        assert server.asked["acme.example", "A"] == 1
        await resolver.look_up("acme.example", A)
        assert server.asked["acme.example", "A"] == 2, "a TTL of 0 is not kept"

    with_server(test)


def test_absence_and_aliases() -> None:
    async def test(server: DnsServer, resolver: DnsResolver) -> None:
        server.zone["acme.example", "TXT"] = 60, ["x"]
        server.zone["www.acme.example", "CNAME"] = 60, ["acme.example."]
        nothing = await resolver.look_up("acme.example", Mx)
        assert nothing == Answer((), "acme.example", exists=True)
        absent = await resolver.look_up("none.example", Mx)
        assert absent == Answer((), "none.example", exists=False)
        alias = await resolver.look_up("www.acme.example", Txt)
        assert alias == Answer((Txt(b"x"),), "acme.example")
        for no_name in ("a..b", "x" * 64 + ".example", ".".join(["abcdefg"] * 40), "a\\.b", ""):
            assert not (await resolver.look_up(no_name, A)).records

    with_server(test)


def test_a_long_answer_comes_by_tcp() -> None:
    async def test(server: DnsServer, resolver: DnsResolver) -> None:
        long = ['"' + "a" * 250 + '"' for _ in range(8)]
        server.zone["long.example", "TXT"] = 60, [" ".join(long)]
        found = await resolver.look_up("long.example", Txt)
        assert found.records == (Txt(b"a" * 2_000),)

    with_server(test)


def test_what_dnssec_says_counts_from_this_host() -> None:
    async def test(server: DnsServer, resolver: DnsResolver) -> None:
        server.zone["acme.example", "A"] = 60, ["192.0.2.1"]
        server.secure = True
        assert (await resolver.look_up("acme.example", A)).authenticated
        assert (await resolver.look_up("none.example", A)).authenticated
        resolver = DnsResolver([server.address, "192.0.2.53"])
        assert not (await resolver.look_up("acme.example", A)).authenticated

    with_server(test)


def test_failure_and_silence_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(server: DnsServer, resolver: DnsResolver) -> None:
        server.zone["fails.example", "A"] = servfail
        server.zone["silent.example", "A"] = silent
        server.zone["false.example", "A"] = lambda query: b"nonsense"
        wrong = message.make_response(message.make_query("other.example", "A")).to_wire()
        server.zone["other.example", "A"] = lambda query: wrong
        with pytest.raises(ResolverFailedError):
            await resolver.look_up("fails.example", A)
        for owner in ("silent.example", "false.example", "other.example"):
            with pytest.raises((ResolverTimeoutError, ResolverFailedError)) as raised:
                await resolver.look_up(owner, A)
            assert owner != "silent.example" or raised.type is ResolverTimeoutError
        server.zone["silent.example", "A"] = 60, ["192.0.2.1"]
        assert (await resolver.look_up("silent.example", A)).records, "failures are not kept"

    monkeypatch.setattr(limits, "QUESTION_SECONDS", 0.2)
    monkeypatch.setattr(limits, "TRY_SECONDS", 0.1)
    with_server(test)


def test_questions_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(server: DnsServer, resolver: DnsResolver) -> None:
        server.zone["a.example", "A"] = silent
        server.zone["b.example", "A"] = silent
        waiting = [asyncio.create_task(resolver.look_up(f"{each}.example", A)) for each in "ab"]
        await asyncio.sleep(0)
        with pytest.raises(ResolverTimeoutError, match="too many"):
            await resolver.look_up("c.example", A)
        for each in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(each, ResolverTimeoutError)

    monkeypatch.setattr(limits, "QUESTION_SECONDS", 0.2)
    monkeypatch.setattr(limits, "MAX_QUESTIONS", 1)
    monkeypatch.setattr(limits, "MAX_WAITING_QUESTIONS", 1)
    with_server(test)


def test_the_internet_is_asked_for_no_name_that_it_cannot_have() -> None:
    async def test() -> None:
        async with dns_server() as server:
            resolver = DnsResolver()
            address, port = server.address.split(":")
            resolver._asked.nameservers = [Do53Nameserver(address, int(port))]
            for owner in ("acme.example", "x.test", "invalid", "a.localhost."):
                assert not (await resolver.look_up(owner, A)).exists
            assert not server.asked
            for owner in ("example.com", "mx.example.net", "example.org", "contest"):
                server.zone[owner, "A"] = 60, ["192.0.2.1"]
                assert (await resolver.look_up(owner, A)).records

    asyncio.run(test())


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def kept(server: DnsServer, resolver: DnsResolver) -> None:
        for each in range(5):
            server.zone[f"n{each}.example", "A"] = 60, ["192.0.2.1"]
            await resolver.look_up(f"n{each}.example", A)
        for each in (4, 0):
            await resolver.look_up(f"n{each}.example", A)
        assert server.asked["n4.example", "A"] == 1
        assert server.asked["n0.example", "A"] == 2

    monkeypatch.setattr(limits, "MAX_CACHED_ANSWERS", 3)
    with_server(kept)


def test_addresses_of_name_servers() -> None:
    assert parse_server("::1") == ("::1", 53)
    assert parse_server("[::1]:5353") == ("::1", 5353)
    assert parse_server("192.0.2.1:5353") == ("192.0.2.1", 5353)
    for wrong in ("ns.example", "192.0.2.1:x", "192.0.2.1:0", ""):
        with pytest.raises(ConfigError):
            DnsResolver([wrong])
