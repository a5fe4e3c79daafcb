"""The records of a mail domain as a test's name server has them: right, or with named mistakes."""

from collections.abc import Callable
from typing import Any, Final

from blackthorn.mail.dns.setup import DkimKey, Setup
from blackthorn.mail.dns.zone import reverse_names, zone
from tests.support.fake_dns import DnsServer

DOMAIN: Final = "acme.example"
HOST: Final = "mail.acme.example"
ELSEWHERE: Final = "198.51.100.77"
ED25519: Final = DkimKey("bt1", "ed25519", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")

SETUP: Final = Setup(
    domain=DOMAIN,
    host=HOST,
    addresses=("203.0.113.5", "2001:db8::5"),
    names=(HOST, "mta-sts.acme.example", "openpgpkey.acme.example"),
    trusted=True,
    key_hash="ab" * 32,
    dkim=(ED25519, DkimKey("bt2", "rsa", "MIIB" + "A" * 388)),
    issuer="letsencrypt.org",
    submission=(("submission", 587), ("submissions", 465)),
)

Zone = dict[tuple[str, str], Any]


def right(setup: Setup = SETUP) -> Zone:
    """The zone that `dns print` prints, with the reverse names."""
    records: Zone = {}
    for each in zone(setup):
        if each.value == "ADDRESS":
            continue
        value = f'"{each.value}"' if each.kind == "TXT" else each.value
        if each.kind == "TXT":
            middle = len(each.value) // 2
            value = f'"{each.value[:middle]}" "{each.value[middle:]}"'
        records.setdefault((each.name, each.kind), (60, []))[1].append(value)
    for name in reverse_names(setup):
        records[name, "PTR"] = (60, [f"{setup.host}."])
    return records


def _set(name: str, kind: str, *values: str) -> Callable[[Zone], None]:
    def change(records: Zone) -> None:
        records[name, kind] = (60, list(values))

    return change


def _drop(name: str, kind: str) -> Callable[[Zone], None]:
    def change(records: Zone) -> None:
        del records[name, kind]

    return change


def _alias(records: Zone) -> None:
    records[DOMAIN, "MX"][1].append("20 backup.acme.example.")
    records["backup.acme.example", "CNAME"] = (60, [f"{HOST}."])


def _many_includes(records: Zone) -> None:
    words = " ".join(f"include:s{number}.example" for number in range(11))
    records[DOMAIN, "TXT"] = (60, [f'"v=spf1 mx {words} -all"'])
    for number in range(11):
        records[f"s{number}.example", "TXT"] = (60, [f'"v=spf1 ip4:198.51.100.{number} -all"'])


def _wkd(records: Zone) -> None:
    del records["openpgpkey.acme.example", "CNAME"]
    records["openpgpkey.acme.example", "A"] = (60, [ELSEWHERE])


_DMARC: Final = f"_dmarc.{DOMAIN}"
_POLICY: Final = "v=DMARC1; p=reject; rua=mailto:postmaster@acme.example"

MISTAKES: Final[dict[str, Callable[[Zone], None]]] = {
    "mx-missing": _drop(DOMAIN, "MX"),
    "mx-null": _set(DOMAIN, "MX", "0 ."),
    "mx-elsewhere": _set(DOMAIN, "MX", f"10 {DOMAIN}."),
    "mx-alias": _alias,
    "mx-others": _set(DOMAIN, "MX", f"10 {HOST}.", f"20 {DOMAIN}."),
    "mx-no-address": _set(DOMAIN, "MX", f"10 {HOST}.", "20 gone.acme.example."),
    "host-elsewhere": _set(HOST, "A", ELSEWHERE),
    "reverse-differs": _set("5.113.0.203.in-addr.arpa", "PTR", "static.hoster.example."),
    "spf-missing": _set(DOMAIN, "TXT", '"a site verification"'),
    "spf-several": _set(DOMAIN, "TXT", '"v=spf1 mx -all"', '"v=spf1 a -all"'),
    "spf-malformed": _set(DOMAIN, "TXT", '"v=spf1 mx ipv4:203.0.113.5 -all"'),
    "spf-broken-include": _set(DOMAIN, "TXT", '"v=spf1 mx include:gone.example -all"'),
    "spf-too-many": _many_includes,
    "spf-open": _set(DOMAIN, "TXT", '"v=spf1 mx +all"'),
    "spf-open-end": _set(DOMAIN, "TXT", '"v=spf1 mx"'),
    "spf-ptr": _set(DOMAIN, "TXT", '"v=spf1 mx ptr -all"'),
    "spf-without-us": _set(DOMAIN, "TXT", '"v=spf1 ip4:198.51.100.0/24 -all"'),
    "dkim-missing": _drop(f"bt1._domainkey.{DOMAIN}", "TXT"),
    "dkim-several": _set(f"bt1._domainkey.{DOMAIN}", "TXT", '"v=DKIM1; p=AA"', '"v=DKIM1; p=BB"'),
    "dkim-revoked": _set(f"bt1._domainkey.{DOMAIN}", "TXT", '"v=DKIM1; p="'),
    "dkim-malformed": _set(f"bt1._domainkey.{DOMAIN}", "TXT", '"v=DKIM2; p=AA"'),
    "dkim-other-key": _set(f"bt1._domainkey.{DOMAIN}", "TXT", '"v=DKIM1; k=ed25519; p=AAAA"'),
    "dkim-testing": _set(
        f"bt1._domainkey.{DOMAIN}", "TXT", f'"k=ed25519; t=s:y; p={ED25519.public}"'
    ),
    "dmarc-missing": _drop(_DMARC, "TXT"),
    "dmarc-several": _set(_DMARC, "TXT", f'"{_POLICY}"', '"v=DMARC1; p=none"'),
    "dmarc-malformed": _set(_DMARC, "TXT", '"v=DMARC1; p=maybe; rua=mailto:a@acme.example"'),
    "dmarc-none": _set(_DMARC, "TXT", '"v=DMARC1; p=none; rua=mailto:a@acme.example"'),
    "dmarc-pct": _set(_DMARC, "TXT", f'"{_POLICY}; pct=50"'),
    "dmarc-no-reports": _set(_DMARC, "TXT", '"v=DMARC1; p=reject"'),
    "dmarc-reports-refused": _set(_DMARC, "TXT", '"v=DMARC1; p=reject; rua=mailto:a@b.example"'),
    "sts-missing": _drop(f"_mta-sts.{DOMAIN}", "TXT"),
    "sts-several": _set(f"_mta-sts.{DOMAIN}", "TXT", '"v=STSv1; id=a1"', '"v=STSv1; id=a2"'),
    "sts-malformed": _set(f"_mta-sts.{DOMAIN}", "TXT", '"v=STSv1; id=2026-01-01"'),
    "sts-old-id": _set(f"_mta-sts.{DOMAIN}", "TXT", '"v=STSv1; id=20260101"'),
    "tlsrpt-missing": _drop(f"_smtp._tls.{DOMAIN}", "TXT"),
    "tlsrpt-malformed": _set(f"_smtp._tls.{DOMAIN}", "TXT", '"v=TLSRPTv1; postmaster@a.example"'),
    "tlsa-other-key": _set(f"_25._tcp.{HOST}", "TLSA", f"3 1 1 {'cd' * 32}"),
    "caa-forbids": _set(DOMAIN, "CAA", '0 issue "other.example"'),
    "wkd-missing": _drop(f"openpgpkey.{DOMAIN}", "CNAME"),
    "wkd-elsewhere": _wkd,
    "srv-elsewhere": _set(f"_submission._tcp.{DOMAIN}", "SRV", "0 1 587 mx.old.example."),
    "srv-denied": _set(f"_submission._tcp.{DOMAIN}", "SRV", "0 0 0 ."),
    "autoconfig-elsewhere": _set(f"autoconfig.{DOMAIN}", "A", ELSEWHERE),
}
"""Code of a finding → the mistake in the zone."""

TEN: Final = (
    "mx-alias",
    "host-elsewhere",
    "spf-several",
    "dkim-other-key",
    "dmarc-pct",
    "dmarc-reports-refused",
    "tlsrpt-malformed",
    "caa-forbids",
    "wkd-elsewhere",
    "srv-elsewhere",
)
"""Mistakes that one zone can have together."""


def spoil(server: DnsServer, *codes: str, setup: Setup = SETUP) -> None:
    """Give the server the right zone with these mistakes."""
    records = right(setup)
    if "dmarc-pct" in codes and "dmarc-reports-refused" in codes:
        both = '"v=DMARC1; p=reject; pct=50; rua=mailto:a@b.example"'
        records[_DMARC, "TXT"] = (60, [both])
        codes = tuple(code for code in codes if not code.startswith("dmarc-"))
    for code in codes:
        MISTAKES[code](records)
    records.setdefault((DOMAIN, "A"), (60, [ELSEWHERE]))
    server.zone = records
