"""Messages about healing: content of a direct or self conversation that is never shown.

content = MIMI content with one part of type application/vnd.blackthorn.heal
part    = MessagePack: one of the classes in `Message`
"""

from typing import Annotated, Any, Final, Literal

import cbor2
import msgspec
from msgspec import Meta, Struct

from blackthorn.device import limits as device_limits
from blackthorn.device.conversations import content
from blackthorn.device.conversations import limits as conversations_limits
from blackthorn.device.healing import limits
from blackthorn.link.frames.types import AddressText, Bytes32, Id16, Uint64
from blackthorn.wire import limits as wire_limits

KIND: Final = "application/vnd.blackthorn.heal"

_MAX_KNOWN_BYTES: Final = conversations_limits.MAX_CONVERSATIONS * limits.HAVE_BYTES

NO_TREE: Final = "NO_TREE"
"""The reason of a device to which the tree of its Welcome did not come: no `same` helps it."""

Package = Annotated[bytes, Meta(max_length=wire_limits.MAX_KEY_PACKAGE_BYTES)]
Branch = Annotated[bytes, Meta(max_length=16)]


class AskedItem(Struct, frozen=True, array_like=True):
    """One conversation in a question: the asker's epoch and branch, and why it asks.

    With a key package the asker wants to be added again. `trail` has the branches of the last
    epochs before, newest first, by which the answerer finds where two branches part; `missing` is
    the digest of the Commit that the server named and that did not come.
    """

    conversation: Bytes32
    epoch: Uint64
    branch: Id16
    why: Annotated[str, Meta(max_length=16)]
    package: Package = b""
    trail: Annotated[list[tuple[Uint64, Id16]], Meta(max_length=limits.MAX_TRAIL)] = []
    missing: Annotated[bytes, Meta(max_length=32)] = b""


class Question(Struct, frozen=True, tag="ask"):
    """Where are you in these conversations?"""

    nonce: Id16
    items: Annotated[list[AskedItem], Meta(min_length=1, max_length=limits.MAX_ITEMS)]


class AnsweredItem(Struct, frozen=True, array_like=True):
    """One conversation in an answer: `kind` as in `healing.decisions`, and the epoch it speaks of.

    `branch` is that of the answerer's epoch, without nonce; `by` removed the asker. `sure`: the
    answerer follows the conversation, and is not itself about to find its way back. If the
    answerer is on another branch, `parted` is the epoch that two Commits have ended, and `by` made
    the one on its side. `moved` is the group that has taken the conversation's place.
    """

    conversation: Bytes32
    kind: Literal["same", "ahead", "other", "removed"]
    epoch: Uint64
    branch: Branch = b""
    by: Annotated[str, Meta(max_length=320)] = ""
    sure: bool = False
    parted: Uint64 = 0
    moved: Annotated[bytes, Meta(max_length=32)] = b""


class Answers(Struct, frozen=True, tag="answers"):
    """The answers to the question of that nonce."""

    nonce: Id16
    items: Annotated[list[AnsweredItem], Meta(min_length=1, max_length=limits.MAX_ITEMS)]


class Lost(Struct, frozen=True, tag="lost"):
    """Texts of `device` in that conversation which its reader could not read.

    `digests` are the first 16 bytes of the SHA-256 of parcels; `counts` are those that are missing.
    """

    conversation: Bytes32
    device: Id16
    digests: Annotated[list[Id16], Meta(max_length=limits.MAX_LOST_ITEMS)]
    counts: Annotated[list[Uint64], Meta(max_length=limits.MAX_LOST_ITEMS)]


class Missed(Struct, frozen=True, tag="missed"):
    """From that epoch on its reader may have read nothing in the conversation until now.

    `heard` are devices with the highest count that was read of them. It goes to the group in which
    the reader was added again, or into the direct conversation that replaces another one.
    """

    conversation: Bytes32
    epoch: Uint64
    heard: Annotated[list[tuple[Id16, Uint64]], Meta(max_length=limits.MAX_TALLIES)] = []


