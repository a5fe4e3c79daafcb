"""Hello: a device proves that it is the other end of this TLS connection.

It signs the hash of the connection's binding, which no two connections share, with its enrolled
identity key. So a hello cannot be replayed or relayed.
"""

import hashlib
from typing import Final

from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519, VerifyError
from blackthorn.ids import DeviceId, device_id
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.frames import LINK_VERSION, Hello

LABEL: Final = b"blackthorn-link-hello-v1"
RECOVERY_LABEL: Final = b"blackthorn-recovery-hello-v1"


def signed_bytes(binding: bytes) -> bytes:
    """Signed by the device; `binding` is TLS's client Finished, then the hash of the SPKI."""
    return LABEL + hashlib.sha256(binding).digest()


def recovery_bytes(binding: bytes, address: str) -> bytes:
    """Signed by the user's recovery key; `binding` as in `signed_bytes`."""
    return RECOVERY_LABEL + hashlib.sha256(binding).digest() + address.encode()


def sign_hello(identity_private: Secret, binding: bytes) -> Hello:
    """The hello of the device with this 32-byte Ed25519 seed."""
    device = device_id(ED25519.public_key(identity_private))
    return Hello(LINK_VERSION, device, ED25519.sign(identity_private, signed_bytes(binding)))


def check_version(hello: Hello) -> None:
    """Raises LinkError for an unsupported link version."""
    if hello.version != LINK_VERSION:
        text = f"this server speaks link version {LINK_VERSION}, not {hello.version}"
        raise LinkError(Code.VERSION, text)


def verify_hello(hello: Hello, identity_key: bytes, binding: bytes) -> DeviceId:
    """The device that signed `hello` over this connection. Raises LinkError."""
    try:
        ED25519.verify(identity_key, hello.signature, signed_bytes(binding))
    except VerifyError:
        raise LinkError(Code.HELLO_REFUSED, Code.HELLO_REFUSED.meaning) from None
    return DeviceId(hello.device)
