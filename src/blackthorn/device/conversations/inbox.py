"""Inbound parcels: decrypt and persist; only then may they be acknowledged.

An undecryptable parcel changes nothing: it may be early, forged, or for a conversation that this
device has left. It is recorded and retried after every change of a conversation's keys and after
lookups. A Commit is merged by its bytes and the epoch's keys alone, so that all members agree;
whom the ledger lists decides what is sealed and shown afterwards (`conversations.noted`).
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from blackthorn.device.conversations import (
    commits,
    content,
    conversations,
    former,
    handed_lines,
    heal_messages,
    key_packages,
    limits,
    lost,
    noted,
    other_commits,
    rejoining,
    self_group,
    void,
)
from blackthorn.device.core import envelope, group_metadata, moments, parts, trees
from blackthorn.device.core.members import Identity, UnknownDeviceError, identify, same_device
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import lacking, moving, notes
from blackthorn.device.healing.states import Event
from blackthorn.device.transparency import gossip
from blackthorn.device.transparency.alarms import raise_alarm
from blackthorn.errors import InputError
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import DecryptionFailed, GenerationConsumed, InvalidCommit, MLSError
from blackthorn.mls.framing.key_package import KeyPackage
from blackthorn.mls.group import processing
from blackthorn.mls.group.group import Application
from blackthorn.mls.group.receiving import Outcome
from blackthorn.ports.device_store import (
    ConversationRecord,
    HistoryRecord,
    Records,
    UndecryptableRecord,
)

SENT_AGAIN = "sent again"
"""The mark of a text that its author sent again: it stands later than it was written."""

_DROPPED: Final = "undecryptable-dropped"

Retract = Callable[[UnitOfWork, Conversation], None]
"""Undoes this device's own Commit after another member's Commit was accepted first."""


def accept(unit: UnitOfWork, seq: int, parcel: bytes, retract: Retract) -> bool:
    """Open and store one parcel; False: it is recorded as undecryptable."""
    parcels, digest = unit.records.parcels, envelope.digest(parcel)
    gathered, whole = [parcel], digest
    if parcels.seen(digest):
        return True
    first = parcels.undecryptable(digest)
    if first is None:
        first = UndecryptableRecord(digest, seq, "", unit.now_ms, moments.present(unit.records))
    if first.reason == conversations.REFUSED:  # for good: the inviter has been told
        parcels.set_aside(replace(first, seq=seq))
        return False
    try:
        with unit.attempt():
            gathered = parts.gather(unit, parcel)
            if len(gathered) > 1:
                whole = envelope.digest(b"".join(gathered))
            if gathered:
                _open(unit, gathered, whole, first, retract)
    except void.VoidCommitError as error:
        void.note(unit, error, whole)
        other_commits.keep_commit(unit, error.conversation, whole, gathered)
    except other_commits.OtherCommitError as error:
        other_commits.note(unit, error, whole)
    except former.LateTextError as error:
        former.alarm(unit, error.sender)
    except InputError as error:
        _signal(unit, error, whole)
        if isinstance(error, UnknownDeviceError):
            unknown = [(device.device, device.address) for device in error.unknown_devices]
            unit.records.peers.ask_for(unknown, unit.now_ms, limits.MAX_UNKNOWN_DEVICES)
        elif isinstance(error, key_packages.ReusedError):
            text = "a second Welcome came for a key package of this device"
            fact, address = digest.hex(), unit.me.address
            raise_alarm(unit.records, "key-package-reuse", address, text, unit.now_ms, fact=fact)
        if first.reason != str(error):
            _signal_once(unit, error)
        _set_aside(unit, replace(first, seq=seq, reason=str(error), holder=_holder(error)))
        return False
    parts.forget(unit, gathered)
    parcels.mark_seen(digest, unit.now_ms)
    return True


def _set_aside(unit: UnitOfWork, record: UndecryptableRecord) -> None:
    """Record a parcel as undecryptable; beyond the bound the largest holder's oldest go."""
    unit.records.parcels.set_aside(record)
    gone = unit.records.parcels.keep_undecryptable(limits.MAX_UNDECRYPTABLE)
    if gone:
        count = dropped(unit.records) + gone
        unit.records.settings.put(_DROPPED, count.to_bytes(8, "big"))


def dropped(records: Records) -> int:
    """How many undecryptable parcels were forgotten because there were too many."""
    return int.from_bytes(records.settings.get(_DROPPED) or b"", "big")


