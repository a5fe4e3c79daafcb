"""OpenPGP (RFC 9580) with secret keys: generate a user's key, decrypt, sign.

The import contract keeps this module from the server's side. pysequoia returns unencrypted content
as if it had been decrypted, so the packets are checked first.
"""

import base64
import binascii
from collections.abc import Sequence
from contextlib import suppress

import pysequoia

from blackthorn.crypto import limits, openpgp_dates
from blackthorn.crypto.openpgp_seal import Certificate, sequoia_errors
from blackthorn.crypto.secret import Secret
from blackthorn.errors import InputError, SecurityError

PKESK, SKESK, MARKER, SEIPD, PADDING = 1, 3, 10, 18, 21
_CLOSED = "the sealed mail cannot be opened: altered, or sealed to another key"
_BEGIN, _END = b"-----BEGIN PGP MESSAGE-----", b"-----END PGP MESSAGE-----"


class UnsealError(SecurityError):
    """The message is damaged, altered, or sealed to another key. No content was returned."""


class _BrokenError(InputError):
    """Malformed packets, for `unseal` to translate."""


def generate_user_key(address: str, at: int | None = None) -> tuple[Secret, bytes]:
    """A user's OpenPGP key and certificate, binary (about 2.3 and 2.1 kB).

    Dated `at`, Unix seconds, or by the machine's clock where that is earlier.

    Version 6, Ed25519 to certify and sign, ML-KEM-768+X25519 to encrypt to. It never expires:
    pysequoia does not decrypt with an expired key, not even older mail.
    """
    key = pysequoia.Tsk.generate(
        address,
        profile=pysequoia.Profile.RFC9580,
        cipher_suite=pysequoia.CipherSuite.Cv25519,
        encryption_algorithm=pysequoia.EncryptionAlgorithm.MLKEM768_X25519,
    )
    made = bytes(key)
    if at is not None and at < openpgp_dates.created(made):
        made = openpgp_dates.redate(made, at)
        key = pysequoia.Tsk.from_bytes(made)
    return Secret(made), bytes(key.extract_certificate())


def sign_detached(message: bytes, key: Secret) -> bytes:
    """A detached binary signature, for `verify_detached`; 154 bytes with version 6.

    It is dated as the key itself; with another version, by the machine's clock. Raises UnsealError
    when the key cannot sign.
    """
    with suppress(ValueError):
        return openpgp_dates.sign(message, key.expose())
    with sequoia_errors(UnsealError("the OpenPGP key cannot sign")):
        signer = pysequoia.Tsk.from_bytes(key.expose()).signer()
        detached = pysequoia.SignatureMode.DETACHED
        return bytes(pysequoia.sign(signer, message, mode=detached, armor=False))


class UnsignedError(SecurityError):
    """The message holds no signature."""


class SignatureError(SecurityError):
    """The signature in the message is by none of the certificates, or does not hold."""


def signer_of(armored: bytes, key: Secret, certificates: Sequence[Certificate]) -> str:
    """The fingerprint, in small hex digits, of the certificate that signed inside of a message.

    Raises UnsealError, UnsignedError, SignatureError. pysequoia judges by the machine's clock.
    """
    refusal = SignatureError("the signature is by another key, or does not hold")
    message, signed_by = _checked(armored), list[str]()

    def known(ids: list[str]) -> list[pysequoia.Cert]:
        signed_by.extend(ids)
        return [certificate.sequoia for certificate in certificates]

    try:
        with sequoia_errors(refusal):
            decryptor = pysequoia.Tsk.from_bytes(key.expose()).decryptor()
            found = pysequoia.decrypt(message, decryptor=decryptor, store=known)
            signers = [str(signature.certificate).lower() for signature in found.valid_sigs]
    except SignatureError:
        if signed_by:
            raise
        unseal(armored, key)  # which raises where the key is another
        raise UnsignedError("the mail is not signed") from None
    if not signers:
        raise refusal
    return signers[0]


def unseal(armored: bytes, key: Secret) -> bytes:
    """The content of one armored message sealed to `key` (from `generate_user_key`).

    Raises UnsealError, without any content, unless the whole message is intact.
    """
    message, refusal = _checked(armored), UnsealError(_CLOSED)
    with sequoia_errors(refusal):
        decryptor = pysequoia.Tsk.from_bytes(key.expose()).decryptor()
        content = pysequoia.decrypt(message, decryptor=decryptor).bytes
    if content is None:
        raise refusal
    return content


def _checked(armored: bytes) -> bytes:
    """The binary of a message of nothing but encrypted packets. Raises UnsealError."""
    try:
        message = _dearmor(armored)
        _check_packets(message)
    except (_BrokenError, IndexError):
        raise UnsealError(_CLOSED) from None
    return message


def _dearmor(armored: bytes) -> bytes:
    """The binary of exactly one armored message."""
    text = armored.strip()
    if not (text.startswith(_BEGIN) and text.endswith(_END)) or text.count(b"-----") != 4:
        raise _BrokenError
    lines = text[len(_BEGIN) : -len(_END)].replace(b"\r\n", b"\n")
    _headers, blank, body = lines.partition(b"\n\n")
    if not blank:
        raise _BrokenError
    base = body.partition(b"\n=")[0]  # the optional checksum of RFC 4880 says nothing
    try:
        return base64.b64decode(base.replace(b"\n", b""), validate=True)
    except binascii.Error:
        raise _BrokenError from None


def _check_packets(message: bytes) -> None:
    """RFC 9580, 10.3: session key packets, then one SEIPD packet, nothing else."""
    position, sessions, containers = 0, 0, 0
    while position < len(message):
        tag, position = _skip_packet(message, position)
        if tag in (PKESK, SKESK) and not containers:
            sessions += 1
        elif tag == SEIPD and not containers:
            containers += 1
        elif tag not in (MARKER, PADDING):
            raise _BrokenError
    if not containers or not 1 <= sessions <= limits.MAX_SESSION_KEY_PACKETS:
        raise _BrokenError


def _skip_packet(message: bytes, position: int) -> tuple[int, int]:
    """The tag of the packet at `position` and where it ends (RFC 9580, 4.2.1 and 4.2.2)."""
    header = message[position]
    position += 1
    if header & 0xC0 == 0x80 and header & 3 != 3:  # the old format, in which GnuPG frames PKESK
        start = position + (1 << (header & 3))
        end = start + int.from_bytes(message[position:start], "big")
        if end > len(message):
            raise _BrokenError
        return header >> 2 & 0x0F, end
    if header & 0xC0 != 0xC0:
        raise _BrokenError
    while True:
        first = message[position]
        partial = 224 <= first < 255
        if first < 192:
            length, position = first, position + 1
        elif first < 224:
            length, position = ((first - 192) << 8) + message[position + 1] + 192, position + 2
        elif partial:
            length, position = 1 << (first & 0x1F), position + 1
        else:
            length = int.from_bytes(message[position + 1 : position + 5], "big")
            position += 5
        position += length
        if position > len(message):
            raise _BrokenError
        if not partial:
            return header & 0x3F, position
