"""`dns print` and `dns check`: the printed zone is right, and each mistake in it is named."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import dns.zone
import pytest

from blackthorn.edges.dns.resolver import DnsResolver
from blackthorn.errors import UnavailableError
from blackthorn.mail.dns import spf
from blackthorn.mail.dns.check import CHECKS, check
from blackthorn.mail.dns.facts import Facts, Finding, Found, Level
from blackthorn.mail.dns.setup import DkimKey, Setup
from blackthorn.mail.dns.sts import policy_text
from blackthorn.mail.dns.zone import zone, zone_text
from blackthorn.programs.server.zone.asking import check_domain
from tests.support.fake_dns import DnsServer, dns_server, servfail
from tests.support.mail_zone import DOMAIN, HOST, MISTAKES, SETUP, TEN, spoil


def checked(
    spoiled: Callable[[DnsServer], None], setup: Setup = SETUP, policy: Found | None = None
) -> list[Finding]:
    """The findings, asked of a real name server."""

    async def fetch(host: str) -> Found:
        assert host == f"mta-sts.{DOMAIN}"
        return Found((policy_text(setup),)) if policy is None else policy

    async def ask() -> list[Finding]:
        async with dns_server() as server:
            spoiled(server)
            return await check_domain(setup, DnsResolver([server.address]), fetch)

    return asyncio.run(ask())


def wrong(findings: list[Finding]) -> dict[str, Finding]:
    return {each.code: each for each in findings if each.level in (Level.WARNING, Level.ERROR)}


def test_the_printed_zone_is_one_and_right() -> None:
    text = zone_text(SETUP)
    read = dns.zone.from_text(f"$ORIGIN {DOMAIN}.\n{text}", DOMAIN, check_origin=False)
    assert len(list(read.iterate_rdatas())) == sum(not each.optional for each in zone(SETUP))
    assert all(len(line) < 1_000 and '"' in line for line in text.splitlines() if " TXT " in line)
    assert "pct" not in text and f"{DOMAIN}. 3600 IN MX 10 {HOST}." in text
    findings = checked(spoil)
    assert wrong(findings) == {}
    good = {each.topic for each in findings if each.level is Level.GOOD}
    assert good == {topic for topic, _ in CHECKS} - {"autoconfig"}


@pytest.mark.parametrize("code", MISTAKES)
def test_a_mistake_is_named_and_a_way_to_mend_it(code: str) -> None:
    found = wrong(checked(lambda server: spoil(server, code)))
    assert code in found, found
    assert found[code].mend and "\n" not in found[code].text
    follows = {"mx-elsewhere", "mx-missing", "mx-null", "mx-others", "mx-alias", "mx-no-address"}
    consequences = {"spf-without-us", "sts-mx-missing", "mx-others", "wkd-elsewhere"}
    if code not in follows and code != "host-elsewhere":
        assert set(found) - {code} <= consequences, found


def test_a_retired_key_is_printed_and_not_asked_for() -> None:
    old = DkimKey("bt0", "ed25519", "AAAA", retired=True)
    setup = replace(SETUP, dkim=(*SETUP.dkim, old))
    assert f'bt0._domainkey.{DOMAIN}. 3600 IN TXT "{old.record}"' in zone_text(setup)
    assert wrong(checked(spoil, setup)) == {}
    only = checked(spoil, replace(SETUP, dkim=(old,)))
    assert "dkim-no-key" in {each.code for each in only}


def test_ten_mistakes_at_once_are_found_each_by_its_name() -> None:
    found = wrong(checked(lambda server: spoil(server, *TEN)))
    assert len(TEN) == 10 and set(TEN) <= set(found)


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (Found(failed="the certificate does not name it"), "sts-policy-unreachable"),
        (Found(("<html>not found</html>",)), "sts-policy-malformed"),
        (
            Found(("version: STSv1\nmode: enforce\nmx: mx.old.example\nmax_age: 604800\n",)),
            "sts-mx-missing",
        ),
        (Found((f"version: STSv1\nmode: enforce\nmx: {HOST}\nmax_age: 60\n",)), "sts-short"),
    ],
)
def test_a_policy_that_does_not_fit_is_named(policy: Found, code: str) -> None:
    assert set(wrong(checked(spoil, policy=policy))) == {code}


def test_a_server_that_fails_is_told_apart_from_a_missing_record() -> None:
    def fail(server: DnsServer) -> None:
        spoil(server)
        server.zone[f"_dmarc.{DOMAIN}", "TXT"] = servfail

    (finding,) = wrong(checked(fail)).values()
    assert (finding.topic, finding.code) == ("DMARC", "no-answer")


def test_no_name_server_at_all_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from blackthorn.edges.dns import limits

    monkeypatch.setattr(limits, "QUESTION_SECONDS", 0.3)
    with pytest.raises(UnavailableError, match=r"dns\.servers"):
        asyncio.run(check_domain(SETUP, DnsResolver(["127.0.0.1:1"]), lambda _: asyncio.sleep(0)))


def test_a_large_answer_comes_by_tcp() -> None:
    def fill(server: DnsServer) -> None:
        spoil(server)
        texts = server.zone[DOMAIN, "TXT"][1]
        texts += [f'"verification={"x" * 200}{number}"' for number in range(12)]

    assert wrong(checked(fill)) == {}


SPF_RECORDS = {
    f"mx.{DOMAIN}": ("A", "192.0.2.1"),
    "all.example": ("TXT", "v=spf1 -ip4:192.0.2.7 ip4:192.0.2.0/24 -all"),
    "none.example": ("TXT", "v=spf1 -all"),
}


@pytest.mark.parametrize(
    ("terms", "permitted"),
    [
        ("ip4:192.0.2.1 -all", True),
        ("-ip4:192.0.2.1 +all", False),
        ("?ip4:192.0.2.0/24 ip4:192.0.2.1 -all", False),
        ("ip4:192.0.2.1 -ip4:192.0.2.1 -all", True),
        ("+all", True),
        ("~all", False),
        (f"a:mx.{DOMAIN} -all", True),
        (f"a:mx.{DOMAIN}/24//64 -all", True),
        (f"-a:mx.{DOMAIN} ip4:192.0.2.1 -all", False),
        ("include:all.example -all", True),
        ("-include:all.example +all", False),
        ("include:none.example ip4:192.0.2.1 -all", True),
        ("redirect=all.example", True),
        ("redirect=none.example", False),
    ],
)
def test_spf_goes_by_the_first_term_that_matches(terms: str, permitted: bool) -> None:
    known = {
        (name, kind): Found((value,) if kind == of else ())
        for name, (of, value) in SPF_RECORDS.items()
        for kind in ("A", "AAAA", "TXT")
    }
    found = spf.read(Facts(known), DOMAIN, f"v=spf1 {terms}")
    assert found.unknown == [] and found.permits("192.0.2.1") is permitted


@pytest.mark.parametrize(
    "term",
    [
        *("a/99", "a/-1", "mx//129", "a/24/64", "include"),
        *("ip4:192.0.2.1/33", "ip4:192.0.2.0/255.255.255.0", "ip4:2001:db8::1", "ip6:192.0.2.1"),
    ],
)
def test_a_malformed_spf_term_is_named(term: str) -> None:
    known = {(DOMAIN, kind): Found(("192.0.2.1",) if kind == "A" else ()) for kind in ("A", "AAAA")}
    found = spf.read(Facts(known), DOMAIN, f"v=spf1 {term} -all")
    assert found.unknown == [term] and not found.permits("192.0.2.1")


def test_an_spf_maze_ends() -> None:
    def loop(server: DnsServer) -> None:
        spoil(server)
        server.zone[DOMAIN, "TXT"] = (60, ['"v=spf1 include:a.example mx -all"'])
        server.zone["a.example", "TXT"] = (60, ['"v=spf1 include:b.example -all"'])
        server.zone["b.example", "TXT"] = (60, ['"v=spf1 include:a.example -all"'])

    assert set(wrong(checked(loop))) == {"spf-too-many"}


def test_without_known_addresses_those_of_the_host_count() -> None:
    setup = replace(SETUP, addresses=())
    assert "IN A ADDRESS" in zone_text(setup)
    found = wrong(checked(lambda server: spoil(server), setup))
    assert set(found) == {"host-not-public"}, "documentation addresses are not global"
    assert not ip_address(SETUP.addresses[0]).is_global


ODD = ("", ";;;=", "v=spf1", "v=DMARC1", "\x00\x1b[31m" * 9, "a" * 9_999)


@pytest.mark.parametrize("value", ODD)
def test_any_answer_of_any_kind_is_judged(value: str) -> None:
    """Every question gets the same odd answer; nothing raises."""
    known: dict[tuple[str, str], Found] = {}
    for _ in range(16):
        _, missing = check(SETUP, known)
        if not missing:
            break
        for name, kind in missing:
            if kind in ("A", "AAAA"):
                found = Found(("203.0.113.5",) if kind == "A" else ())
            else:
                found = Found((value,)) if kind in ("TXT", "HTTPS") else Found((f"0 {value}",))
            known[name, kind] = found
    findings, _ = check(SETUP, known)
    assert wrong(findings)
