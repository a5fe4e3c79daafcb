"""SPF records of the own domain (RFC 7208): faults, the number of look-ups, and who may send.

Not an evaluation for a received mail: macros count as unknown.
"""

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from blackthorn.mail.dns.facts import Facts

MAX_LOOK_UPS = 10
"""Terms that cause look-ups in an evaluation (RFC 7208, 4.6.4)."""
MAX_RECORDS = 32
"""Records that are read with all includes, against a maze of them."""

_MECHANISMS = ("all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists")
_LENGTHS: Final = re.compile(r"(?:/(\d{1,2}))?(?://(\d{1,3}))?")
"""Prefix lengths of `a` and `mx`: of IPv4, and after two strokes of IPv6 (5.6)."""

Network = IPv4Network | IPv6Network


@dataclass
class Term:
    """A mechanism with its qualifier, and what it matches: networks, or what a record passes."""

    qualifier: str
    networks: list[Network] = field(default_factory=list)
    record: "Record | None" = None
    all: bool = False

    def matches(self, address: str) -> bool:
        wanted = ip_address(address)
        if self.record is not None:
            return self.record.permits(address)
        return self.all or any(wanted in network for network in self.networks)


@dataclass
class Record:
    """The terms of one record, in their order; `redirect` counts when none matches (6.1)."""

    terms: list[Term] = field(default_factory=list)
    redirect: "Record | None" = None

    def permits(self, address: str) -> bool:
        """Whether the first term that matches the address lets it send (4.6.2)."""
        for term in self.terms:
            if term.matches(address):
                return term.qualifier == "+"
        return self.redirect is not None and self.redirect.permits(address)


@dataclass
class Spf:
    """What a record and those that it includes say."""

    records: int = 0
    look_ups: int = 0
    unknown: list[str] = field(default_factory=list)
    """Terms that are none of RFC 7208, as written."""
    broken: list[str] = field(default_factory=list)
    """Domains that are included and have not exactly one record."""
    uses_ptr: bool = False
    first: Record = field(default_factory=Record)
    end: str = ""
    """The last word of the first record, such as `-all`, or `redirect`."""

    def permits(self, address: str) -> bool:
        """Whether the domain lets the address send."""
        return self.first.permits(address)


def spf_records(facts: Facts, name: str) -> list[str]:
    """The SPF records among a name's TXT records (RFC 7208, 4.5)."""
    values = facts.look(name, "TXT").values
    return [text for text in values if text.lower().split(" ", 1)[0] == "v=spf1"]


def read(facts: Facts, domain: str, record: str) -> Spf:
    """Read a domain's record with what it includes."""
    spf = Spf()
    spf.first, spf.end = _read(facts, domain, record, spf)
    return spf


def _read(facts: Facts, domain: str, text: str, spf: Spf) -> tuple[Record, str]:
    """The record, and the word that it ends with."""
    spf.records += 1
    record, end = Record(), ""
    for word in text.lower().split()[1:]:
        if spf.records > MAX_RECORDS:
            break
        name, mark, target = word.partition("=")
        if mark and ":" not in name and "/" not in name:
            if name == "redirect":
                spf.look_ups += 1
                record.redirect, last = _follow(facts, target, spf)
                end = end or last or "redirect"
            continue
        qualifier = word[0] if word[0] in "+-~?" else "+"
        mechanism, value, lengths = _parts(word.removeprefix(qualifier))
        named = bool(value) or mechanism not in ("include", "exists")
        if mechanism not in _MECHANISMS or not named or (lengths and mechanism not in ("a", "mx")):
            spf.unknown.append(word)
        elif mechanism == "all":
            record.terms.append(Term(qualifier, all=True))
            end = f"{qualifier}all"
        else:
            term = Term(qualifier)
            record.terms.append(term)
            _fill(facts, term, mechanism, value or domain, lengths, word, spf)
    return record, end


def _parts(word: str) -> tuple[str, str, str]:
    """The mechanism, its value, and of other than ip4 and ip6 the prefix lengths with strokes."""
    mechanism, _, value = word.partition(":")
    if mechanism in ("ip4", "ip6"):
        return mechanism, value, ""
    text, stroke, lengths = (value or mechanism).partition("/")
    found = stroke + lengths
    return (mechanism, text, found) if value else (text, "", found)


def _fill(
    facts: Facts, term: Term, mechanism: str, value: str, lengths: str, word: str, spf: Spf
) -> None:
    """Look up what the term matches."""
    if mechanism in ("ip4", "ip6"):
        if (network := _network(mechanism, value)) is None:
            spf.unknown.append(word)
        else:
            term.networks.append(network)
        return
    sizes = _LENGTHS.fullmatch(lengths)
    if sizes is None or int(sizes[1] or 0) > 32 or int(sizes[2] or 0) > 128:
        spf.unknown.append(word)
        return
    spf.look_ups += 1
    spf.uses_ptr |= mechanism == "ptr"
    if "%" in value or mechanism in ("ptr", "exists"):
        return
    if mechanism == "include":
        term.record, _ = _follow(facts, value, spf)
        return
    hosts = [value]
    if mechanism == "mx":
        hosts = [mx.split()[-1] for mx in facts.look(value, "MX").values if len(mx.split()) == 2]
    for host in hosts:
        for address in facts.addresses(host):
            size = (sizes[2] or 128) if ":" in address else (sizes[1] or 32)
            term.networks.append(ip_network(f"{address}/{size}", strict=False))


def _network(mechanism: str, text: str) -> Network | None:
    """The network of `ip4` or `ip6`, of which the length is a number (5.6)."""
    if not (text.partition("/")[2] or "0").isdecimal():
        return None
    try:
        return (IPv4Network if mechanism == "ip4" else IPv6Network)(text, strict=False)
    except ValueError:
        return None


def _follow(facts: Facts, target: str, spf: Spf) -> tuple[Record, str]:
    """The record of an include or a redirect, and its last word; an empty one when unknown."""
    if "%" in target:
        return Record(), ""
    records = spf_records(facts, target)
    if (target, "TXT") in facts.missing:
        return Record(), ""
    if len(records) != 1:
        spf.broken.append(target)
        return Record(), ""
    return _read(facts, target, records[0], spf)
