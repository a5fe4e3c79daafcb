"""What the records of the own domain follow from: the settings, the certificate, the DKIM keys."""

import datetime
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from blackthorn.errors import UserError
from blackthorn.mail.dns.setup import DkimKey, Setup
from blackthorn.programs.server.certificates.report import Report, report
from blackthorn.programs.server.certificates.sources import Kind
from blackthorn.programs.server.settings.tls import MtaStsSettings, TlsSettings
from blackthorn.storage.files.dkim import StoredKey
from blackthorn.storage.files.server import ServerFolder

ISSUERS: Final = {
    "letsencrypt.org": "letsencrypt.org",
    "zerossl.com": "sectigo.com",
    "pki.goog": "pki.goog",
    "buypass.com": "buypass.com",
    "buypass.no": "buypass.com",
    "ssl.com": "ssl.com",
}
"""ACME server's domain → the name by which its authority is allowed in CAA records."""


SUBMISSION: Final = (("submission", 587), ("submissions", 465))
"""Services and the ports at which the world reaches them (RFC 6409, RFC 8314)."""


def make_setup(
    domain: str,
    tls: TlsSettings,
    mta_sts: MtaStsSettings,
    server: Path,
    addresses: Sequence[str] = (),
    submission: bool = False,
) -> Setup:
    """`submission`: whether it is offered, which mail programs reach at its usual ports.

    Raises UserError for what is no address, DamageError for what is no key, DiskError.
    """
    told = report(tls, domain, server, datetime.datetime.now(datetime.UTC))
    own = told.certificate
    return Setup(
        domain=domain,
        host=tls.host_name or domain,
        addresses=tuple(map(_address, addresses)),
        names=() if own is None else own.names,
        trusted=_trusted(told),
        key_hash="" if own is None else own.key_hash,
        dkim=tuple(map(dkim_key, ServerFolder(server).dkim.stored())),
        sts_mode=mta_sts.mode,
        sts_seconds=mta_sts.max_age_seconds,
        issuer=_issuer(tls.acme),
        submission=SUBMISSION if submission else (),
    )


def policy_setup(domain: str, tls: TlsSettings, mta_sts: MtaStsSettings) -> Setup:
    """Enough of it for the MTA-STS policy."""
    host = tls.host_name or domain
    return Setup(domain, host, sts_mode=mta_sts.mode, sts_seconds=mta_sts.max_age_seconds)


def _trusted(told: Report) -> bool:
    return told.source.kind is not Kind.SELF_SIGNED and not told.problems


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise UserError(f"--address {text!r} is no IP address, such as 203.0.113.5") from None


def dkim_key(stored: StoredKey) -> DkimKey:
    """What is published of a key."""
    return DkimKey(stored.selector, stored.key.kind, stored.key.public, stored.retired)


def _issuer(directory: str) -> str:
    host = urlsplit(directory).hostname or ""
    parts = host.split(".")
    return next(
        (
            ISSUERS[name]
            for start in range(len(parts))
            if (name := ".".join(parts[start:])) in ISSUERS
        ),
        "",
    )
