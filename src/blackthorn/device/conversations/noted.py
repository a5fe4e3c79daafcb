"""Noted changes of each conversation: stored beside it, judged anew after each lookup.

A conversation in which something is noted is *unconfirmed*: nothing is sealed in it before a Commit
has ended what is noted (`operations.healing.settle_members`). The rules are those of `judging`.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from blackthorn.device.conversations import former
from blackthorn.device.conversations.judging import Change, Judgement, Notes, Seen, judge, to_ask
from blackthorn.device.core import group_metadata, history, moments, stored
from blackthorn.device.core.members import Identity, UnknownDeviceError, identify, identities
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.transparency import local_chain
from blackthorn.mls.epoch.staged import StagedCommit

AGAIN_MS: Final = 60_000
"""Least time between two Commits that are to end what is noted."""

_NOTHING: Final = Notes()
_encode = msgspec.msgpack.Encoder().encode
_notes = msgspec.msgpack.Decoder(Notes)
_DAMAGED: Final = "what is noted of a conversation is damaged"


def seen_live(unit: UnitOfWork, identity: Identity, moment: int) -> bool | None:
    """Whether a lookup begun after `moment` shows the device live; None: there was none."""
    if identity == unit.me:
        return True
    if unit.records.directory.asked(identity.address) <= moment:
        return None
    if identity.address == unit.me.address:
        own = local_chain.own(unit)  # a revocation of one's own counts before it is published
        if own is None or own.device(identity.device) is None:
            return False
    chain = unit.chains.of(identity.address)
    return chain is not None and chain.device(identity.device) is not None


def _get(unit: UnitOfWork, conversation: bytes) -> Notes | None:
    data = unit.records.noted.notes(conversation)
    return None if data is None else stored.decode(_notes, data, _DAMAGED)


def _put(unit: UnitOfWork, conversation: bytes, notes: Notes) -> None:
    empty = msgspec.structs.replace(notes, settled_ms=0) == _NOTHING
    unit.records.noted.put_notes(conversation, None if empty else _encode(notes))


def in_conversation(unit: UnitOfWork, conversation: bytes) -> bool:
    """Whether something is noted in the conversation of that group id."""
    notes = _get(unit, conversation)
    return notes is not None and bool(notes.changes or notes.leaves)


def is_clear(unit: UnitOfWork, conversation: bytes) -> bool:
    """Whether nothing is noted, nor an inviter for whom nobody has vouched."""
    return _get(unit, conversation) is None


def by_former_inviter(unit: UnitOfWork, conversation: bytes) -> bool:
    """Whether a former device's Welcome brought this device in, and nobody has vouched since."""
    notes = _get(unit, conversation)
    return notes is not None and notes.inviter is not None


def commit(unit: UnitOfWork, conversation: Conversation, staged: StagedCommit) -> None:
    """Note what another member's Commit is about to change."""
    record, moment = conversation.record, moments.present(unit.records)
    committer = identify(staged.committer.credential)
    heard(unit, conversation, committer, conversation.group.epoch)
    added, removed = identities(staged.added), identities(staged.removed)
    if added or removed:
        change = Change(staged.epoch, moment, [committer], added, removed)
        notes = _get(unit, record.id) or _NOTHING
        _put(unit, record.id, notes.with_change(change))


def heard(unit: UnitOfWork, conversation: Conversation, sender: Identity, epoch: int) -> None:
    """Note that a message of that device opened, which was sealed in that epoch."""
    record = conversation.record
    notes = _get(unit, record.id)
    if notes is None:
        return
    if notes.inviter is not None and notes.inviter.address == unit.me.address:
        return  # own accomplices prove nothing: only this person says yes
    _put(unit, record.id, notes.with_heard(sender, epoch, moments.present(unit.records)))


def invited(unit: UnitOfWork, conversation: Conversation, inviter: Identity) -> None:
    """Note that a former device's Welcome brought this device into a new conversation."""
    _put(unit, conversation.record.id, Notes(inviter=inviter))


def move(unit: UnitOfWork, conversation: bytes, to: bytes) -> None:
    """Another group of the same members has taken the place of this one."""
    notes = _get(unit, conversation)
    if notes is not None:
        _put(unit, to, notes.from_beginning())
        unit.records.noted.put_notes(conversation, None)


