"""What the administrator's commands tell and do about the certificate, beside a running server."""

import asyncio
import datetime
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blackthorn.crypto.certificates import Certificate, CertificateError, Fault, Problem
from blackthorn.errors import UnavailableError, UserError
from blackthorn.programs import log
from blackthorn.programs.server.certificates import limits, sources
from blackthorn.programs.server.certificates.renewal import Attempt, last_attempt
from blackthorn.programs.server.certificates.running import renew_once
from blackthorn.programs.server.certificates.sources import Kind, Source
from blackthorn.programs.server.settings.tls import TlsSettings
from blackthorn.storage.files.certificates import CertificateFiles
from blackthorn.storage.files.server import ServerFolder

POLL_SECONDS: Final = 0.5

_NOT_YET: Final = {
    Kind.ACME: "not issued yet: the running server asks for it, and is self-signed until then",
    Kind.SELF_SIGNED: "not made yet: the server makes it when it starts",
}


@dataclass(frozen=True, slots=True)
class Report:
    """The certificate that the settings name, as it is on the disk now."""

    source: Source
    names: tuple[str, ...]
    """What it should name."""
    certificate: Certificate | None
    problems: list[Problem]
    days_left: int
    ends_soon: bool
    attempt: Attempt
    """Of ACME."""


def report(settings: TlsSettings, domain: str, server: Path, now: datetime.datetime) -> Report:
    """Read and check it. Raises DiskError."""
    source, names = sources.configured(settings, server), settings.names(domain)
    attempt = last_attempt(CertificateFiles(server))
    try:
        loaded = sources.load(source, names)
    except CertificateError as error:
        problem = error.problem
        if source.kind is not Kind.FILES and not source.certificate.exists():
            problem = Problem(Fault.UNREADABLE, _NOT_YET[source.kind])
        return Report(source, names, None, [problem], 0, False, attempt)
    certificate = loaded.certificate
    soon = sources.ends_soon(certificate, now) and now <= certificate.not_after
    days = (certificate.not_after - now).days
    return Report(source, names, certificate, loaded.problems(now), days, soon, attempt)


def certificate_warnings(settings: TlsSettings, domain: str, server: Path) -> list[str]:
    """What is to be mended of it, one line each, whether the server runs or not."""
    told = report(settings, domain, server, datetime.datetime.now(datetime.UTC))
    if told.certificate is None and told.source.kind is Kind.SELF_SIGNED:
        return []  # the server makes it when it starts
    found = [f"the certificate of HTTPS and SMTP: {each.text}" for each in told.problems]
    if told.ends_soon:
        found.append(f"the certificate of HTTPS and SMTP ends in {told.days_left} days: renew it")
    return found


def renew(settings: TlsSettings, domain: str, server: Path, now: datetime.datetime) -> Kind:
    """Renew now; a running server does it itself, and takes the new one. Blocks for minutes.

    Raises UserError for a certificate of the administrator's files, UnavailableError with the
    authority's reason, StorageError.
    """
    source = sources.configured(settings, server)
    if source.kind is Kind.FILES:
        raise UserError(
            f"{source.certificate} is not this server's to renew: use the program that made it; "
            "a running server reads the new file by itself"
        )
    if source.kind is Kind.SELF_SIGNED:
        sources.make_own(server, settings.names(domain), now, anew=True)
        return source.kind
    if not _runs(server):
        log.configure("error")  # the command itself tells the outcome
        asyncio.run(renew_once(settings, domain, server))
        return source.kind
    files = CertificateFiles(server)
    before = last_attempt(files)
    files.write(files.request, b"")
    done = _next_attempt(files, before)
    if done.error:
        raise UnavailableError(f"the certificate was not renewed: {done.error}")
    return source.kind


def _runs(server: Path) -> bool:
    try:
        ServerFolder(server).lock().release()
    except UserError:
        return True
    return False


def _next_attempt(files: CertificateFiles, before: Attempt) -> Attempt:
    end = time.monotonic() + limits.RENEW_COMMAND_SECONDS
    while (done := last_attempt(files)) == before:
        if time.monotonic() > end:
            text = "the running server has not renewed it yet: see `blackthorn certificate show`"
            raise UnavailableError(text)
        time.sleep(POLL_SECONDS)
    return done
