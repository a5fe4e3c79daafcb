"""Recipient policy: who may get mail from outside. It never sees a mail itself.

`edges.smtp.replies` has the SMTP reply of each `Refusal`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Final

from blackthorn.crypto import openpgp_seal
from blackthorn.errors import BlackthornError, DecodeError, ForbiddenError
from blackthorn.ids import Address
from blackthorn.ports.clock import Clock
from blackthorn.ports.enterprise import UserRecord
from blackthorn.ports.store import Done, unless_failed
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.mail import limits
from blackthorn.server.markets.exit_rules import ExitRules
from blackthorn.wire.address import parse_address, parse_domain

ROLES: Final = ("postmaster", "abuse")
"""Names that every mail domain accepts (RFC 5321, 4.5.1; RFC 2142), for the postmaster."""


class Refusal(Enum):
    NOT_RELAYED = auto()
    UNKNOWN = auto()
    NO_CERTIFICATE = auto()
    EXPIRED = auto()
    UNSEALABLE = auto()
    REVOKED = auto()
    MOVED = auto()
    LEFT = auto()
    NO_POSTMASTER = auto()


class RecipientRefusedError(ForbiddenError):
    def __init__(self, refusal: Refusal, text: str) -> None:
        super().__init__(text)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Recipient:
    """A user and their checked certificate.

    `compatible` is the one for other programs, empty unless a copy is to be sealed to it too.
    """

    user: UserRecord
    certificate: bytes
    compatible: bytes = b""

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """One sealed copy for each, the first for devices: never one message to both."""
        return (self.certificate, self.compatible) if self.compatible else (self.certificate,)


@dataclass(eq=False)
class RecipientPolicy:
    """Decides on recipients of the one mail domain `domain` (lower case).

    `postmaster` is the user who gets the mail to ROLES, empty when none is set.
    """

    domain: str
    enterprise: EnterpriseCache
    clock: Clock
    exits: ExitRules | None = None
    postmaster: str = ""
    _parsed: dict[bytes, openpgp_seal.Certificate] = field(default_factory=dict)

    def recipient(self, path: str, done: Done[Recipient]) -> None:
        """The user of an envelope address; `done` gets RecipientRefusedError otherwise."""
        try:
            address = self._address(path)
        except RecipientRefusedError as error:
            done(error)
            return

        def loaded(user: UserRecord | None) -> None:
            if user is None and address.partition("@")[0] in ROLES:
                self._find_postmaster(done)
            else:
                self._check(user, done)

        self.enterprise.load_user(address, unless_failed(done, loaded))

    def users(
        self,
        addresses: Sequence[Address],
        done: Done[list[Recipient | RecipientRefusedError]],
    ) -> None:
        """The users of these addresses in order, or why one cannot get mail; read at once."""

        def loaded(users: Mapping[Address, UserRecord]) -> None:
            found: list[Recipient | RecipientRefusedError] = []
            for address in addresses:
                try:
                    found.append(self._checked(users.get(address)))
                except RecipientRefusedError as error:
                    found.append(error)
                except BlackthornError as error:  # an exit's rules cannot be read
                    done(error)
                    return
            done(found)

        self.enterprise.load_users(addresses, unless_failed(done, loaded))

    def _find_postmaster(self, done: Done[Recipient]) -> None:
        def checked(found: Recipient | BlackthornError) -> None:
            if isinstance(found, RecipientRefusedError):
                text = "the postmaster named for this domain cannot get mail yet"
                done(RecipientRefusedError(Refusal.NO_POSTMASTER, text))
            else:
                done(found)

        if self.postmaster:
            check = partial(self._check, done=checked)
            self.enterprise.load_user(Address(self.postmaster), unless_failed(done, check))
        else:
            text = "no postmaster is named for this domain yet"
            done(RecipientRefusedError(Refusal.NO_POSTMASTER, text))

    def _address(self, path: str) -> Address:
        local, at, domain = path.rpartition("@")
        if at and not self._is_ours(domain):
            text = "mail for that domain is not relayed here"
            raise RecipientRefusedError(Refusal.NOT_RELAYED, text)
        try:
            return parse_address(f"{local if at else path}@{self.domain}")
        except DecodeError:  # not an address of any user
            raise _unknown() from None

    def _check(self, user: UserRecord | None, done: Done[Recipient]) -> None:
        try:
            recipient = self._checked(user)
        except BlackthornError as error:  # also when an exit's rules cannot be read
            done(error)
        else:
            done(recipient)

    def _checked(self, user: UserRecord | None) -> Recipient:
        if user is None:
            raise _unknown()
        stop = None if self.exits is None else self.exits.mail_stop(user.address)
        if stop is not None and stop.forward:
            text = f"<{user.address}> has moved; please try <{stop.forward}>"
            raise RecipientRefusedError(Refusal.MOVED, text)
        if stop is not None:
            raise RecipientRefusedError(Refusal.LEFT, f"<{user.address}> has left; {stop.text}")
        return self.sealable(user)

    def sealable(self, user: UserRecord) -> Recipient:
        """The user, if mail can be sealed to them now.

        Raises RecipientRefusedError: NO_CERTIFICATE, EXPIRED, REVOKED or UNSEALABLE.
        """
        if user.certificate is None:
            text = "the user has no certificate to seal to yet"
            raise RecipientRefusedError(Refusal.NO_CERTIFICATE, text)
        try:
            self._parse(user.certificate).check(self.clock.wall_ms() // 1000)
        except openpgp_seal.RevokedCertificateError:
            text = "the user's certificate is revoked"
            raise RecipientRefusedError(Refusal.REVOKED, text) from None
        except openpgp_seal.ExpiredCertificateError:
            text = "the user's certificate has expired"
            raise RecipientRefusedError(Refusal.EXPIRED, text) from None
        except openpgp_seal.CertificateError:
            text = "the user's certificate cannot be sealed to"
            raise RecipientRefusedError(Refusal.UNSEALABLE, text) from None
        return Recipient(user, user.certificate, self._compatible(user))

    def _compatible(self, user: UserRecord) -> bytes:
        """The certificate for other programs if it is good; the devices' copy comes without it."""
        if not (user.copies and user.compatible):
            return b""
        try:
            self._parse(user.compatible).check(self.clock.wall_ms() // 1000)
        except openpgp_seal.CertificateError:
            return b""
        return user.compatible

    def _is_ours(self, domain: str) -> bool:
        try:
            return parse_domain(domain) == self.domain
        except DecodeError:
            return False

    def _parse(self, certificate: bytes) -> openpgp_seal.Certificate:
        parsed = self._parsed.get(certificate)
        if parsed is None:
            parsed = openpgp_seal.parse_certificate(certificate)
            parsed.check_sealing()
            if len(self._parsed) >= limits.MAX_CACHED_CERTIFICATES:
                self._parsed.clear()
            self._parsed[certificate] = parsed
        return parsed


def _unknown() -> RecipientRefusedError:
    return RecipientRefusedError(Refusal.UNKNOWN, "there is no such user here")
