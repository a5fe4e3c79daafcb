"""Answers to devices that ask where the others are (H37), and what others answered.

A device answers for conversations in which both are, or from which it knows the asker to be
removed. Who is unsure itself only says `same`.
"""

import hmac
from collections.abc import Collection
from typing import Final

import msgspec

from blackthorn.device.conversations import heal_messages, noted, rejoining
from blackthorn.device.conversations.heal_messages import AnsweredItem, AskedItem
from blackthorn.device.core.group_metadata import GROUP
from blackthorn.device.core.members import Identity, identities
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import (
    branches,
    decisions,
    lacking,
    limits,
    moving,
    notes,
    own_branch,
)
from blackthorn.device.healing.states import Answer, Event, State, answers, is_member

_HOUR_MS: Final = 3_600_000
_MOVED: Final = "MOVED"


def answer(
    unit: UnitOfWork, heard: notes.Heard, question: heal_messages.Question
) -> list[AnsweredItem]:
    """The answers to a question; wishes to be added again are noted."""
    found = [_answer_item(unit, heard, question.nonce, item) for item in question.items]
    return [item for item in found if item is not None]


def to_give(
    unit: UnitOfWork, heard: notes.Heard, question: heal_messages.Question
) -> list[tuple[bytes, bytes]]:
    """The Commits that a member misses and that are kept here: (conversation, digest)."""
    missed = [(item.conversation, item.missing) for item in question.items if item.missing]
    return [(known, digest) for known, digest in missed if _gives(unit, heard, known, digest)]


def _gives(unit: UnitOfWork, heard: notes.Heard, known: bytes, digest: bytes) -> bool:
    if unit.records.healing.kept_commit(known, digest) is None:
        return False
    given = notes.of(unit.records, known).given
    recent = [at_ms for at_ms in given if 0 <= unit.now_ms - at_ms < _HOUR_MS]
    member = _is_member(heard, identities(unit.open(known).group.members))
    if not member or len(recent) >= limits.MAX_GIVEN_AN_HOUR:
        return False
    notes.change(unit, known, given=[*recent, unit.now_ms])
    return True


def _answer_item(
    unit: UnitOfWork, heard: notes.Heard, nonce: bytes, item: AskedItem
) -> AnsweredItem | None:
    standing = unit.records.conversations.standing(item.conversation)
    if standing is None:
        return None
    if not is_member(standing):
        return _moved(unit, heard, item.conversation)
    conversation = unit.open(item.conversation)
    group, known = conversation.group, item.conversation
    adds_again = answers(standing, Answer.ADD_AGAIN)  # by a Commit that first ends what is noted
    if noted.in_conversation(unit, known):
        standing = State.UNCONFIRMED
    members = identities(group.members)
    if not any((one.address, one.device) == (heard.user, heard.device) for one in members):
        return _removed(unit, known, known, heard) if answers(standing, Answer.REMOVED) else None
    secret = notes.branch_secret(unit, conversation)
    equal = _equal(conversation, secret, nonce, item.branch)
    if item.epoch == group.epoch and equal:
        if item.why == heal_messages.NO_TREE and item.package and adds_again:
            _note_wish(unit, known, heard, nonce, item.package)
            return None
        if not answers(standing, Answer.SAME):
            return None
        sure = standing == State.FOLLOWING
        return AnsweredItem(known, decisions.SAME, group.epoch, sure=sure)
    common, parted = _compare(unit, conversation, nonce, item)
    if parted and conversation.record.kind == GROUP:
        return _from_another_branch(unit, conversation, heard, nonce, item, common)
    if item.epoch > group.epoch:
        _note_reply(unit, known, _reply(unit, heard, decisions.AHEAD, item.epoch))
        return _behind(unit, conversation, item)
    if item.package and adds_again:
        if item.why == lacking.REFUSED and conversation.record.kind == GROUP:
            text = f"{heard.user} was not reached: the Welcome was refused, and another one follows"
            rejoining.tell(unit, conversation, heard.user, text)
        _note_wish(unit, known, heard, nonce, item.package)
        return None
    if not answers(standing, Answer.OTHER):
        return None
    if common == item.epoch:
        return AnsweredItem(known, decisions.AHEAD, group.epoch)
    return AnsweredItem(known, decisions.OTHER, group.epoch)


def _compare(
    unit: UnitOfWork, conversation: Conversation, nonce: bytes, item: AskedItem
) -> tuple[int, bool]:
    """The last epoch that both name and have in common (0: none), and whether they part after it.

    An epoch of which one of them names nothing says nothing.
    """
    present, parted = conversation.group.epoch, False
    for epoch, branch in [(item.epoch, item.branch), *item.trail]:
        kept = unit.records.healing.branch(item.conversation, epoch) if epoch <= present else None
        if kept is not None and _equal(conversation, kept[0], nonce, branch):
            return epoch, parted
        parted = parted or kept is not None
    return 0, parted


def _from_another_branch(
    unit: UnitOfWork,
    conversation: Conversation,
    heard: notes.Heard,
    nonce: bytes,
    item: AskedItem,
    common: int,
) -> AnsweredItem | None:
    """Answer a device on another branch; it is added again only if the own one goes on (H12)."""
    known, standing = item.conversation, conversation.record.standing
    healing = notes.of(unit.records, known)
    held_ms = limits.BRANCH_GOES_ON_SECONDS * 1000
    decided = healing.goes_on_ms and unit.now_ms - healing.goes_on_ms < held_ms
    if item.package and decided and answers(standing, Answer.ADD_AGAIN):
        _note_wish(unit, known, heard, nonce, item.package)
        return None
    if not decided:
        standing = notes.move(unit, conversation, Event.FORKED)
    if not answers(standing, Answer.PARTED) or healing.rejoin is not None:
        return None
    return _where(unit, conversation, common)


