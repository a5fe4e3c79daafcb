"""Names of pre-shared keys (RFC 9420, 8.4)."""

from dataclasses import dataclass

from blackthorn.mls.codepoints import (
    PSK_EXTERNAL,
    PSK_RESUMPTION,
    USAGE_APPLICATION,
    USAGE_BRANCH,
)
from blackthorn.mls.errors import MalformedMessage
from blackthorn.wire.tls import Reader, opaque, u8, u16, u64


@dataclass(frozen=True)
class ExternalPskId:
    """A key that the application holds under `psk_id`."""

    psk_id: bytes
    nonce: bytes

    def encode(self) -> bytes:
        """The wire form."""
        return u8(PSK_EXTERNAL) + opaque(self.psk_id) + opaque(self.nonce)


@dataclass(frozen=True)
class ResumptionPskId:
    """The resumption key of an epoch of a group."""

    usage: int
    group_id: bytes
    epoch: int
    nonce: bytes

    def encode(self) -> bytes:
        """The wire form."""
        return (
            u8(PSK_RESUMPTION)
            + u8(self.usage)
            + opaque(self.group_id)
            + u64(self.epoch)
            + opaque(self.nonce)
        )


PskId = ExternalPskId | ResumptionPskId


def read_psk_id(reader: Reader) -> PskId:
    """A PreSharedKeyID."""
    psk_type = reader.u8()
    if psk_type == PSK_EXTERNAL:
        return ExternalPskId(reader.opaque(), reader.opaque())
    if psk_type != PSK_RESUMPTION:
        raise MalformedMessage(f"PSK type {psk_type} does not exist")
    usage = reader.u8()
    if not USAGE_APPLICATION <= usage <= USAGE_BRANCH:
        raise MalformedMessage(f"PSK usage {usage} does not exist")
    return ResumptionPskId(usage, reader.opaque(), reader.u64(), reader.opaque())


def psk_label(psk_id: PskId, index: int, count: int) -> bytes:
    """The PSKLabel that binds a key to its place among the others."""
    return psk_id.encode() + u16(index) + u16(count)
