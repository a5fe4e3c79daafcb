"""Inbound parcels: decrypt and persist; only then may they be acknowledged.

An undecryptable parcel changes nothing: it may be early, forged, or for a conversation that this
device has left. It is recorded and retried after every change of a conversation's keys. A parcel
from unknown devices stays undecryptable until their users were looked up (`core.members`).
"""

import hashlib
from collections.abc import Callable

from blackthorn.device.conversations import (
    content,
    conversations,
    key_packages,
    limits,
    self_group,
    void,
)
from blackthorn.device.core import envelope, group_metadata
from blackthorn.device.core.members import Identity, UnknownDeviceError, identify
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.transparency import gossip
from blackthorn.device.transparency.alarms import raise_alarm
from blackthorn.errors import InputError
from blackthorn.mls.epoch.policy import Policy
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import InvalidCommit
from blackthorn.mls.group import processing, receiving
from blackthorn.mls.group.group import Application, Group
from blackthorn.ports.device_store import HistoryRecord, UndecryptableRecord

Retract = Callable[[UnitOfWork, Conversation], None]
"""Undoes this device's own Commit after another member's Commit was accepted first."""


def accept(unit: UnitOfWork, seq: int, parcel: bytes, retract: Retract) -> bool:
    """Open and store one parcel; False: it is recorded as undecryptable."""
    parcels, digest = unit.records.parcels, envelope.digest(parcel)
    if parcels.seen(digest):
        return True
    try:
        with unit.attempt():
            _open(unit, parcel, retract)
    except void.VoidCommitError as error:
        void.note(unit, error, digest)
    except InputError as error:
        if isinstance(error, UnknownDeviceError):
            unknown = [(device.device, device.address) for device in error.unknown_devices]
            unit.records.peers.ask_for(unknown, unit.now_ms, limits.MAX_UNKNOWN_DEVICES)
        elif isinstance(error, key_packages.ReusedError):
            text = "a second Welcome came for a key package of this device"
            fact, address = digest.hex(), unit.me.address
            raise_alarm(unit.records, "key-package-reuse", address, text, unit.now_ms, fact=fact)
        parcels.set_aside(UndecryptableRecord(digest, seq, str(error), unit.now_ms))
        return False
    parcels.mark_seen(digest, unit.now_ms)
    return True


def _open(unit: UnitOfWork, parcel: bytes, retract: Retract) -> None:
    welcome = envelope.welcome_of(parcel)
    if welcome is not None:
        conversations.join(unit, welcome)
        return
    (owner, epoch), message = envelope.open_group_parcel(parcel, unit.envelopes())
    conversation = unit.open(owner)
    conversation.recall(unit.records, epoch)
    with void.judging(unit, conversation) as policy:
        received = _process(unit, conversation.group, message, policy)
    match received:
        case Application():
            sender, seen = identify(received.sender.credential), received.authenticated_data
            gossip.receive(unit.records, owner, sender.address, seen, unit.now_ms)
            if conversation.record.kind == group_metadata.SELF:
                unit.validate(received.sender.credential, received.sender.signature_key)
                self_group.take(unit, conversation, received.content)
                return
            _show(unit, conversation, sender, received.content)
        case StagedCommit():
            unit.validate(received.committer.credential, received.committer.signature_key)
            conversations.check_commit(unit, conversation, received)
            retract(unit, conversation)
            conversations.merge(unit, conversation, received)


def _process(unit: UnitOfWork, group: Group, message: bytes, policy: Policy) -> receiving.Outcome:
    """Process an MLS message. Raises UnknownDeviceError with all users to look up first.

    Separate proposals are refused: another member's next Commit would carry them out.
    """
    if processing.is_proposal(message):
        raise InvalidCommit("members change a conversation by Commits alone")
    try:
        return group.process(message, validate=unit.validate, policy=policy)
    except UnknownDeviceError:
        # A copy goes on to find the others, so that the group itself stays as it was.
        validate = unit.gathering()
        copy = Group.deserialise(group.serialise())
        copy.process(message, validate=validate)
        validate.require_known()
        raise


def _show(unit: UnitOfWork, conversation: Conversation, sender: Identity, body: bytes) -> None:
    """Store a message in the history once; a sender may seal the same message again."""
    record = conversation.record
    try:
        message = content.decode(body)
    except content.ContentError as error:
        mark = hashlib.sha256(body).hexdigest()[:8]
        text = f"a message of {sender.address} cannot be shown here ({mark}): {error}"
        conversations.tell(unit, conversation, sender.address, text)
        return
    _count(unit, record.id, sender.device, message.count)
    identifier = content.message_id(body, sender.address, record.id, message.salt)
    if unit.records.history.known(identifier):
        return
    mine = sender.address == unit.me.address  # written on another of the user's devices
    unit.records.history.add(
        HistoryRecord(
            message=identifier,
            conversation=record.id,
            kind=record.kind,
            name=record.name,
            sender=sender.address,
            sort="text",
            text=message.text,
            sent_ms=min(message.sent_ms, unit.now_ms + limits.MAX_CLOCK_AHEAD_SECONDS * 1000),
            received_ms=unit.now_ms,
            standing="accepted" if mine else "received",
            shown=mine,
        )
    )


def _count(unit: UnitOfWork, conversation: bytes, device: bytes, count: int) -> None:
    """Track missing and late messages of a device by their count."""
    if not count:
        return
    peers = unit.records.peers
    highest = peers.tally(conversation, device)
    if highest is not None and count <= highest:
        peers.close_gap(conversation, device, count)
        return
    if highest is not None:
        end = min(count, highest + 1 + limits.MAX_COUNTED_GAP)
        peers.add_gaps(conversation, device, range(highest + 1, end))
    peers.set_tally(conversation, device, count)
