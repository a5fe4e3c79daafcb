"""Who may get mail from outside: the server's answers to RCPT. It never sees a mail itself."""

from dataclasses import dataclass

from blackthorn.crypto.openpgp_seal import (
    Certificate,
    CertificateError,
    RevokedCertificateError,
    parse_certificate,
)
from blackthorn.errors import DecodeError
from blackthorn.mail.errors import MailRefusedError
from blackthorn.ports.clock import Clock
from blackthorn.ports.enterprise import Enterprise, UserRecord
from blackthorn.server.mail import limits
from blackthorn.server.markets.exit_rules import ExitRules
from blackthorn.wire.address import parse_address, parse_domain


@dataclass(frozen=True, slots=True)
class Recipient:
    """A user whose mail can be sealed now: `certificate` is his, checked."""

    user: UserRecord
    certificate: bytes


class RecipientPolicy:
    """Decides on recipients for the one mail domain `domain` (lower case)."""

    def __init__(
        self, domain: str, enterprise: Enterprise, clock: Clock, exits: ExitRules | None = None
    ) -> None:
        self.domain = domain
        self._exits = exits
        self._enterprise = enterprise
        self._clock = clock
        self._parsed: dict[bytes, Certificate] = {}

    def recipient(self, path: str) -> Recipient:
        """The user behind an envelope address.

        Raises MailRefusedError: 550 5.7.1 for another domain, 550 5.1.1 for nobody here, 450
        4.2.1 without a certificate or with an expired one, 550 5.2.1 with a revoked one, and 551
        or 550 5.1.6 once the service in his market was stopped.
        """
        local, at, domain = path.rpartition("@")
        if at and not self._is_ours(domain):
            raise MailRefusedError(550, "5.7.1", "mail for that domain is not relayed here")
        try:
            address = parse_address(f"{local if at else path}@{self.domain}")
        except DecodeError:  # nobody here has such an address
            raise MailRefusedError(550, "5.1.1", "there is no such user here") from None
        user = self._enterprise.user(address)
        if user is None:
            raise MailRefusedError(550, "5.1.1", "there is no such user here")
        if self._exits is not None:
            self._exits.check_mail(user.address)
        return self.sealable(user)

    def sealable(self, user: UserRecord) -> Recipient:
        """The user as one to whom mail can be sealed now.

        Raises MailRefusedError: 450 4.2.1 without a certificate or with an expired one, 550 5.2.1
        with a revoked one.
        """
        if user.certificate is None:
            raise MailRefusedError(450, "4.2.1", "the user has no certificate to seal to yet")
        try:
            self._parse(user.certificate).check(self._clock.wall_ms() // 1000)
        except RevokedCertificateError:
            raise MailRefusedError(550, "5.2.1", "the user's certificate is revoked") from None
        except CertificateError:
            raise MailRefusedError(450, "4.2.1", "the user's certificate has expired") from None
        return Recipient(user, user.certificate)

    def _is_ours(self, domain: str) -> bool:
        try:
            return parse_domain(domain) == self.domain
        except DecodeError:
            return False

    def _parse(self, certificate: bytes) -> Certificate:
        parsed = self._parsed.get(certificate)
        if parsed is None:
            parsed = parse_certificate(certificate)
            if len(self._parsed) >= limits.MAX_CACHED_CERTIFICATES:
                self._parsed.clear()
            self._parsed[certificate] = parsed
        return parsed
