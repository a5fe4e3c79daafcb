"""The user's OpenPGP keys, shared by all of their devices; mail opens with any of them.

The chain names the current certificate; earlier keys stay to open old mail. A key known to a
revoked device is replaced, never extended (docs/adr/0013-a-new-mail-key-after-a-revocation.md).
"""

from collections.abc import Sequence
from typing import Final

from blackthorn.crypto.openpgp import compatible
from blackthorn.crypto.openpgp_open import generate_user_key, sign_detached
from blackthorn.crypto.openpgp_seal import parse_certificate
from blackthorn.crypto.secret import Secret
from blackthorn.identity.chain import VerifiedChain
from blackthorn.identity.openpgp import claim
from blackthorn.identity.openpgp import is_ahead as certificate_is_ahead
from blackthorn.identity.statements import SetCompatible, SetOpenPGP
from blackthorn.ids import Address, DeviceId
from blackthorn.mail.errors import SealBrokenError
from blackthorn.mail.pgp.notice import Reader
from blackthorn.mail.pgp.open import OpenedMail, open_mail
from blackthorn.ports.device_store import MailKeyRecord, Records
from blackthorn.ports.randomness import Randomness

NO_KEY: Final = "this device has no key for mail yet"
_V4_DIGITS: Final = 40
"""Of a fingerprint of version 4 (RFC 9580, 5.5.4.2)."""


def keep(records: Records, secret: Secret, certificate: bytes, now_ms: int) -> MailKeyRecord:
    """Store a key. Raises CertificateError."""
    fingerprint = parse_certificate(certificate).fingerprint.lower()
    record = MailKeyRecord(fingerprint, secret.expose(), certificate, now_ms)
    records.mail_keys.put(record)
    return record


def newest(records: Records) -> MailKeyRecord | None:
    """The newest that is not for other programs."""
    return next((key for key in records.mail_keys.all() if not is_compatible(key)), None)


def is_compatible(record: MailKeyRecord) -> bool:
    """Whether a key is for other programs: only those are of version 4."""
    return len(record.fingerprint) == _V4_DIGITS


def fresh_compatible(
    records: Records, address: Address, now_ms: int, random: Randomness
) -> MailKeyRecord:
    """Generate and store a new key for other programs, dated `now_ms`."""
    secret, certificate = compatible.generate(address, now_ms // 1000, random)
    return keep(records, secret, certificate, now_ms)


def claim_of_compatible(record: MailKeyRecord, address: Address, *, copies: bool) -> SetCompatible:
    """The body of a statement that binds a key for other programs to the user."""
    secret = Secret(record.secret)
    stated = claim(address, record.certificate, lambda message: compatible.sign(message, secret))
    return SetCompatible(stated, copies)


def fresh(records: Records, address: Address, now_ms: int) -> MailKeyRecord:
    """Generate and store a new key, dated `now_ms`. (The library uses its own randomness.)"""
    secret, certificate = generate_user_key(address, now_ms // 1000)
    return keep(records, secret, certificate, now_ms)


def claim_of(record: MailKeyRecord, address: Address) -> SetOpenPGP:
    """The body of a statement that binds this key to the user, signed by the key."""
    secret = Secret(record.secret)
    return claim(address, record.certificate, lambda message: sign_detached(message, secret))


def published_certificate(records: Records, chain: VerifiedChain | None) -> bytes | None:
    """What people outside get: the certificate for other programs if it is stated, else the own."""
    stated = chain.compatible.stated.fingerprint if chain and chain.compatible else ""
    for key in records.mail_keys.all():
        if key.fingerprint == stated:
            return key.certificate
    own = newest(records)
    return own.certificate if own is not None else None


def is_ahead(record: MailKeyRecord, now_ms: int) -> bool:
    """Whether a key is dated later than `now_ms`: made by a fast clock, and nobody takes it yet."""
    return certificate_is_ahead(record.certificate, now_ms // 1000)


def renewal_due(records: Records, chain: VerifiedChain, me: DeviceId, now_ms: int) -> bool:
    """Whether this device should generate a new key for the user, as of the ledger's `now_ms`.

    True after a reset, when a former device knows the current key, when that is dated ahead, or
    when this device was recovered without the key.
    """
    stated = chain.openpgp
    if stated is None:
        return bool(chain.last_reset) or me in chain.recovered
    if any(device.seq > stated.seq for device in chain.former):
        return True
    current = [key for key in records.mail_keys.all() if key.fingerprint == stated.fingerprint]
    if any(is_ahead(key, now_ms) for key in current):
        return True
    return me in chain.recovered and not has(records, stated.fingerprint)


def has(records: Records, fingerprint: str) -> bool:
    return any(key.fingerprint == fingerprint for key in records.mail_keys.all())


def secrets(records: Records) -> list[Secret]:
    """All of the user's secret keys on this device, newest first."""
    return [Secret(key.secret) for key in records.mail_keys.all()]


def open_with_any(
    sealed: bytes, keys: Sequence[Secret], reader: Reader | None = None
) -> OpenedMail:
    """Open a mail with any of the keys. Raises SecurityError, InputError."""
    refusal = SealBrokenError(NO_KEY)
    for key in keys:
        try:
            return open_mail(sealed, key, reader)
        except SealBrokenError as error:
            refusal = error
    raise refusal
