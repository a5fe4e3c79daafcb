"""The public part of a DKIM key, as its record publishes it."""

import base64

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from blackthorn.crypto.secret import Secret
from blackthorn.errors import DecodeError


def published_key(pem: Secret) -> tuple[str, str]:
    """Kind and public key of a PEM private key, as in the tags `k` and `p`.

    RSA as SubjectPublicKeyInfo (RFC 6376, 3.6.1), Ed25519 as 32 bytes (RFC 8463, 4.2), in base64.
    Raises DecodeError.
    """
    try:
        key = serialization.load_pem_private_key(pem.expose(), None)
    except (ValueError, TypeError):
        raise DecodeError("no PEM private key without a passphrase") from None
    public = key.public_key()
    if isinstance(key, Ed25519PrivateKey):
        data = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return "ed25519", base64.b64encode(data).decode()
    if isinstance(key, RSAPrivateKey):
        data = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return "rsa", base64.b64encode(data).decode()
    raise DecodeError("neither an RSA nor an Ed25519 key")
