"""Group metadata in the GroupContext: kind, name and creation time.

A private extension that only members see; it is bound into every epoch's keys.
"""

from dataclasses import dataclass
from typing import Final

import cbor2

from blackthorn.device import limits
from blackthorn.errors import DecodeError
from blackthorn.mls.codepoints import APPLICATION_EXTENSION
from blackthorn.mls.extension import Extension, Extensions, find
from blackthorn.wire import cbor

DIRECT: Final = "direct"
GROUP: Final = "group"
SELF: Final = "self"
"""The user's own devices among themselves (`device.conversations.self_group`); never shown."""
_VERSION: Final = 1
_KINDS: Final = (DIRECT, GROUP, SELF)
_ID_BYTES: Final = 32
_MAX_BYTES: Final = 2 * limits.MAX_GROUP_NAME_BYTES


class GroupMetadataError(DecodeError):
    """The GroupContext has no valid metadata."""


@dataclass(frozen=True, slots=True)
class GroupMetadata:
    """A conversation. Only a group has a `name`; `created_ms` is the creator's clock.

    It `replaces` the group of that id, of which it has kind and name (`healing.moving`).
    """

    kind: str
    name: str
    created_ms: int
    replaces: bytes = b""

    def extension(self) -> Extension:
        value = [_VERSION, _KINDS.index(self.kind), self.created_ms, self.name]
        value += [self.replaces] if self.replaces else []
        return Extension(APPLICATION_EXTENSION, cbor2.dumps(value, canonical=True))


def read_group_metadata(extensions: Extensions | list[Extension]) -> GroupMetadata:
    """The metadata in a GroupContext's extensions. Raises GroupMetadataError."""
    data = find(extensions, APPLICATION_EXTENSION)
    if data is None or len(data) > _MAX_BYTES:
        raise GroupMetadataError("the group does not say what conversation it is")
    refusal = GroupMetadataError("the group's description is of an unknown form")
    match cbor.load(data, 2, refusal):
        case [1, 0 | 1 | 2 as kind, int(created_ms), str(name)] if _fits(kind, created_ms, name):
            return GroupMetadata(_KINDS[kind], name, created_ms)
        case [1, 0 | 1 | 2 as kind, int(created_ms), str(name), bytes(replaces)] if (
            _fits(kind, created_ms, name) and len(replaces) == _ID_BYTES
        ):
            return GroupMetadata(_KINDS[kind], name, created_ms, replaces)
    raise refusal


def _fits(kind: int, created_ms: int, name: str) -> bool:
    size = len(name.encode("utf-8", "surrogatepass"))
    group = _KINDS[kind] == GROUP
    named = 0 < size <= limits.MAX_GROUP_NAME_BYTES if group else size == 0
    return named and 0 <= created_ms < 2**53
