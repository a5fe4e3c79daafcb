"""Answers to devices that ask where the others are (H37), and what others answered.

A device answers for conversations in which both are, or from which it knows the asker to be
removed. Who is unsure itself only says `same`.
"""

import hmac
from collections.abc import Collection

import msgspec

from blackthorn.device.conversations import heal_messages, noted
from blackthorn.device.conversations.heal_messages import AnsweredItem, AskedItem
from blackthorn.device.core.members import Identity, identities
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import decisions, limits, notes
from blackthorn.device.healing.states import Answer, State, answers, is_member


def answer(
    unit: UnitOfWork, heard: notes.Heard, question: heal_messages.Question
) -> list[AnsweredItem]:
    """The answers to a question; wishes to be added again are noted."""
    found = [_answer_item(unit, heard, question.nonce, item) for item in question.items]
    return [item for item in found if item is not None]


def _answer_item(
    unit: UnitOfWork, heard: notes.Heard, nonce: bytes, item: AskedItem
) -> AnsweredItem | None:
    standing = unit.records.conversations.standing(item.conversation)
    if standing is None or not is_member(standing):
        return None
    conversation = unit.open(item.conversation)
    group, known = conversation.group, item.conversation
    adds_again = answers(standing, Answer.ADD_AGAIN)  # by a Commit that first ends what is noted
    if noted.in_conversation(unit, known):
        standing = State.UNCONFIRMED
    members = identities(group.members)
    if not any((one.address, one.device) == (heard.user, heard.device) for one in members):
        return _removed(unit, known, heard) if answers(standing, Answer.REMOVED) else None
    secret = notes.branch_secret(unit, conversation)
    equal = _equal(conversation, secret, nonce, item.branch)
    if item.epoch == group.epoch and equal:
        if not answers(standing, Answer.SAME):
            return None
        sure = standing == State.FOLLOWING
        return AnsweredItem(known, decisions.SAME, group.epoch, sure=sure)
    if item.epoch > group.epoch:
        _note_reply(unit, known, heard, decisions.AHEAD, item.epoch, sure=False)
        return None
    if item.package and adds_again:
        _note_wish(unit, known, heard, nonce, item.package)
        return None
    if not answers(standing, Answer.OTHER):
        return None
    kept = unit.records.healing.branch(known, item.epoch)
    if item.epoch < group.epoch and kept and _equal(conversation, kept[0], nonce, item.branch):
        return AnsweredItem(known, decisions.AHEAD, group.epoch)
    own = decisions.branch(group.suite, secret, b"")
    return AnsweredItem(known, decisions.OTHER, group.epoch, own)


def _equal(conversation: Conversation, secret: bytes, nonce: bytes, branch: bytes) -> bool:
    return hmac.compare_digest(decisions.branch(conversation.group.suite, secret, nonce), branch)


def _removed(unit: UnitOfWork, known: bytes, heard: notes.Heard) -> AnsweredItem | None:
    oldest_ms = unit.now_ms - limits.REMOVAL_SECONDS * 1000
    for removal in reversed(notes.of(unit.records, known).removals):
        if removal.device == heard.device and removal.at_ms >= oldest_ms:
            return AnsweredItem(known, decisions.REMOVED, removal.epoch, by=removal.by)
    return None


def _note_wish(
    unit: UnitOfWork, known: bytes, heard: notes.Heard, nonce: bytes, package: bytes
) -> None:
    wishes = [one for one in notes.of(unit.records, known).wishes if one.device != heard.device]
    wish = notes.Wish(heard.user, heard.device, nonce, package, unit.now_ms)
    notes.change(unit, known, wishes=[*wishes, wish][-limits.MAX_HEARD :])


def take(unit: UnitOfWork, heard: notes.Heard, replied: heal_messages.Answers) -> None:
    """Note answers to questions of this device, each user's newest."""
    for item in replied.items:
        standing = unit.records.conversations.standing(item.conversation)
        if standing is None or not is_member(standing):
            continue
        conversation = unit.open(item.conversation)
        asked = notes.of(unit.records, item.conversation).questions
        epoch, mine = conversation.group.epoch, heard.user == unit.me.address
        to_whom = "" if mine else heard.user
        answered = (replied.nonce, to_whom, epoch)
        if answered not in [(one.nonce, one.user, one.epoch) for one in asked]:
            continue
        if _is_member(heard, identities(conversation.group.members)):
            _note_reply(unit, item.conversation, heard, item.kind, item.epoch, sure=item.sure)


def _is_member(heard: notes.Heard, members: Collection[Identity]) -> bool:
    return any((one.address, one.device) == (heard.user, heard.device) for one in members)


def _note_reply(
    unit: UnitOfWork, known: bytes, heard: notes.Heard, kind: str, epoch: int, *, sure: bool
) -> None:
    own = heard.user == unit.me.address
    before = notes.of(unit.records, known)
    others = [one for one in before.replies if (one.user, one.own) != (heard.user, own)]
    reply = notes.Reply(heard.user, own, kind, epoch, sure)
    changed = msgspec.structs.replace(before, replies=[*others, reply][-limits.MAX_HEARD :])
    notes.put(unit.records, known, changed)