def _holder(error: InputError) -> bytes:
    """The device or user that a refused parcel names, or else its conversation, or nobody."""
    if isinstance(error, lost.LostTextError):
        return error.author.device
    if isinstance(error, conversations.RefusedWelcomeError):
        return str(error.inviter).encode()
    return error.conversation if isinstance(error, CommitFailedError) else b""


class CommitFailedError(InvalidCommit):
    """An authentic Commit of the present epoch, whose changes hold, leads to no epoch here (S1).

    One that breaks a rule is refused by all members alike: it is no sign of being behind.
    """

    def __init__(self, conversation: bytes, error: InputError) -> None:
        super().__init__(str(error))
        self.conversation = conversation


def _signal(unit: UnitOfWork, error: InputError, digest: bytes) -> None:
    """Note what a refused parcel says of a conversation that this device is in."""
    if isinstance(error, CommitFailedError):
        notes.commit_failed(unit, unit.open(error.conversation), digest[:16])
    elif isinstance(error, lost.LostTextError):
        lost.note(unit, error, digest)
    elif isinstance(error, rejoining.KnownConversationError):
        notes.move(unit, unit.open(error.conversation), Event.WELCOMED)


def _signal_once(unit: UnitOfWork, error: InputError) -> None:
    """What a parcel leads to when it is refused for a new reason, and not at further attempts."""
    if isinstance(error, trees.MissingTreeError):
        trees.expect(unit, error)
    elif isinstance(error, commits.DoubtfulRemovalError):
        commits.doubt_removal(unit, error)  # afterwards the members have the word
    elif isinstance(error, key_packages.NoPackageError):
        lacking.note(unit)
    elif isinstance(error, conversations.RefusedWelcomeError):
        lacking.refused(unit, error.conversation, error.inviter)


def _open(
    unit: UnitOfWork,
    gathered: list[bytes],
    digest: bytes,
    first: UndecryptableRecord,
    retract: Retract,
) -> None:
    """Open the parcels, of that digest, of a message that was first tried at `first`."""
    welcome = envelope.welcome_of(gathered[0])
    if welcome is not None:
        conversations.join(unit, welcome, first)
        return
    (owner, epoch), message = parts.open_message(unit, gathered)
    conversation = unit.open(owner)
    other_commits.check(unit, conversation, epoch, message, digest)
    conversation.recall(unit.records, epoch)
    try:
        received, packages = _process(unit, conversation, message, first)
        _take(unit, conversation, received, first, retract, digest)
        if isinstance(received, StagedCommit):
            other_commits.keep_commit(unit, owner, digest, gathered)
        if isinstance(received, StagedCommit) and commits.adds_me_again(unit, received):
            rejoining.check_own(unit, packages)
    except UnknownDeviceError:
        raise
    except MLSError as error:
        if error.cannot_follow:
            raise CommitFailedError(owner, error) from error
        raise


def _process(
    unit: UnitOfWork, conversation: Conversation, message: bytes, first: UndecryptableRecord
) -> tuple[Outcome, list[KeyPackage]]:
    """Process an MLS message; the key packages that a Commit uses, too.

    Raises UnknownDeviceError, LateTextError, MLSError.
    """
    if processing.is_proposal(message):  # another member's next Commit would carry it out
        raise InvalidCommit("members change a conversation by Commits alone")
    _require_looked_up(unit, conversation, message)
    try:
        with void.judging(unit, conversation) as (policy, packages):
            outcome = conversation.group.process(message, validate=same_device, policy=policy)
            return outcome, packages
    except DecryptionFailed as error:
        author = conversation.group.claimed_author(message)
        if author is not None:
            if isinstance(error, GenerationConsumed):  # a former device's keys were deleted
                former.check_in_time(unit, identify(author.credential), first.moment)
            lost.check(unit, conversation, author, error)
        raise


def _take(
    unit: UnitOfWork,
    conversation: Conversation,
    received: Outcome,
    first: UndecryptableRecord,
    retract: Retract,
    digest: bytes,
) -> None:
    match received:
        case Application():
            owner = conversation.record.id
            sender, seen = identify(received.sender.credential), received.authenticated_data
            former.check_in_time(unit, sender, first.moment)
            noted.heard(unit, conversation, sender, received.epoch)
            if received.epoch < conversation.group.epoch:
                rejoining.still_writes(unit, conversation, sender)
            gossip.receive(unit.records, owner, sender.address, seen, unit.now_ms)
            live = unit.chains.live(sender.address) or ()
            if conversation.record.kind != group_metadata.SELF:
                mark = "" if sender.device in live else former.mark_of_other(unit, sender)
                _show(unit, conversation, sender, received.content, mark)
            elif sender.device in live and not _hear(unit, conversation, sender, received.content):
                self_group.take(unit, conversation, received.content)
        case StagedCommit():
            commits.check_removal(unit, conversation, received, first.moment)
            if commits.adds_me_again(unit, received):
                notes.move(unit, conversation, Event.ADDED_AGAIN)  # its Welcome leads on
                return
            retract(unit, conversation)
            commits.merge(unit, conversation, received, digest)


