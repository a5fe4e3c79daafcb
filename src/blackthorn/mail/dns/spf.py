"""SPF records of the own domain (RFC 7208): faults, the number of look-ups, and who may send.

Not an evaluation for a received mail: macros count as unknown.
"""

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from blackthorn.mail.dns.facts import Facts

MAX_LOOK_UPS = 10
"""Terms that cause look-ups in an evaluation (RFC 7208, 4.6.4)."""
MAX_RECORDS = 32
"""Records that are read with all includes, against a maze of them."""

_MECHANISMS = ("all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists")


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
    allowed: set[str] = field(default_factory=set)
    """Networks, and addresses of names, that pass, as text; those of `include` too."""
    end: str = ""
    """The last word of the first record, such as `-all`, or `redirect`."""

    def permits(self, address: str) -> bool:
        """Whether the address is one of those."""
        wanted = ip_address(address)
        return any(wanted in ip_network(each, strict=False) for each in self.allowed)


def spf_records(facts: Facts, name: str) -> list[str]:
    """The SPF records among a name's TXT records (RFC 7208, 4.5)."""
    values = facts.look(name, "TXT").values
    return [text for text in values if text.lower().split(" ", 1)[0] == "v=spf1"]


def read(facts: Facts, domain: str, record: str) -> Spf:
    """Read a domain's record with what it includes."""
    spf = Spf()
    spf.end = _read(facts, domain, record, spf)
    return spf


def _read(facts: Facts, domain: str, record: str, spf: Spf) -> str:
    spf.records += 1
    end = ""
    for term in record.lower().split()[1:]:
        if spf.records > MAX_RECORDS:
            break
        name, mark, target = term.partition("=")
        if mark and ":" not in name and "/" not in name:
            if name == "redirect":
                spf.look_ups += 1
                end = _include(facts, target, spf) or "redirect"
            continue
        qualifier = term[0] if term[0] in "+-~?" else "+"
        mechanism, _, value = term.lstrip("+-~?").partition(":")
        mechanism, _, length = mechanism.partition("/")
        value, _, suffix = value.partition("/") if mechanism in ("a", "mx") else (value, "", "")
        if mechanism not in _MECHANISMS:
            spf.unknown.append(term)
        elif mechanism == "all":
            end = f"{qualifier}all"
        else:
            _mechanism(facts, mechanism, value or domain, length or suffix, spf)
    return end


def _mechanism(facts: Facts, mechanism: str, value: str, length: str, spf: Spf) -> None:
    if mechanism in ("ip4", "ip6"):
        try:
            spf.allowed.add(str(ip_network(value, strict=False)))
        except ValueError:
            spf.unknown.append(f"{mechanism}:{value}")
        return
    spf.look_ups += 1
    spf.uses_ptr |= mechanism == "ptr"
    if "%" in value or mechanism in ("ptr", "exists"):
        return
    if mechanism == "include":
        _include(facts, value, spf)
        return
    hosts = [value]
    if mechanism == "mx":
        hosts = [mx.split()[-1] for mx in facts.look(value, "MX").values if len(mx.split()) == 2]
    for host in hosts:
        for address in facts.addresses(host):
            size = length.partition("/")[0] if ":" not in address else length.rpartition("/")[2]
            spf.allowed.add(f"{address}/{size}" if size.isdecimal() else address)


def _include(facts: Facts, target: str, spf: Spf) -> str:
    if "%" in target:
        return ""
    records = spf_records(facts, target)
    if (target, "TXT") in facts.missing:
        return ""
    if len(records) != 1:
        spf.broken.append(target)
        return ""
    return _read(facts, target, records[0], spf)
