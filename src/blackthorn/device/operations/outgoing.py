"""What a person wants to be done, as the outbox keeps it until it is done.

Some wishes are nobody's but follow from others: a device that was added must come into every
conversation, one that was revoked out of it (`device.account.reconciler`).
"""

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import Struct

from blackthorn.device.core.group_metadata import GROUP, SELF
from blackthorn.errors import StorageError
from blackthorn.link.frames import ClaimedKeyPackage, Posting

CHAIN: Final = b"chain:"
"""The target of all that changes the user's own chain: one statement after the other."""


def name_of(kind: str, name: str) -> bytes:
    """What orders the outbox: things for one conversation leave in the order they were asked."""
    return f"{kind}:{name}".encode()


class SendText(Struct, frozen=True, tag="text"):
    """One text to one conversation.

    `message` is the id of its line in the history. `conversation` and `count` are empty until
    the text has been sealed for the first time, and stay the same from then on. `group` is the
    one group that the person meant, whatever others are named; empty until it has been made.
    """

    kind: str
    name: str
    salt: bytes
    text: str
    sent_ms: int
    message: bytes
    conversation: bytes = b""
    count: int = 0
    group: bytes = b""

    @property
    def target(self) -> bytes:
        """What orders it."""
        return name_of(self.kind, self.name)


class CreateGroup(Struct, frozen=True, tag="create"):
    """A new group of that name with these users."""

    name: str
    addresses: list[str]

    @property
    def target(self) -> bytes:
        """What orders it."""
        return name_of(GROUP, self.name)


class ChangeGroup(Struct, frozen=True, tag="change"):
    """Users to add to a group, or to remove from it; `remove_devices` are single devices."""

    name: str
    conversation: bytes
    add: list[str]
    remove: list[str]
    remove_devices: list[bytes] = []

    @property
    def target(self) -> bytes:
        """What orders it."""
        return name_of(GROUP, self.name)


class KeepMembers(Struct, frozen=True, tag="members"):
    """Make a conversation's devices those of the chains: own ones in, whatever is revoked out.

    What that comes to is decided when it is prepared, so that it is never out of date.
    """

    kind: str
    name: str
    conversation: bytes

    @property
    def target(self) -> bytes:
        """What orders it."""
        return name_of(self.kind, self.name)


class CreateSelf(Struct, frozen=True, tag="self"):
    """The group of the user's own devices."""

    @property
    def target(self) -> bytes:
        """What orders it."""
        return name_of(SELF, "")

    @property
    def name(self) -> str:
        """For the person."""
        return "your own devices"


class ShareSelf(Struct, frozen=True, tag="share"):
    """What one's own devices must all know, to them. `digest` is of what was last sealed."""

    salt: bytes
    digest: bytes = b""

    @property
    def target(self) -> bytes:
        """What orders it: behind every change of the group."""
        return name_of(SELF, "")

    @property
    def name(self) -> str:
        """For the person."""
        return "your own devices"


class ChangeChain(Struct, frozen=True, tag="chain"):
    """A statement for the user's own chain. `body` is as `device.core.statement_codec` encodes
    it.

    `signed` is the statement itself once it was made; it is sent unchanged, and made again only
    if the chain has moved on. With `fixed` it holds another's signature and is never made again.
    `what` is it in words.
    """

    what: str
    body: bytes
    certificate: bytes = b""
    signed: bytes = b""
    fixed: bool = False
    tries: int = 0

    @property
    def target(self) -> bytes:
        """What orders it."""
        return CHAIN

    @property
    def name(self) -> str:
        """For the person."""
        return self.what


OutgoingOperation = (
    SendText | CreateGroup | ChangeGroup | KeepMembers | CreateSelf | ShareSelf | ChangeChain
)


class Prepared(Struct, frozen=True):
    """A posting made of an intent, with what it takes to send it again.

    `fanouts` are the lists of device ids behind the posting's fan-out ids. `sort` is "text",
    "creation" (with the conversation's Welcome), "commit", or "clearing": a Commit that takes
    revoked devices out first, after which the intent still waits. `epoch` is the one it was
    sealed in.
    """

    posting: Posting
    fanouts: list[list[bytes]]
    conversation: bytes
    epoch: int
    sort: str

    @property
    def exclusive(self) -> bool:
        """Whether what comes after it must wait until it is accepted."""
        return self.sort != "text"

    @property
    def commits(self) -> bool:
        """Whether it is a Commit, which waits in its group until it is accepted."""
        return self.sort in ("commit", "clearing")


class Claimed(Struct, frozen=True):
    """Key packages that were claimed for an intent, and for which users the server answered."""

    packages: list[ClaimedKeyPackage]
    answered: list[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an intent. `error` is empty when it was accepted.

    `message` is the id of a text; `final` is False when it still waits, for the reason in
    `error`.
    """

    number: int
    message: bytes = b""
    error: str = ""
    final: bool = True


_encoder = msgspec.msgpack.Encoder()
_operation = msgspec.msgpack.Decoder(OutgoingOperation)
_prepared = msgspec.msgpack.Decoder(Prepared)
_claimed = msgspec.msgpack.Decoder(Claimed)


def encode(value: OutgoingOperation | Prepared | Claimed) -> bytes:
    """For the store."""
    return _encoder.encode(value)


def _decode(decoder: "msgspec.msgpack.Decoder[Any]", data: bytes) -> Any:
    try:
        return decoder.decode(data)
    except msgspec.DecodeError as error:
        raise StorageError(f"the outbox holds what this version cannot read: {error}") from None


def decode_operation(data: bytes) -> OutgoingOperation:
    """From the store."""
    operation: OutgoingOperation = _decode(_operation, data)
    return operation


def decode_prepared(data: bytes) -> Prepared:
    """From the store."""
    prepared: Prepared = _decode(_prepared, data)
    return prepared


def decode_claimed(data: bytes | None) -> Claimed | None:
    """From the store: None when nothing was claimed yet."""
    claimed: Claimed | None = None if data is None else _decode(_claimed, data)
    return claimed