def _behind(unit: UnitOfWork, conversation: Conversation, item: AskedItem) -> AnsweredItem | None:
    """The answer to one who is ahead and counts who is on the same branch, if there are two."""
    healing = notes.of(unit.records, conversation.record.id)
    parted = branches.parting(healing.replies) or healing.parted
    may_answer = answers(conversation.record.standing, Answer.PARTED) and healing.rejoin is None
    if item.why != Event.FORKED.name or not parted or not may_answer:
        return None
    return _where(unit, conversation, parted)


def _where(unit: UnitOfWork, conversation: Conversation, parted: int) -> AnsweredItem:
    """On which branch this device is, of those that part after that epoch."""
    known, epoch = conversation.record.id, conversation.group.epoch
    mark, maker = own_branch.mark_of(unit, conversation, parted), notes.maker(unit, known, parted)
    return AnsweredItem(known, decisions.OTHER, epoch, mark, by=maker, parted=parted)


def _equal(conversation: Conversation, secret: bytes, nonce: bytes, branch: bytes) -> bool:
    return hmac.compare_digest(decisions.branch(conversation.group.suite, secret, nonce), branch)


def _moved(unit: UnitOfWork, heard: notes.Heard, known: bytes) -> AnsweredItem | None:
    """The answer where another group has taken the place: it is there that the device is added."""
    present = moving.newest(unit, known)
    standing = unit.records.conversations.standing(present)
    if present == known or standing is None or not answers(standing, Answer.OTHER):
        return None
    group = unit.open(known).group
    for room in (known, present):
        if not _is_member(heard, identities(unit.open(room).group.members)):
            return _removed(unit, known, room, heard)
    return AnsweredItem(known, decisions.AHEAD, group.epoch + 1, moved=present)


def _removed(
    unit: UnitOfWork, asked: bytes, known: bytes, heard: notes.Heard
) -> AnsweredItem | None:
    """That the device was removed from `known`, which is or follows what it asked for."""
    oldest_ms = unit.now_ms - limits.REMOVAL_SECONDS * 1000
    for removal in reversed(notes.of(unit.records, known).removals):
        if removal.device == heard.device and removal.at_ms >= oldest_ms:
            return AnsweredItem(asked, decisions.REMOVED, removal.epoch, by=removal.by)
    return None


def _note_wish(
    unit: UnitOfWork, known: bytes, heard: notes.Heard, nonce: bytes, package: bytes
) -> None:
    wishes = [one for one in notes.of(unit.records, known).wishes if one.device != heard.device]
    wish = notes.Wish(heard.user, heard.device, nonce, package, unit.now_ms)
    notes.change(unit, known, wishes=[*wishes, wish][-limits.MAX_HEARD :])


def to_tell(unit: UnitOfWork, known: bytes) -> list[tuple[str, heal_messages.Answers]]:
    """Users to be told unasked that a device of theirs was removed, each once, and the message."""
    removals = notes.of(unit.records, known).removals
    told = [
        (one.to_tell, AnsweredItem(known, decisions.REMOVED, one.epoch, by=one.by))
        for one in removals
        if one.to_tell
    ]
    if told:
        done = [msgspec.structs.replace(one, to_tell="") for one in removals]
        notes.change(unit, known, removals=done)
    return [(user, heal_messages.Answers(bytes(16), [item])) for user, item in told]


def take(unit: UnitOfWork, heard: notes.Heard, replied: heal_messages.Answers) -> None:
    """Note answers to questions of this device, each user's newest."""
    for item in replied.items:
        standing = unit.records.conversations.standing(item.conversation)
        if standing is None or not is_member(standing):
            continue
        conversation = unit.open(item.conversation)
        to_whom = "" if heard.user == unit.me.address else heard.user
        member = _is_member(heard, identities(conversation.group.members))
        if not _is_asked(unit, conversation, replied.nonce, to_whom):
            if item.kind == decisions.REMOVED and member:
                notes.move(unit, conversation, Event.TOLD)  # no more than a reason to ask
            continue
        if member:
            reply = _reply(unit, heard, item.kind, item.epoch, sure=item.sure)
            if item.kind == decisions.OTHER and item.branch:
                where = {"mark": item.branch, "parted": item.parted, "maker": item.by}
                reply = msgspec.structs.replace(reply, **where)
            _note_reply(unit, item.conversation, reply)
            if item.moved and conversation.record.standing == State.ASKING:
                lacking.add(unit, lacking.Lack(item.moved, to_whom, _MOVED))


def _is_asked(unit: UnitOfWork, conversation: Conversation, nonce: bytes, user: str) -> bool:
    """Whether the user was asked that; in this epoch, unless branches are counted, which stay."""
    healing, epoch = notes.of(unit.records, conversation.record.id), conversation.group.epoch
    any_epoch = decisions.may_be_parted(healing)
    return any(
        (one.nonce, one.user) == (nonce, user) and (any_epoch or one.epoch == epoch)
        for one in healing.questions
    )


def _is_member(heard: notes.Heard, members: Collection[Identity]) -> bool:
    return any((one.address, one.device) == (heard.user, heard.device) for one in members)


def _reply(
    unit: UnitOfWork, heard: notes.Heard, kind: str, epoch: int, *, sure: bool = False
) -> notes.Reply:
    return notes.Reply(heard.user, heard.user == unit.me.address, kind, epoch, sure)


def _note_reply(unit: UnitOfWork, known: bytes, reply: notes.Reply) -> None:
    """Each user's newest, and that of own devices."""
    whose, replies = (reply.user, reply.own), notes.of(unit.records, known).replies
    others = [one for one in replies if (one.user, one.own) != whose]
    notes.change(unit, known, replies=[*others, reply][-limits.MAX_HEARD :])
