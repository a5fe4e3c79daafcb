"""The certificate of a running server: the last good one stays until a better one is there."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from blackthorn.crypto.certificates import CertificateError, Problem
from blackthorn.edges.public_tls import PublicTls
from blackthorn.errors import DiskError
from blackthorn.programs.server.certificates import limits, sources
from blackthorn.programs.server.certificates.sources import Kind, Loaded
from blackthorn.programs.server.settings.tls import TlsSettings
from blackthorn.server.counters import Counters

Now = Callable[[], datetime.datetime]


def utc_now() -> datetime.datetime:
    """The machine's clock."""
    return datetime.datetime.now(datetime.UTC)


class PublicCertificate:
    """Loads the certificate, looks at its files for a change, and serves it by `tls`.

    A certificate with a fault never takes the place of one without. At the start, without a last
    good one, a certificate that can be served at all is, with its fault told; else the self-signed.
    """

    def __init__(
        self,
        settings: TlsSettings,
        domain: str,
        server: Path,
        counters: Counters,
        now: Now = utc_now,
    ) -> None:
        """Raises DiskError when the self-signed certificate cannot be made."""
        self.settings: Final = settings
        self.domain: Final = domain
        self.server: Final = server
        self._names: Final = settings.names(domain)
        self._source: Final = sources.configured(settings, server)
        self._counters = counters
        self._now = now
        self._refused: Problem | None = None
        self._warned: datetime.datetime | None = None
        self._stamp = sources.stamp(self._source)
        self.current: Loaded = self._first()
        self.tls: Final = PublicTls(self.current.context)

    def _first(self) -> Loaded:
        if self._source.kind is not Kind.SELF_SIGNED and self._stamp != (None, None):
            try:
                return sources.load(self._source, self._names)
            except CertificateError as error:
                self._refuse(error.problem)
        return self._own()

    def _own(self) -> Loaded:
        sources.make_own(self.server, self._names, self._now())
        try:
            return sources.load(sources.own(self.server), self._names)
        except CertificateError as error:
            raise DiskError(f"the self-signed certificate cannot be used: {error}") from None

    def watch(self) -> None:
        """Take the certificate of files that have changed. Raises DiskError."""
        if self.current.source.kind is Kind.SELF_SIGNED and sources.ends_soon(
            self.current.certificate, self._now()
        ):
            self._use(self._own())
        if sources.stamp(self._source) != self._stamp:
            self.reload()
        self._warn()

    def reload(self) -> None:
        """Read the files again, on SIGHUP too. What is worse than the one in use is refused."""
        self._stamp = sources.stamp(self._source)
        if self._source.kind is Kind.ACME and self._stamp == (None, None):
            return
        try:
            fresh = sources.load(self._source, self._names)
        except CertificateError as error:
            self._refuse(error.problem)
            return
        now = self._now()
        found = fresh.problems(now)
        stands_in = self.current.source.kind is not self._source.kind
        if found and not stands_in and not self.current.problems(now):
            self._refuse(found[0])
            return
        self._use(fresh)

    def _use(self, fresh: Loaded) -> None:
        self._refused = None
        self.current = fresh  # also with the same certificate: its chain may have been mended
        self.tls.use(fresh.context)
        self._tell()

    def _refuse(self, problem: Problem) -> None:
        self._refused = problem
        self._counters.certificates_refused += 1
        structlog.get_logger().warning("certificate_refused", reason=problem.text)

    def _tell(self) -> None:
        structlog.get_logger().info(
            "certificate_in_use",
            source=self.current.source.kind,
            names=list(self.current.certificate.names),
            ends=f"{self.current.certificate.not_after:%Y-%m-%dT%H:%M:%SZ}",
        )

    def _warn(self) -> None:
        """Log what is wrong, at most once a day."""
        warnings = self.warnings()
        if not warnings:
            self._warned = None
            return
        now = self._now()
        pause = datetime.timedelta(seconds=limits.WARN_AGAIN_SECONDS)
        if self._warned is None or now - self._warned >= pause:
            self._warned = now
            for reason in warnings:
                structlog.get_logger().warning("certificate_needs_attention", reason=reason)

    def warnings(self) -> list[str]:
        """What the administrator is to mend, one line each."""
        now = self._now()
        found = [
            f"the certificate of HTTPS and SMTP: {problem.text}"
            for problem in self.current.problems(now)
        ]
        if not found and sources.ends_soon(self.current.certificate, now):
            days = (self.current.certificate.not_after - now).days
            found = [f"the certificate of HTTPS and SMTP ends in {days} days: renew it"]
        if self._refused is not None:
            found.append(
                f"a certificate was refused, and the one before is used: {self._refused.text}"
            )
        return found

    def seconds_left(self) -> float:
        """Until the certificate in use ends; negative once it has."""
        return (self.current.certificate.not_after - self._now()).total_seconds()
