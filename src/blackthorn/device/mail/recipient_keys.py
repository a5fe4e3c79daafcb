"""What mail to an address is sealed to: by the identity chain, else by a pinned certificate.

The chain always wins: for an address that the ledger has, no other source is asked or used.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from blackthorn.crypto.openpgp.recipients import RecipientCertificate, judge
from blackthorn.crypto.openpgp_seal import CertificateError
from blackthorn.errors import UserError
from blackthorn.ids import Address
from blackthorn.ports.device_store import Records
from blackthorn.ports.outside.keys import OutsideKeyRecord, Source


class Origin(StrEnum):
    """Who says that a certificate is the address's."""

    CHAIN = "identity chain"
    WKD = "web key directory"
    AUTOCRYPT = "autocrypt header"
    PERSON = "accepted"


_ORIGINS: Final = {
    Source.WKD: Origin.WKD,
    Source.AUTOCRYPT: Origin.AUTOCRYPT,
    Source.PERSON: Origin.PERSON,
}


class ChangedCertificateError(UserError):
    """The address's domain shows another certificate than the pinned one: the person decides."""


@dataclass(frozen=True, slots=True)
class RecipientKeys:
    """The certificates of one address, valid now: one sealed copy for each, never one for all.

    `changed`: an Autocrypt header offers another certificate, which is not used.
    """

    address: Address
    origin: Origin
    certificates: tuple[RecipientCertificate, ...]
    changed: bool = False


def recipient_keys(records: Records, address: Address, now_ms: int) -> RecipientKeys | None:
    """What to seal to, or None when no certificate of the address is known.

    Look the address up first: a colleague in the ledger, somebody outside by their domain
    (`programs.device.outside_keys`). Raises ChangedCertificateError, and UserError when the
    known certificate cannot be sealed to now.
    """
    now = now_ms // 1000
    chain = records.directory.chain(address)
    if chain is not None and chain.present:
        if not chain.certificate:
            return None
        certificates = [each for each in (chain.certificate, chain.compatible) if each]
        found = [
            _judged(each, address, now, "ask them to renew their mail key") for each in certificates
        ]
        return RecipientKeys(address, Origin.CHAIN, tuple(found))
    known = records.outside_keys.of(address)
    if known is None or not known.certificate:
        return None
    _check_unchanged(known)
    advice = f"ask them, then `blackthorn mail keys forget {address}`"
    pinned = _judged(known.certificate, address, now, advice)
    return RecipientKeys(address, _ORIGINS[Source(known.source)], (pinned,), bool(known.offered))


def _check_unchanged(known: OutsideKeyRecord) -> None:
    if known.offered and known.offered_source == Source.WKD:
        raise ChangedCertificateError(
            f"the certificate of {known.address} has changed: compare {known.offered_fingerprint} "
            f"with them, then `blackthorn mail keys accept {known.address}`"
        )


def _judged(certificate: bytes, address: Address, now: int, advice: str) -> RecipientCertificate:
    try:
        return judge(certificate, address, now)
    except CertificateError as error:
        raise UserError(f"mail to {address} cannot be sealed: {error}; {advice}") from None
