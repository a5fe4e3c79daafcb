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
from blackthorn.mail.compose.answer import author
from blackthorn.mail.errors import MailRefusedError, SealBrokenError
from blackthorn.mail.mime.structure import parse
from blackthorn.mail.pgp.notice import Reader
from blackthorn.mail.pgp.open import OpenedMail, open_mail, signer
from blackthorn.ports.device_store import Records
from blackthorn.wire.address import parse_address


class Signature(StrEnum):
    """The value is for programs, `told` for people."""

    LEDGER = "ledger"
    PINNED = "pinned"
    OWN = "own"
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
    Signature.LEDGER: "Signed by the sender's key, which the ledger shows, and sealed by them.",
    Signature.PINNED: "Signed by the key that this device knows of the sender, and sealed by them.",
    Signature.OWN: "Signed and sealed by you.",
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
        return parse_address(author(parse(mail.content).fields))
    except (DecodeError, MailRefusedError):
        return None


def open_verified(records: Records, sealed: bytes, reader: Reader) -> VerifiedMail:
    """Open a stored mail of the `reader` and judge its signature.

    Raises SealBrokenError, InputError.
    """
    refusal = SealBrokenError("this device has no key for mail yet")
    for key in keys.secrets(records):
        try:
            mail = open_mail(sealed, key, reader)
        except SealBrokenError as error:
            refusal = error
            continue
        if not mail.by_sender:
            return VerifiedMail(mail, Signature.NONE)
        return VerifiedMail(mail, _judge(records, sealed, key, mail, reader.address))
    raise refusal


def _judge(records: Records, sealed: bytes, key: Secret, mail: OpenedMail, own: str) -> Signature:
    found, kind = _certificates(records, mail, own)
    try:
        signer(sealed, key, found)
    except UnsignedError:
        return Signature.NONE
    except SignatureError:
        return Signature.WRONG if found else Signature.UNKNOWN
    return kind


def _certificates(
    records: Records, mail: OpenedMail, own: str
) -> tuple[Sequence[Certificate], Signature]:
    """The certificates of the one author, and what their signature means."""
    address = author_of(mail)
    if address is None:
        return [], Signature.UNKNOWN
    if address == own:
        return _parsed(*(key.certificate for key in records.mail_keys.all())), Signature.OWN
    chain = records.directory.chain(address)
    if chain is not None and chain.present:
        return _parsed(chain.certificate), Signature.LEDGER
    known = records.outside_keys.of(address)
    return _parsed(known.certificate if known is not None else b""), Signature.PINNED


def _parsed(*certificates: bytes) -> list[Certificate]:
    found = []
    for data in certificates:
        try:
            found += [parse_certificate(data)] if data else []
        except CertificateError:
            continue
    return found
