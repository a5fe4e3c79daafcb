"""The GroupContext (RFC 9420, 8.1): what all members of an epoch agree on."""

from dataclasses import dataclass
from functools import cached_property

from blackthorn.mls.codepoints import MLS10
from blackthorn.mls.errors import MalformedMessage
from blackthorn.mls.extension import Extensions, encode_extensions, read_extensions
from blackthorn.mls.rules import Rule
from blackthorn.wire.tls import Reader, opaque, u16, u64


@dataclass(frozen=True)
class GroupContext:
    """Group id, epoch, the hashes of tree and transcript, and the group's extensions."""

    cipher_suite: int
    group_id: bytes
    epoch: int
    tree_hash: bytes
    confirmed_transcript_hash: bytes
    extensions: Extensions = ()

    @cached_property
    def encoded(self) -> bytes:
        return (
            u16(MLS10)
            + u16(self.cipher_suite)
            + opaque(self.group_id)
            + u64(self.epoch)
            + opaque(self.tree_hash)
            + opaque(self.confirmed_transcript_hash)
            + encode_extensions(self.extensions)
        )


def read_group_context(reader: Reader) -> GroupContext:
    if reader.u16() != MLS10:
        raise MalformedMessage("the group is not of MLS 1.0", Rule.GROUP_VERSION)
    return GroupContext(
        reader.u16(),
        reader.opaque(),
        reader.u64(),
        reader.opaque(),
        reader.opaque(),
        read_extensions(reader),
    )
