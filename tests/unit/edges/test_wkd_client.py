"""The server's question to another domain: where it goes, and what it takes for an answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

import httpx
import pytest

from blackthorn.edges.http import limits
from blackthorn.edges.http.wkd_client import WkdClient, is_public
from blackthorn.errors import UnavailableError
from blackthorn.ids import Address
from blackthorn.ports.dns import A, Aaaa, ResolverTimeoutError
from blackthorn.ports.outside.certificates import FoundCertificates
from tests.support.fake_dns import FakeResolver

BEA = Address("bea@out.example")
PUBLIC, OTHER = "9.9.9.9", "2620:fe::fe"
ADVANCED, DIRECT = "openpgpkey.out.example", "out.example"

Answering = Callable[[httpx.Request], Awaitable[httpx.Response] | httpx.Response]


class Names(FakeResolver):
    """Addresses by host; None: the name servers fail."""

    def __init__(self, **hosts: list[str] | None) -> None:
        super().__init__()
        for name, found in hosts.items():
            owner = name.replace("_", ".")
            for kind, wanted in ((A, IPv4Address), (Aaaa, IPv6Address)):
                if found is None:
                    self.fail(owner, kind, ResolverTimeoutError("no name server answered"))
                else:
                    parsed = map(ip_address, found)
                    self.zone[owner, kind] = [kind(each) for each in parsed if type(each) is wanted]


def ask(names: Names, answering: Answering) -> FoundCertificates:
    async def run() -> FoundCertificates:
        return await WkdClient(names, httpx.MockTransport(answering)).fetch(BEA)

    return asyncio.run(run())


async def body(content: bytes) -> AsyncIterator[bytes]:
    yield content


def never(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"asked {request.url}")


def test_the_advanced_method_is_asked_first_and_alone():
    names = Names(openpgpkey_out_example=[PUBLIC], out_example=[PUBLIC])
    seen: list[httpx.Request] = []

    def answering(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=body(b"keys"))

    assert ask(names, answering) == FoundCertificates(b"keys")
    (request,) = seen
    assert (request.url.scheme, request.url.host, request.url.port) == ("https", PUBLIC, None)
    assert request.headers["Host"] == request.extensions["sni_hostname"] == ADVANCED
    assert request.url.path.startswith("/.well-known/openpgpkey/out.example/hu/")
    assert request.url.query == b"l=bea"
    assert "cookie" not in request.headers and request.headers["User-Agent"] == "blackthorn"


def test_the_direct_method_only_when_the_advanced_ones_host_is_none():
    names = Names(out_example=[OTHER])
    found = ask(names, lambda request: httpx.Response(200, content=body(b"keys")))
    assert found == FoundCertificates(b"keys")
    both = Names(openpgpkey_out_example=[PUBLIC], out_example=[PUBLIC])
    assert ask(both, lambda request: httpx.Response(404)) == FoundCertificates()
    assert DIRECT not in {name for name, _ in both.asked}
    assert ask(Names(), never) == FoundCertificates()


INSIDE = [
    *("127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "100.64.0.1", "0.0.0.0"),
    *("224.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1"),
    *("2001:db8::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::"),
    *("fec0::1", "::7f00:1", "64:ff9b:1::7f00:1", "100::1", "1::1", "4000::1", "5f00::1"),
    *("2001:2::1", "2001:10::1", "3fff::1", "2002:a01:203::1", "64:ff9b::a01:203"),
]
"""Loopback, private, link-local, shared, reserved, and what stands for one of them."""


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_that_leads_inside_is_never_connected_to(address):
    assert not is_public(ip_address(address))
    names = Names(openpgpkey_out_example=[address], out_example=[address])
    assert ask(names, never) == FoundCertificates()


def test_public_addresses_are_public():
    for address in (PUBLIC, OTHER, "64:ff9b::909:909", "::ffff:9.9.9.9"):
        assert is_public(ip_address(address))


def test_a_name_is_looked_up_once_and_what_was_checked_is_connected_to():
    """A name server that gives a public address first, and then another, gains nothing."""

    class Rebinding(Names):
        async def look_up(self, name, kind):
            if self.asked[name, kind]:
                self.add(name, A(IPv4Address("127.0.0.1")))
            return await super().look_up(name, kind)

    names = Rebinding(openpgpkey_out_example=[PUBLIC])
    found = ask(names, lambda request: httpx.Response(200, content=body(b"keys")))
    assert found == FoundCertificates(b"keys")
    assert names.asked == {(ADVANCED, A): 1, (ADVANCED, Aaaa): 1}


def test_of_several_addresses_only_a_public_one_is_connected_to():
    names = Names(openpgpkey_out_example=["10.0.0.1", "127.0.0.1", PUBLIC])
    hosts: list[str] = []

    def answering(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(200, content=body(b"k"))

    ask(names, answering)
    assert hosts == [PUBLIC]


ELSEWHERE = [
    *("http://out.example/x", "https://127.0.0.1/x", "https://out.example:22/x", "//"),
    *("https://[::1]/", "file:///etc/x", "https://inside.example/x", "https://u:p@out.example/"),
    "https://out.example:99999/x",
]


@pytest.mark.parametrize("location", ["", *ELSEWHERE])
def test_a_redirect_leads_nowhere_else(location):
    names = Names(
        openpgpkey_out_example=[PUBLIC], out_example=[PUBLIC], inside_example=["10.0.0.1"]
    )
    asked: list[str] = []

    def answering(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["Host"])
        assert len(asked) <= limits.MAX_WKD_REDIRECTS + 1
        encoded = location.encode("utf-8")
        return httpx.Response(302, headers=[(b"Location", encoded)])

    assert ask(names, answering) == FoundCertificates()
    assert set(asked) <= {ADVANCED}


def test_a_redirect_to_another_public_host_is_followed_and_a_loop_is_not():
    names = Names(openpgpkey_out_example=[PUBLIC], keys_example=[OTHER])

    def moved(request: httpx.Request) -> httpx.Response:
        if request.headers["Host"] == ADVANCED:
            return httpx.Response(301, headers={"Location": "https://keys.example/k?a=1"})
        assert request.url.host == OTHER and request.url.raw_path == b"/k?a=1"
        return httpx.Response(200, content=body(b"keys"))

    assert ask(names, moved).certificates == b"keys"
    count = 0

    def endless(request: httpx.Request) -> httpx.Response:
        nonlocal count
        count += 1
        return httpx.Response(302, headers={"Location": f"/{count}"})

    assert ask(names, endless) == FoundCertificates()
    assert count == limits.MAX_WKD_REDIRECTS + 1


def test_a_huge_answer_is_none_and_not_read_to_its_end():
    read = 0

    async def pieces():
        nonlocal read
        while True:
            read += 65_536
            yield bytes(65_536)

    names = Names(openpgpkey_out_example=[PUBLIC])
    found = ask(names, lambda request: httpx.Response(200, content=pieces()))
    assert found == FoundCertificates()
    assert read <= limits.MAX_WKD_ANSWER_BYTES + 2 * 65_536


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_fails_is_asked_again_later(status):
    names = Names(openpgpkey_out_example=[PUBLIC])
    with pytest.raises(UnavailableError, match="try again later"):
        ask(names, lambda request: httpx.Response(status))


def test_names_that_are_not_answered_and_a_slow_server_are_for_later(monkeypatch):
    with pytest.raises(UnavailableError):
        ask(Names(openpgpkey_out_example=None), never)
    monkeypatch.setattr(limits, "WKD_SECONDS", 0.05)

    async def slow(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(10)
        return httpx.Response(200)

    with pytest.raises(UnavailableError):
        ask(Names(openpgpkey_out_example=[PUBLIC]), slow)
