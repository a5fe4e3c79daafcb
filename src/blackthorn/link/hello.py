"""Hello: a device proves that it is the other end of this TLS connection.

It signs the hash of the connection's binding, which no two connections share, with its enrolled
identity key. So a hello cannot be replayed or relayed. Each hello has the next number and the hash
of the device's hello before; the server gives back the newest it had, so that two copies of one
vault notice each other (docs/specs/link.md).
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519, VerifyError
from blackthorn.errors import DecodeError
from blackthorn.ids import DeviceId, device_id
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.frames import HELLO_BYTES, LINK_VERSION, Hello

LABEL_V1: Final = b"blackthorn-link-hello-v1"
LABEL: Final = b"blackthorn-link-hello-v2"
NONE_BEFORE: Final = bytes(32)
"""The hash before a device's first hello."""
RECOVERY_LABEL: Final = b"blackthorn-recovery-hello-v1"


@dataclass(frozen=True, slots=True)
class KeptHello:
    """What a server keeps of a hello: enough to verify it, and not its connection's binding."""

    binding_hash: bytes
    number: int
    before: bytes
    signature: bytes

    @property
    def message(self) -> bytes:
        return LABEL + self.binding_hash + self.number.to_bytes(8, "big") + self.before

    def encode(self) -> bytes:
        """HELLO_BYTES: hash of the binding, number, hash of the hello before, signature."""
        return self.message[len(LABEL) :] + self.signature

    @property
    def digest(self) -> bytes:
        """32 bytes by which the next hello names this one."""
        return hashlib.sha256(self.encode()).digest()

    def verify(self, identity_key: bytes) -> None:
        """Raises VerifyError."""
        ED25519.verify(identity_key, self.signature, self.message)


def decode_kept(data: bytes) -> KeptHello:
    """Raises DecodeError."""
    if len(data) != HELLO_BYTES:
        raise DecodeError(f"a kept hello has {len(data)} bytes, not {HELLO_BYTES}")
    number = int.from_bytes(data[32:40], "big")
    return KeptHello(data[:32], number, data[40:72], data[72:])


def kept(hello: Hello, binding: bytes) -> KeptHello:
    """The part of a hello over this connection that is kept."""
    digest = hashlib.sha256(binding).digest()
    return KeptHello(digest, hello.number, hello.before, hello.signature)


def recovery_bytes(binding: bytes, address: str) -> bytes:
    """Signed by the user's recovery key; `binding` as in `sign_hello`."""
    return RECOVERY_LABEL + hashlib.sha256(binding).digest() + address.encode()


def sign_hello(
    identity_private: Secret, binding: bytes, number: int = 0, before: bytes = NONE_BEFORE
) -> Hello:
    """The hello of the device with this 32-byte Ed25519 seed.

    `binding` is TLS's client Finished, then the hash of the SPKI.
    """
    unsigned = KeptHello(hashlib.sha256(binding).digest(), number, before, b"")
    signature = ED25519.sign(identity_private, unsigned.message)
    device = device_id(ED25519.public_key(identity_private))
    return Hello(LINK_VERSION, device, signature, number, before)


def check_version(version: int) -> None:
    """Raises LinkError for an unsupported link version."""
    if version not in range(1, LINK_VERSION + 1):
        text = f"this server speaks link versions 1 to {LINK_VERSION}, not {version}"
        raise LinkError(Code.VERSION, text)


def verify_hello(hello: Hello, identity_key: bytes, binding: bytes) -> DeviceId:
    """The device that signed `hello` over this connection. Raises LinkError."""
    try:
        if hello.version == 1:
            message = LABEL_V1 + hashlib.sha256(binding).digest()
            ED25519.verify(identity_key, hello.signature, message)
        elif len(hello.before) == len(NONE_BEFORE):
            kept(hello, binding).verify(identity_key)
        else:
            raise VerifyError
    except VerifyError:
        raise LinkError(Code.HELLO_REFUSED, Code.HELLO_REFUSED.meaning) from None
    return DeviceId(hello.device)
