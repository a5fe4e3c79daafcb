"""The zone to paste: the records that a domain should have, each with its reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from blackthorn.mail.dns.setup import Setup
from blackthorn.mail.dns.sts import policy_id

TTL_SECONDS = 3_600
_STRING = 255
"""Bytes of one string of a TXT record (RFC 1035, 3.3.14)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One record. `optional`: mail works without it; printed as a comment."""

    topic: str
    name: str
    kind: str
    value: str
    why: str
    optional: bool = False


def zone(setup: Setup) -> list[Wanted]:
    """The records in the order in which they are set."""
    return [*_delivery(setup), *_senders(setup), *_transport(setup), *_services(setup)]


def _delivery(setup: Setup) -> Iterator[Wanted]:
    domain, host = setup.domain, setup.host
    yield Wanted("MX", domain, "MX", f"10 {host}.", "mail for the domain comes to this server")
    yield from _here(setup, "host", host, "the server's addresses; its PTR records name it too")


def _here(setup: Setup, topic: str, name: str, why: str) -> Iterator[Wanted]:
    """Records that lead a name to the server: its addresses, or an alias for another name."""
    if name != setup.host:
        yield Wanted(topic, name, "CNAME", f"{setup.host}.", why)
        return
    for address in setup.addresses:
        yield Wanted(topic, name, "AAAA" if ":" in address else "A", address, why)
    if not setup.addresses:
        text = "ADDRESS"
        yield Wanted(topic, name, "A", text, f"{why}: write the address here", optional=True)


def _senders(setup: Setup) -> Iterator[Wanted]:
    domain = setup.domain
    yield Wanted(
        "SPF", domain, "TXT", "v=spf1 mx -all", "only this server sends for the domain (RFC 7208)"
    )
    if setup.host != domain:
        text = "a notice of non-delivery has no sender's domain but the server's own name"
        yield Wanted("SPF", setup.host, "TXT", "v=spf1 a -all", text)
    for key in setup.dkim:
        name = f"{key.selector}._domainkey.{domain}"
        text = "the key that signs outgoing mail (RFC 6376, 8463)"
        if key.retired:
            text = "a retired key, for mail on its way: not needed any more a week after"
        yield Wanted("DKIM", name, "TXT", key.record, text)
    yield Wanted(
        "DMARC",
        f"_dmarc.{domain}",
        "TXT",
        f"v=DMARC1; p=quarantine; rua=mailto:{setup.postmaster}",
        "what others do with mail that only pretends to be of the domain (RFC 9989)",
    )


def _transport(setup: Setup) -> Iterator[Wanted]:
    domain = setup.domain
    text = "senders come by verified TLS alone, once the mode is enforce (RFC 8461)"
    yield Wanted("MTA-STS", f"_mta-sts.{domain}", "TXT", f"v=STSv1; id={policy_id(setup)}", text)
    yield from _here(setup, "MTA-STS", setup.sts_host, "where the policy is served by HTTPS")
    value = f"v=TLSRPTv1; rua=mailto:{setup.postmaster}"
    text = "where senders report failures of TLS (RFC 8460)"
    yield Wanted("TLS-RPT", f"_smtp._tls.{domain}", "TXT", value, text)
    if setup.issuer:
        text = "no other authority may certify names of the domain (RFC 8659)"
        yield Wanted("CAA", domain, "CAA", f'0 issue "{setup.issuer}"', text)
        yield Wanted("CAA", domain, "CAA", '0 issuewild ";"', "nor anyone all of them at once")
    if setup.key_hash:
        text = "only in a zone signed by DNSSEC, and only while the key stays (RFC 7672)"
        name, value = f"_25._tcp.{setup.host}", f"3 1 1 {setup.key_hash}"
        yield Wanted("TLSA", name, "TLSA", value, text, optional=True)


def _services(setup: Setup) -> Iterator[Wanted]:
    domain = setup.domain
    text = "where others find the certificates of the domain's users (WKD)"
    yield from _here(setup, "WKD", setup.wkd_host, text)
    offered = dict(setup.submission)
    for service in ("submission", "submissions", "imap", "imaps", "pop3", "pop3s"):
        port = offered.get(service)
        value = f"0 1 {port} {setup.host}." if port else "0 0 0 ."
        text = "where mail programs find it (RFC 6186, 8314)" if port else "not offered (RFC 6186)"
        yield Wanted("SRV", f"_{service}._tcp.{domain}", "SRV", value, text)


def zone_text(setup: Setup) -> str:
    """The records in the form of a zone file (RFC 1035, 5.1)."""
    lines = [f"; Mail of {setup.domain}, by {setup.host}"]
    topic = why = ""
    for each in zone(setup):
        if each.topic != topic:
            lines.append("")
        if (each.topic, each.why) != (topic, why):
            lines.append(f"; {each.topic}: {each.why}")
        topic, why = each.topic, each.why
        value = _quoted(each.value) if each.kind == "TXT" else each.value
        comment = "; " if each.optional else ""
        lines.append(f"{comment}{each.name}. {TTL_SECONDS} IN {each.kind} {value}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    safe = text.replace("\\", "\\\\").replace('"', '\\"')
    return " ".join(f'"{safe[start : start + _STRING]}"' for start in range(0, len(safe), _STRING))


def reverse_names(setup: Setup) -> list[str]:
    """The names whose PTR records the owner of the addresses sets."""
    return [ip_address(address).reverse_pointer for address in setup.addresses]