def _require_looked_up(unit: UnitOfWork, conversation: Conversation, message: bytes) -> None:
    """Let a text wait whose sender's device was added and not looked up since.

    Raises UnknownDeviceError before a key is used up, MLSError.
    """
    if not noted.in_conversation(unit, conversation.record.id):
        return
    author = conversation.group.claimed_author(message)
    if author is not None:
        noted.require_looked_up(unit, conversation, identify(author.credential))


def _show(
    unit: UnitOfWork, conversation: Conversation, sender: Identity, body: bytes, mark: str
) -> None:
    """Store a message in the history once; a sender may seal the same message again."""
    place = conversation.record
    try:
        message = content.decode(body)
    except content.ContentError:
        if mark and heal_messages.part_of(body) is not None:
            return  # a former device's word counts for nothing
        try:
            if _hear(unit, conversation, sender, body):
                return
        except content.ContentError as refused:
            error = refused
        short = hashlib.sha256(body).hexdigest()[:8]
        text = f"a message of {sender.address} cannot be shown here ({short}): {error}"
        conversations.tell(unit, conversation, sender.address, text)
        return
    _count(unit, place.id, sender.device, message.count)
    identifier = content.message_id(body, sender.address, place.id, message.salt)
    _store(unit, place, sender, message, identifier, mark)


def _store(
    unit: UnitOfWork,
    place: ConversationRecord,
    sender: Identity,
    message: content.TextContent,
    identifier: bytes,
    mark: str = "",
) -> None:
    """Add a text to the history, once."""
    if unit.records.history.known(identifier):
        return
    mine = sender.address == unit.me.address  # written on another of the user's devices
    unit.records.history.add(
        HistoryRecord(
            message=identifier,
            conversation=place.id,
            kind=place.kind,
            name=place.name,
            sender=sender.address,
            sort="text",
            text=message.text,
            sent_ms=min(message.sent_ms, unit.now_ms + limits.MAX_CLOCK_AHEAD_SECONDS * 1000),
            received_ms=unit.now_ms,
            standing="accepted" if mine else "received",
            shown=mine,
            mark=mark,
            device=sender.device,
            count=message.count,
        )
    )


def _hear(unit: UnitOfWork, conversation: Conversation, sender: Identity, body: bytes) -> bool:
    """Keep a message about healing to work it off; whether it is one. Raises ContentError."""
    part = heal_messages.part_of(body)
    if part is None:
        return False
    place = conversation.record
    match heal_messages.decode(part):
        case heal_messages.Again() as again:
            _show_again(unit, place, sender, again)
            return True
        case heal_messages.Lines(nonce, lines):
            if place.kind == group_metadata.SELF:
                for line in handed_lines.take(unit, sender, nonce, lines):
                    _count(unit, line.conversation, line.device, line.count)
            return True
        case heal_messages.Missed(room, _) if place.kind == group_metadata.GROUP:
            known = moving.newest(unit, room) == place.id
        case _:
            known = place.kind != group_metadata.GROUP
    if not known:
        raise content.ContentError("a message about healing is not for a group")
    notes.hear(unit, notes.Heard(place.kind, sender.address, sender.device, part, unit.now_ms))
    return True


def _show_again(
    unit: UnitOfWork, heard_in: ConversationRecord, sender: Identity, again: heal_messages.Again
) -> None:
    """Show a text that goes again in the conversation to which it belongs, unless it is known."""
    place = lost.place_of(unit, heard_in, sender, again.conversation)
    if place is None:
        return
    message = content.decode(again.content)
    room = again.conversation
    identifier = content.message_id(again.content, sender.address, room, message.salt)
    _store(unit, place, sender, message, identifier, SENT_AGAIN)
    _count(unit, room, sender.device, message.count)
    lost.came_again(unit, room, sender, again.digests)


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
        peers.add_gaps(conversation, device, range(highest + 1, end), lost.gap_due_ms(unit))
    peers.set_tally(conversation, device, count)
