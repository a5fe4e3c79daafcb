"""Verifies detached OpenPGP signatures (RFC 9580, 10.4), on servers and devices.

pysequoia uses the machine's clock: a signature from over half an hour ahead, or by a certificate
that was expired or revoked when it signed, does not hold.
"""

import pysequoia

from blackthorn.crypto import limits
from blackthorn.crypto.openpgp_seal import Certificate, sequoia_errors
from blackthorn.crypto.signatures import VerifyError


def verify_detached(certificate: Certificate, signature: bytes, message: bytes) -> None:
    """Raises `VerifyError` unless `signature`, exactly one binary packet, is by that certificate.

    Its primary key or a signing subkey may sign (RFC 9580, 5.2.1.1: type 0x00).
    """
    refusal = VerifyError("the OpenPGP certificate did not sign this")
    if len(signature) > limits.MAX_OPENPGP_PROOF_BYTES:
        raise refusal
    with sequoia_errors(refusal):
        parsed = pysequoia.Sig.from_bytes(signature)
        # from_bytes takes armor, and takes the first of many packets: neither passes here.
        whole = bytes(parsed) == signature
        binary = parsed.signature_type == pysequoia.packet.SignatureType.Binary
        found = pysequoia.verify(
            bytes=message, store=lambda _ids: [certificate._sequoia], signature=parsed
        )
        signers = {signature.certificate.lower() for signature in found.valid_sigs}
    if not (whole and binary and signers == {certificate.fingerprint.lower()}):
        raise refusal