def require_looked_up(unit: UnitOfWork, conversation: Conversation, author: Identity) -> None:
    """Raises UnknownDeviceError for an added device of which no chain and no lookup tells."""
    notes = _get(unit, conversation.record.id) or _NOTHING
    moment = next((moment for leaf, moment in notes.leaves if leaf == author), None)
    if moment is None or author.device in (unit.chains.live(author.address) or ()):
        return
    if former.entry(unit, author) is None and seen_live(unit, author, moment) is None:
        raise UnknownDeviceError([author])


def forget(unit: UnitOfWork, conversation: bytes) -> None:
    """Nothing is noted any more: an own Commit was accepted, or this device was removed."""
    unit.records.noted.put_notes(conversation, None)


def accept_inviter(unit: UnitOfWork, conversation: bytes) -> bool:
    """This person says yes to a former inviter; whether there was one."""
    notes = _get(unit, conversation)
    if notes is None or notes.inviter is None:
        return False
    _put(unit, conversation, msgspec.structs.replace(notes, inviter=None, guests=[]))
    return True


def wish(unit: UnitOfWork, conversation: bytes) -> bool:
    """Whether to wish now for a Commit that ends what is noted: not twice within a minute."""
    notes = _get(unit, conversation) or _NOTHING
    if 0 <= unit.now_ms - notes.settled_ms < AGAIN_MS:
        return False
    _put(unit, conversation, msgspec.structs.replace(notes, settled_ms=unit.now_ms))
    return True


def users_to_ask(unit: UnitOfWork) -> set[str]:
    """The users whose lookups decide what is noted in any conversation."""
    return {
        address
        for _, data in unit.records.noted.all_notes()
        for address in to_ask(stored.decode(_notes, data, _DAMAGED), _seen(unit))
    }


def judged(unit: UnitOfWork, conversation: Conversation) -> Judgement:
    """What is noted in a conversation, without a change of anything."""
    notes = _get(unit, conversation.record.id) or _NOTHING
    return judge(notes, identities(conversation.group.members), _seen(unit))


def review_all(unit: UnitOfWork) -> None:
    """Judge all conversations anew: a lookup has ended."""
    for conversation, _ in unit.records.noted.all_notes():
        review(unit, unit.open(conversation))


def review(unit: UnitOfWork, conversation: Conversation) -> Judgement:
    """Judge what is noted, store what remains of it, and tell the members what came of it."""
    found = judged(unit, conversation)
    before = _get(unit, conversation.record.id)
    if before is not None and before != found.notes:
        _put(unit, conversation.record.id, found.notes)
    if before is not None and conversation.record.kind == group_metadata.GROUP:
        for occasion, sender, text in _news(unit, before, found):
            history.add_event(unit, conversation.record, occasion, sender, text)
    return found


def _seen(unit: UnitOfWork) -> Seen:
    return lambda identity, moment: seen_live(unit, identity, moment)


def _news(unit: UnitOfWork, before: Notes, found: Judgement) -> Iterator[tuple[bytes, str, str]]:
    """Occasion, sender and text of each event."""
    for change, witness in found.confirmed:
        doubted = [one for one in change.committers if seen_live(unit, one, change.moment) is False]
        if doubted:
            text = f"{witness.address} has confirmed what {former.words(unit, doubted[0])} changed"
            yield change.epoch.to_bytes(8, "big"), witness.address, text
    for change in found.notes.changes:
        for one in change.committers:
            if seen_live(unit, one, change.moment) is False:
                text = f"{former.words(unit, one)} {_summary(change)}: nobody has confirmed it yet"
                yield change.epoch.to_bytes(8, "big"), one.address, text
    for leaf in found.unlisted:
        words = former.words(unit, leaf)
        yield leaf.device, leaf.address, f"{words} is in the group, and is put out before you write"
    for address in found.lost if not found.ask else ():
        text = f"{address} was removed by a device that nobody vouches for: add them back?"
        yield before.changes[-1].epoch.to_bytes(8, "big"), address, text


def _summary(change: Change) -> str:
    parts = [
        f"{verb} {', '.join(sorted({member.address for member in members}))}"
        for verb, members in (("added", change.added), ("removed", change.removed))
        if members
    ]
    return " and ".join(parts)


def doubtful(unit: UnitOfWork, conversation: bytes) -> list[str]:
    """The users of whom a device in the conversation is not trusted, sorted."""
    if not in_conversation(unit, conversation):
        return []
    return sorted({member.address for member in judged(unit, unit.open(conversation)).out})
