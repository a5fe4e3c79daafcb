"""messages/NAME.json: one conversation as a versioned JSON object, one message a line."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import msgspec

CONVERSATION_FORMAT: Final = "blackthorn-conversation-v1"
_UNSAFE: Final = re.compile(r"[^a-z0-9@_-]+")
_NAME_CHARACTERS: Final = 48


@dataclass(frozen=True, slots=True)
class ExportMessage:
    """One line of a conversation.

    `id` is the 32-byte message id; `sort` "text" or "event"; `standing` "received", "accepted",
    "waiting" or "failed"; times are Unix milliseconds. `mark` tells what a reader must know of its
    sender's device ("from a device revoked on DATE"), and how the line came; mostly it is empty.
    """

    id: bytes
    sender: str
    sort: str
    text: str = field(repr=False)
    sent_ms: int
    received_ms: int
    standing: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class ExportConversation:
    """A conversation. `ids` are its MLS groups, `members` as last known.

    `standing` is "active", "removed", or "unknown" when only its messages are left.
    """

    kind: str
    name: str
    ids: Sequence[bytes]
    members: Sequence[str]
    standing: str
    messages: Iterable[ExportMessage] = field(repr=False)


def rfc3339(time_ms: int) -> str | None:
    """A time in UTC; None outside the calendar."""
    try:
        moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def file_name(conversation: ExportConversation) -> str:
    """A portable file name: kind, readable name, 12 hex digits of a hash."""
    identity = [conversation.kind, conversation.name, *(id_.hex() for id_ in conversation.ids)]
    digest = hashlib.sha256("\0".join(identity).encode("utf-8", "replace")).hexdigest()[:12]
    plain = _UNSAFE.sub("-", conversation.name.lower()).strip("-")[:_NAME_CHARACTERS]
    return f"{conversation.kind}-{plain or 'unnamed'}-{digest}"


def document(
    conversation: ExportConversation, messages: Sequence[ExportMessage]
) -> Iterator[bytes]:
    head = {
        "format": CONVERSATION_FORMAT,
        "kind": conversation.kind,
        "name": clean(conversation.name),
        "ids": [id_.hex() for id_ in conversation.ids],
        "members": [clean(member) for member in conversation.members],
        "standing": conversation.standing,
    }
    yield msgspec.json.encode(head)[:-1] + b',"messages":['
    for number, message in enumerate(messages):
        yield (b",\n" if number else b"\n") + msgspec.json.encode(_message(message))
    yield b"\n]}\n"


def clean(text: str) -> str:
    """Replace characters that UTF-8 cannot encode."""
    return text.encode("utf-8", "replace").decode()


def _message(message: ExportMessage) -> dict[str, object]:
    return {
        "id": message.id.hex(),
        "sender": clean(message.sender),
        "sort": message.sort,
        "sent": rfc3339(message.sent_ms),
        "received": rfc3339(message.received_ms),
        "standing": message.standing,
        "mark": clean(message.mark),
        "text": clean(message.text),
    }