class Again(Struct, frozen=True, tag="again"):
    """A text that its author sent in that conversation before, unchanged: its id stays.

    `digests` are those of its parcels, as in `Lost`, one after the other.
    """

    conversation: Bytes32
    content: Annotated[bytes, Meta(max_length=conversations_limits.MAX_CONTENT_BYTES)]
    digests: Annotated[bytes, Meta(max_length=16 * limits.MAX_SEALINGS)] = b""


class WantedItem(Struct, frozen=True, array_like=True):
    """The texts of a conversation, or (b"") of all, since `since_ms` by the asker's clock."""

    conversation: Annotated[bytes, Meta(max_length=32)]
    since_ms: Uint64


class MissedCounts(Struct, frozen=True, array_like=True):
    """Texts of one device in a conversation, by its count of them."""

    conversation: Bytes32
    device: Id16
    counts: Annotated[list[Uint64], Meta(max_length=limits.MAX_MISSED_COUNTS)]


class Wanted(Struct, frozen=True, tag="wanted"):
    """To the own devices: hand on the lines that this device missed.

    `have` has the first HAVE_BYTES of the ids of those that it has.
    """

    nonce: Id16
    items: Annotated[list[WantedItem], Meta(max_length=limits.MAX_ITEMS)]
    missed: Annotated[list[MissedCounts], Meta(max_length=limits.MAX_ITEMS)] = []
    have: Annotated[bytes, Meta(max_length=limits.MAX_HANDED_LINES * limits.HAVE_BYTES)] = b""


class HandedLine(Struct, frozen=True, array_like=True):
    """One text of the history, as `ports.device_store.HistoryRecord` has it."""

    message: Bytes32
    conversation: Bytes32
    kind: Literal["direct", "group"]
    name: Annotated[str, Meta(max_length=device_limits.MAX_GROUP_NAME_BYTES)]
    sender: AddressText
    text: Annotated[str, Meta(max_length=device_limits.MAX_MESSAGE_BYTES)]
    sent_ms: Uint64
    received_ms: Uint64
    mark: Annotated[str, Meta(max_length=limits.MAX_MARK_CHARS)] = ""
    device: Annotated[bytes, Meta(max_length=16)] = b""
    count: Uint64 = 0


class Lines(Struct, frozen=True, tag="lines"):
    """Lines handed on to the own device that asked with that nonce, in their order."""

    nonce: Id16
    lines: Annotated[list[HandedLine], Meta(max_length=limits.MAX_HANDED_LINES)]


class Known(Struct, frozen=True, tag="known"):
    """The device's folder was restored, or it cannot open a Welcome: what is it in besides these?

    `have` has the first HAVE_BYTES of the ids of the conversations that it is in.
    """

    have: Annotated[bytes, Meta(max_length=_MAX_KNOWN_BYTES)]


class Unknown(Struct, frozen=True, tag="unknown"):
    """The answer: it is in these too."""

    conversations: Annotated[list[Bytes32], Meta(min_length=1, max_length=limits.MAX_ITEMS)]


Message = Question | Answers | Lost | Missed | Again | Wanted | Lines | Known | Unknown

_encode = msgspec.msgpack.Encoder().encode
_decode: "msgspec.msgpack.Decoder[Message]" = msgspec.msgpack.Decoder(Message)


def encode_part(message: Message) -> bytes:
    """The part's body, as it is stored with an operation."""
    return _encode(message)


def encode(part: bytes, salt: bytes, sent_ms: int) -> bytes:
    """The content of a message with this part."""
    body = [content.RENDER, "", content.SINGLE_PART, KIND, part]
    extensions = {content.SENT: sent_ms}
    return cbor2.dumps([salt, None, b"", None, None, extensions, body], canonical=True)


def part_of(data: bytes) -> bytes | None:
    """The part of a message about healing, not decoded; None for any other content."""
    try:
        found: Any = content.load(data)
    except content.ContentError:
        return None
    match found:
        case [bytes(), _, bytes(), _, _, dict(), [int(), str(), 1, str(kind), bytes(body)]]:
            return body if kind == KIND else None
    return None


def decode(part: bytes) -> Message:
    """The message in a part. Raises ContentError."""
    try:
        return _decode.decode(part)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise content.ContentError("a message about healing has another form") from None
