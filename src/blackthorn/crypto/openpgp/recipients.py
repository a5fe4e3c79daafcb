"""Certificates to seal to: what they hold, whose they say they are, and sealing to them.

`judge` is strict where a mistake is sealed mail to the wrong person, and knows which container the
other program reads: pysequoia writes SEIPD version 2 also to a certificate that announces nothing,
as Thunderbird's own do, and then Thunderbird shows an empty mail.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import pysequoia

from blackthorn.crypto.openpgp import compatible, packets
from blackthorn.crypto.openpgp_seal import (
    Certificate,
    CertificateError,
    parse_certificate,
    sequoia_errors,
)
from blackthorn.crypto.secret import Secret
from blackthorn.errors import DecodeError
from blackthorn.wire.address import parse_address

_ML_KEM: Final = frozenset({35, 36})
"""ML-KEM-768+X25519 and ML-KEM-1024+X448 (RFC 9980)."""
_CLASSICAL: Final = frozenset({1, 2, 16, 18, 25, 26})
"""RSA, Elgamal, ECDH, X25519 and X448, which encrypt."""
_SELF_SIGNATURES: Final = frozenset({0x10, 0x11, 0x12, 0x13, 0x1F})
_SEIPD_V2: Final = 8
_IN_BRACKETS: Final = re.compile(r"<([^<>]*)>\s*$")
_PKESK: Final = 1
_NO_KEY: Final = "the certificate has no key that mail can be sealed to"


class OtherAddressError(CertificateError):
    """The certificate does not say that it is this address's."""


@dataclass(frozen=True, slots=True)
class RecipientCertificate:
    """A judged certificate of one address: valid now, and mail can be sealed to it.

    `fingerprint` in small hex digits. `post_quantum`: every key that mail is sealed to is.
    `reads_v2`: its owner's programs read SEIPD version 2.
    """

    address: str
    data: bytes = field(repr=False)
    fingerprint: str
    version: int
    created: int
    post_quantum: bool
    reads_v2: bool
    _parsed: Certificate = field(repr=False)

    @property
    def kind(self) -> tuple[bool, bool]:
        """Certificates of one kind may share a message: no strength and no reader is lost."""
        return self.post_quantum, self.reads_v2


def judge(data: bytes, address: str, now: int) -> RecipientCertificate:
    """The certificate (binary, exactly one) of `address` as of `now`, Unix seconds.

    Raises CertificateError and its kinds: expired, revoked, of another address, or unsealable.
    """
    parsed = parse_certificate(data)
    parsed.check(now)
    parsed.check_sealing()
    with sequoia_errors(CertificateError("the certificate has no user id that it signs")):
        user_ids = parsed.user_ids
    if address not in map(_address_of, user_ids):
        raise OtherAddressError(f"the certificate is not for {address}")
    try:
        found = list(packets.packets(data))
        features = _features(found)
    except ValueError as error:
        raise CertificateError(f"not an OpenPGP certificate: {error}") from None
    keys = [body for tag, body in found if tag in (packets.PUBLIC_KEY, packets.PUBLIC_SUBKEY)]
    algorithms = {body[5] for body in keys if len(body) > 5}
    return RecipientCertificate(
        address=address,
        data=data,
        fingerprint=parsed.fingerprint.lower(),
        version=keys[0][0],
        created=int.from_bytes(keys[0][1:5], "big"),
        post_quantum=bool(algorithms & _ML_KEM) and not algorithms & _CLASSICAL,
        reads_v2=keys[0][0] > 4 or bool(features & _SEIPD_V2),
        _parsed=parsed,
    )


def seal_to_all(
    content: bytes,
    certificates: Sequence[RecipientCertificate],
    *,
    now: int,
    signer: Secret | None = None,
) -> bytes:
    """An armored message to certificates of one `kind`, in the container that all of them read.

    `signer` is a binary secret key that signs inside. Raises CertificateError and its kinds, also
    for certificates of different kinds, among which the weakest would count for all.
    """
    if len({certificate.kind for certificate in certificates}) != 1:
        raise CertificateError("certificates of different kinds get a copy each")
    for certificate in certificates:
        certificate._parsed.check(now)
    recipients = [certificate._parsed.sequoia for certificate in certificates]
    old = not certificates[0].reads_v2
    if old:
        recipients.append(_reads_v1_only()[0])
    with sequoia_errors(CertificateError(_NO_KEY)):
        key = None if signer is None else pysequoia.Tsk.from_bytes(signer.expose()).signer()
        sealed = pysequoia.encrypt(content, recipients=recipients, signer=key, armor=False)
        if old:
            sealed = _without_session_key(sealed, _reads_v1_only()[1])
        return pysequoia.armor(sealed, pysequoia.ArmorKind.Message).encode()


@cache
def _reads_v1_only() -> tuple[pysequoia.Cert, bytes]:
    """A certificate whose presence makes pysequoia write SEIPD version 1, and its subkey's id.

    Nobody has its secret, and its session key packet is taken out again.
    """
    _, certificate = compatible.generate("nobody@invalid.example", 1, secrets.token_bytes)
    return pysequoia.Cert.from_bytes(certificate), compatible.encryption_key_id(certificate)


def _without_session_key(message: bytes, key_id: bytes) -> bytes:
    """The message without the session key packet (version 3) for that key."""
    start = 0
    while message[start] & 0x3F == _PKESK:
        body, length = packets.length_at(message, start + 1)
        end = body + length
        if message[body + 1 : body + 9] == key_id:
            return message[:start] + message[end:]
        start = end
    raise CertificateError(_NO_KEY)


def _address_of(user_id: str) -> str:
    """The normalised address in a user id, or an empty text."""
    found = _IN_BRACKETS.search(user_id)
    try:
        return parse_address(found[1] if found else user_id.strip())
    except DecodeError:
        return ""


def _features(found: list[tuple[int, bytes]]) -> int:
    """The Features of the newest self-signature that has some; 0 without."""
    newest, features = -1, 0
    for tag, body in found:
        if tag != packets.SIGNATURE or len(body) < 8 or body[1] not in _SELF_SIGNATURES:
            continue
        start = 6 if body[0] == 4 else 8
        end = start + int.from_bytes(body[4:start], "big")
        hashed = body[start:end]
        fields = {kind: hashed[at:until] for kind, at, until in packets.subpackets(hashed)}
        at = int.from_bytes(fields.get(packets.CREATED, b""), "big")
        stated = fields.get(packets.FEATURES)
        if stated and at >= newest:
            newest, features = at, stated[0]
    return features
