"""Ask to be added again to a large group of which a part of the tree never came.

Anybody can name members in a Welcome, which is verified only with its tree: those are asked whom
this device knows already, one after the other, and no more often than any other question. Where it
knows none of them it asks one in six hours, whatever Welcomes there are, so that nobody can make it
address many strangers.
"""

from typing import Final

from blackthorn.device.account import heal_questions
from blackthorn.device.conversations import heal_messages, self_group
from blackthorn.device.conversations import limits as conversation_limits
from blackthorn.device.core import trees
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.healing import limits
from blackthorn.device.healing.states import is_member
from blackthorn.device.transparency.lookup_queue import passed, reached

_HOUR_MS: Final = 3_600_000
_STRANGER: Final = "stranger-asked-ms"
"""The setting with the time at which a member was asked whom this device did not know."""


def ask_due(unit: UnitOfWork) -> list[int]:
    """Ask whom it is time to ask; the rows of the questions."""
    rows = []
    for one in trees.expected(unit):
        standing = unit.records.conversations.standing(one.conversation)
        old = passed(one.since_ms, unit.now_ms, conversation_limits.WELCOME_WAIT_SECONDS * 1000)
        if old or (standing is not None and is_member(standing)):
            trees.forget(unit, one)
            continue
        wait_ms = limits.UNREADABLE_WAIT_SECONDS * 1000
        if passed(one.since_ms, unit.now_ms, wait_ms) and reached(
            one.next_ms, unit.now_ms, _HOUR_MS
        ):
            rows += _ask(unit, one)
    return rows


def _ask(unit: UnitOfWork, one: trees.ExpectedTree) -> list[int]:
    found = [_reached(unit, user) for user in one.parts.users]
    users = [user for user in found if user is not None]
    strange = not users
    if strange:
        users = [user for user in one.parts.users if user != unit.me.address]
    if not users or (strange and not _may_ask_stranger(unit)):
        return []
    user = users[one.turn % len(users)]
    why = heal_messages.NO_TREE
    row = heal_questions.ask_from_outside(unit, one.conversation, user, why, one.epoch, one.branch)
    if row is None:
        return []
    if strange:
        unit.records.settings.put(_STRANGER, unit.now_ms.to_bytes(8, "big"))
    last = (one.turn + 1) % len(users) == 0
    pause_ms = _HOUR_MS if last else limits.ANSWER_SECONDS * 1000
    trees.asked(unit, one, unit.now_ms + pause_ms)
    return [row]


def _reached(unit: UnitOfWork, user: str) -> str | None:
    """How a question reaches the user: "" through the self-group; None: not at all."""
    if user == unit.me.address:
        return None if self_group.present(unit) is None else heal_questions.OWN
    return None if unit.chains.of(user) is None else user


def _may_ask_stranger(unit: UnitOfWork) -> bool:
    """Whether the last one was asked long enough ago."""
    asked_ms = int.from_bytes(unit.records.settings.get(_STRANGER) or b"", "big")
    return passed(asked_ms, unit.now_ms, limits.STRANGER_PAUSE_SECONDS * 1000)
