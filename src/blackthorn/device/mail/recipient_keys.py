"""What mail to an address is sealed to: by the identity chain, else by a pinned certificate.

The chain always wins: for an address that the ledger has, no other source is asked or used.
"""

from blackthorn.crypto.openpgp.recipients import RecipientCertificate, judge
from blackthorn.crypto.openpgp_seal import CertificateError
from blackthorn.errors import UserError
from blackthorn.ids import Address
from blackthorn.ports.device_store import Records
from blackthorn.ports.outside.keys import OutsideKeyRecord, Source


class ChangedCertificateError(UserError):
    """The address's domain shows another certificate than the pinned one: the person decides."""


def recipient_key(records: Records, address: Address, now_ms: int) -> RecipientCertificate | None:
    """What to seal to, or None when no certificate of the address is known.

    Of a colleague their devices' certificate: they read this mail, and a copy to the one for other
    programs would come to them as another mail. Look the address up first: a colleague in the
    ledger, somebody outside by their domain. Raises ChangedCertificateError, and UserError when
    the known certificate cannot be sealed to now.
    """
    now = now_ms // 1000
    chain = records.directory.chain(address)
    if chain is not None and chain.present:
        advice = "ask them to renew their mail key"
        return _judged(chain.certificate, address, now, advice) if chain.certificate else None
    known = records.outside_keys.of(address)
    if known is None or not known.certificate:
        return None
    _check_unchanged(known)
    advice = f"ask them, then `blackthorn mail keys forget {address}`"
    return _judged(known.certificate, address, now, advice)


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
