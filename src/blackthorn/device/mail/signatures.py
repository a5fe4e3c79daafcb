"""Who has signed an opened mail, as far as this device can say.

The mail's own From counts only when the certificate of that very address has signed: of a
colleague by their identity chain, of another person by the pinned one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from blackthorn.crypto.openpgp_open import SignatureError, UnsignedError
from blackthorn.crypto.openpgp_seal import Certificate, CertificateError, parse_certificate
from blackthorn.crypto.secret import Secret
from blackthorn.device.mail import keys
from blackthorn.errors import DecodeError
from blackthorn.ids import Address
from blackthorn.mail.compose import answer
from blackthorn.mail.errors import MailRefusedError, SealBrokenError
from blackthorn.mail.mime.structure import parse
from blackthorn.mail.pgp.open import OpenedMail, signer
from blackthorn.ports.device_store import Records
from blackthorn.wire.address import parse_address


class Signature(StrEnum):
    """The value is for programs, `told` for people."""

    LEDGER = "ledger"
    PINNED = "pinned"
    OWN = "own"
    REPLACED = "replaced"
    UNKNOWN = "unknown"
    WRONG = "wrong"
    NONE = "none"

    @property
    def holds(self) -> bool:
        return self in (Signature.LEDGER, Signature.PINNED, Signature.OWN)

    @property
    def told(self) -> str:
        return _TOLD[self]


_TOLD: Final = {
    Signature.LEDGER: "Signed by the sender's key, which the ledger shows.",
    Signature.PINNED: "Signed by the key that this device knows of the sender.",
    Signature.OWN: "Signed by you.",
    Signature.REPLACED: (
        "Signed by a key of yours that was replaced: a device that you have removed may have it."
    ),
    Signature.UNKNOWN: "Signed by a key that this device does not know: anybody may have sent it.",
    Signature.WRONG: (
        "The signature is not by the sender's key, or does not hold: anybody may have sent it."
    ),
    Signature.NONE: "Not signed: anybody may have sent it.",
}


@dataclass(frozen=True, slots=True)
class VerifiedMail:
    """An opened mail and its signature; `readable`: others could read it on its way."""

    mail: OpenedMail
    signature: Signature

    @property
    def readable(self) -> bool:
        return self.mail.readable_on_the_way and not self.signature.holds


def author_of(mail: OpenedMail) -> Address | None:
    """The one author of a mail, or None."""
    try:
        return parse_address(answer.author(parse(mail.content).fields))
    except (DecodeError, MailRefusedError):
        return None


def names(mail: OpenedMail, own: Address) -> bool | None:
    """Whether To or Cc of a mail names the user, None when they are too long to say.

    A signature does not bind for whom the mail was sealed (RFC 9580, 5.2.3.36 is not written by the
    library): who got it can seal it to another, who sees the signed To of the first.
    """
    try:
        return answer.names(parse(mail.content).fields, own)
    except MailRefusedError:
        return False


def certificates(
    records: Records, mail: OpenedMail, own: str
) -> list[tuple[Certificate, Signature]]:
    """The certificates of the one author, and what a signature by each means."""
    address = author_of(mail)
    if address is None:
        return []
    if address == own:
        return _own_certificates(records, own)
    stated = _stated(records, address)
    if stated is not None:
        return _parsed(*stated, meaning=Signature.LEDGER)
    known = records.outside_keys.of(address)
    pinned = known.certificate if known is not None else b""
    return _parsed(pinned, meaning=Signature.PINNED)


def judge(
    sealed: bytes, secrets: Sequence[Secret], found: Sequence[tuple[Certificate, Signature]]
) -> Signature:
    """Who has signed a mail that one of the keys opens; `found` are its author's certificates.

    Raises SealBrokenError.
    """
    for key in secrets:
        try:
            signed_by = signer(sealed, key, [certificate for certificate, _ in found])
        except SealBrokenError:
            continue
        except UnsignedError:
            return Signature.NONE
        except SignatureError:
            return Signature.WRONG if found else Signature.UNKNOWN
        return next(meaning for one, meaning in found if one.fingerprint.lower() == signed_by)
    raise SealBrokenError(keys.NO_KEY)


def _own_certificates(records: Records, own: str) -> list[tuple[Certificate, Signature]]:
    """Those in use, of which the newest may not be stated yet, and then all.

    An earlier one was replaced because somebody else may have its key.
    """
    newest = keys.newest(records)
    made = newest.certificate if newest is not None else b""
    current = _parsed(*(_stated(records, own) or ()), made, meaning=Signature.OWN)
    every = [key.certificate for key in records.mail_keys.all()]
    return current + _parsed(*every, meaning=Signature.REPLACED)


def _stated(records: Records, address: str) -> tuple[bytes, bytes] | None:
    """The certificates that the user's identity chain states; None for somebody without one."""
    chain = records.directory.chain(address)
    if chain is None or not chain.present:
        return None
    return chain.certificate, chain.compatible


def _parsed(*certificates: bytes, meaning: Signature) -> list[tuple[Certificate, Signature]]:
    found = []
    for data in certificates:
        try:
            found += [(parse_certificate(data), meaning)] if data else []
        except CertificateError:
            continue
    return found
