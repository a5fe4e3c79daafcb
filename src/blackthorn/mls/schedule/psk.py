"""Names of pre-shared keys (RFC 9420, 8.4)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from blackthorn.crypto.secret import Secret
from blackthorn.mls import codepoints
from blackthorn.mls.errors import InvalidProposal, MalformedMessage
from blackthorn.mls.rules import Rule
from blackthorn.wire.tls import Reader, opaque, u8, u16, u64


@dataclass(frozen=True)
class ExternalPskId:
    """A key that the application holds under `psk_id`."""

    psk_id: bytes
    nonce: bytes

    def encode(self) -> bytes:
        return u8(codepoints.PSK_EXTERNAL) + opaque(self.psk_id) + opaque(self.nonce)


@dataclass(frozen=True)
class ResumptionPskId:
    """The resumption key of an epoch of a group (8.6)."""

    usage: int
    group_id: bytes
    epoch: int
    nonce: bytes

    @property
    def succession(self) -> bool:
        """Whether it links a group to the one it follows, in its first Commit only."""
        return self.usage in (codepoints.USAGE_REINIT, codepoints.USAGE_BRANCH)

    def encode(self) -> bytes:
        return (
            u8(codepoints.PSK_RESUMPTION)
            + u8(self.usage)
            + opaque(self.group_id)
            + u64(self.epoch)
            + opaque(self.nonce)
        )


PskId = ExternalPskId | ResumptionPskId

ResumptionName = tuple[bytes, int]
"""The group id and the epoch of a resumption key."""


def read_psk_id(reader: Reader) -> PskId:
    psk_type = reader.u8()
    if psk_type == codepoints.PSK_EXTERNAL:
        return ExternalPskId(reader.opaque(), reader.opaque())
    if psk_type != codepoints.PSK_RESUMPTION:
        raise MalformedMessage(f"PSK type {psk_type} does not exist", Rule.PSK_TYPE)
    usage = reader.u8()
    if not codepoints.USAGE_APPLICATION <= usage <= codepoints.USAGE_BRANCH:
        raise MalformedMessage(f"PSK usage {usage} does not exist", Rule.PSK_USAGE)
    return ResumptionPskId(usage, reader.opaque(), reader.u64(), reader.opaque())


PskName = bytes | ResumptionName
"""An external PSK's id, or a resumption PSK's name."""


def name_psks(
    names: Iterable[PskName], nonce_size: int, random: Callable[[int], bytes]
) -> list[PskId]:
    """Ids with fresh nonces of Nh bytes (8.4)."""
    ids: list[PskId] = []
    for name in names:
        nonce = random(nonce_size)
        if isinstance(name, bytes):
            ids.append(ExternalPskId(name, nonce))
        else:
            ids.append(ResumptionPskId(codepoints.USAGE_APPLICATION, *name, nonce))
    return ids


@dataclass(frozen=True)
class KnownPsks:
    """Pre-shared keys of this client other than the group's own."""

    external: Mapping[bytes, Secret] = field(default_factory=dict)
    resumption: Mapping[ResumptionName, Secret] = field(default_factory=dict)

    def find(self, psk_id: PskId) -> Secret | None:
        if isinstance(psk_id, ExternalPskId):
            return self.external.get(psk_id.psk_id)
        return self.resumption.get((psk_id.group_id, psk_id.epoch))

    def require(self, psk_id: PskId) -> Secret:
        """Raises `InvalidProposal` if unknown."""
        found = self.find(psk_id)
        if found is None:
            raise InvalidProposal("a pre-shared key is not known here", Rule.PSK_KNOWN)
        return found


def psk_label(psk_id: PskId, index: int, count: int) -> bytes:
    """PSKLabel: binds a key to its position."""
    return psk_id.encode() + u16(index) + u16(count)
