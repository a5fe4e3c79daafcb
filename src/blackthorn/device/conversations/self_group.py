"""The self-group: an MLS group of one user's devices, never shown.

Its messages are snapshots of shared state: OpenPGP keys and verified people. A snapshot only adds
to the recipient's state. If two devices each create such a group, both are read and the later one
is written in.

    content = MIMI content with one part of type application/vnd.blackthorn.self
"""

import hashlib
from typing import Annotated, Final

import cbor2
import msgspec
from msgspec import Meta, Struct

from blackthorn.crypto import limits as crypto_limits
from blackthorn.crypto.openpgp_seal import CertificateError
from blackthorn.crypto.secret import Secret
from blackthorn.device import limits as device_limits
from blackthorn.device.conversations import content
from blackthorn.device.conversations import limits as conversations_limits
from blackthorn.device.core import group_metadata, members
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing.states import State, is_member
from blackthorn.device.mail import keys as mail_keys
from blackthorn.device.transparency import verified
from blackthorn.link.frames.types import AddressText, Bytes32, Uint64
from blackthorn.mls.group.group import Group
from blackthorn.ports.device_store import Settings

KIND: Final = "application/vnd.blackthorn.self"
_SHARED: Final = "self-shared"
_KeyBytes = Annotated[bytes, Meta(min_length=1, max_length=crypto_limits.MAX_CERTIFICATE_BYTES)]


class MailKey(Struct, frozen=True):
    """One OpenPGP key of the user."""

    secret: _KeyBytes
    certificate: _KeyBytes
    since_ms: Uint64


class Comparison(Struct, frozen=True):
    """A verified person, and a 32-byte hash of their identity at that time."""

    address: AddressText
    half: Bytes32
    at_ms: Uint64


class Snapshot(Struct, frozen=True):
    """The state that a user's devices share."""

    mail_keys: Annotated[list[MailKey], Meta(max_length=conversations_limits.MAX_MAIL_KEYS)]
    compared: Annotated[list[Comparison], Meta(max_length=device_limits.MAX_COMPARED)]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Snapshot).decode


def present(unit: UnitOfWork) -> Conversation | None:
    """The newest active self-group, or None."""
    return max(
        all_active(unit),
        key=lambda group: (group.record.created_ms, group.record.id),
        default=None,
    )


def all_active(unit: UnitOfWork) -> list[Conversation]:
    """All active self-groups; two devices may each have created one."""
    records = unit.records.conversations.named(group_metadata.SELF, "")
    return [unit.open(record.id) for record in records if record.standing == State.FOLLOWING]


def counted(unit: UnitOfWork) -> bool:
    """Whether there is a self-group that is not replaced, followed or suspect."""
    standings = unit.records.conversations.standings(group_metadata.SELF, "")
    return any(is_member(standing) for _, standing in standings)


def snapshot(unit: UnitOfWork) -> Snapshot:
    keys = sorted(unit.records.mail_keys.all(), key=lambda key: key.fingerprint)
    newest = sorted(keys, key=lambda key: key.since_ms)[-conversations_limits.MAX_MAIL_KEYS :]
    marks = verified.marks(unit.records.settings)
    return Snapshot(
        [MailKey(key.secret, key.certificate, key.since_ms) for key in newest],
        [Comparison(address, *mark) for address, mark in sorted(marks.items())],
    )


def digest(unit: UnitOfWork, group: Group, shared: Snapshot) -> bytes:
    """32 bytes that change when a device joins or new state must be shared."""
    devices = sorted(member.device for member in members.identities(group.members))
    return hashlib.sha256(b"".join(devices) + _encode(shared)).digest()


def mark_shared(unit: UnitOfWork, digest: bytes) -> None:
    unit.records.settings.put(_SHARED, digest)


def shared(settings: Settings) -> bytes | None:
    """The digest of what was shared last."""
    return settings.get(_SHARED)


def share_due(unit: UnitOfWork) -> bool:
    """Whether other devices of the user lack state that this device has."""
    conversation = present(unit)
    if conversation is None or len(conversation.group.members) < 2:
        return False
    now = digest(unit, conversation.group, snapshot(unit))
    return unit.records.settings.get(_SHARED) != now


def encode(shared: Snapshot, salt: bytes, sent_ms: int) -> bytes:
    """Encode the content of a message."""
    part = [content.RENDER, "", content.SINGLE_PART, KIND, _encode(shared)]
    extensions = {content.SENT: sent_ms}
    return cbor2.dumps([salt, None, b"", None, None, extensions, part], canonical=True)


def decode(data: bytes) -> Snapshot:
    """The snapshot in a message's content. Raises ContentError."""
    match content.load(data):
        case [bytes(), _, bytes(), _, _, dict(), [int(), str(), 1, str(kind), bytes(body)]]:
            if kind == KIND:
                try:
                    return _decode(body)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    raise content.ContentError("a snapshot has another form") from None
    raise content.ContentError("one's own devices say nothing else than snapshots")


def take(unit: UnitOfWork, conversation: Conversation, body: bytes) -> None:
    """Merge another device's snapshot into the store. Raises ContentError."""
    received = decode(body)
    for key in received.mail_keys:
        try:
            mail_keys.keep(unit.records, Secret(key.secret), key.certificate, key.since_ms)
        except CertificateError:
            raise content.ContentError("a shared mail key is none") from None
    for person in received.compared:
        verified.put(unit, person.address, person.half, person.at_ms)
    now = snapshot(unit)
    if now == received:
        mark_shared(unit, digest(unit, conversation.group, now))
