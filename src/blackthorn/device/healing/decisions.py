"""What follows from what members said, whom to ask next, and how histories are compared. Pure."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from blackthorn.device.healing import branches, limits
from blackthorn.device.healing.notes import Healing, Moving, Reply
from blackthorn.device.healing.states import (
    HALF_SURE,
    MEMBER,
    SIGNALS_THAT_HOLD_TEXTS,
    TABLE,
    Event,
    State,
    Texts,
)
from blackthorn.mls.schedule.key_schedule import export_of_label
from blackthorn.mls.suites import CipherSuite

SAME: Final = "same"
AHEAD: Final = "ahead"
OTHER: Final = "other"
REMOVED: Final = "removed"

BRANCH_BYTES: Final = 16
_HOUR_MS: Final = 3_600_000


def branch(suite: CipherSuite, secret: bytes, nonce: bytes) -> bytes:
    """16 bytes that two members share if their histories are equal, for one question.

    `secret` is the epoch's label secret of `core.unit_of_work.BRANCH_LABEL`.
    """
    return export_of_label(suite, secret, nonce, BRANCH_BYTES)


def in_order(conversation: bytes, users: Iterable[str], now_ms: int) -> list[str]:
    """The users in the order of this hour, the same for everybody who asks in this conversation."""
    hour = (now_ms // _HOUR_MS).to_bytes(8, "big")

    def place(user: str) -> bytes:
        return hashlib.sha256(conversation + hour + user.encode()).digest()

    return sorted(users, key=place)


def held(state: State, healing: Healing, now_ms: int) -> str:
    """Why own texts wait in a conversation, in words; "" when they go.

    In SUSPECT only some signals hold them, and only for a day: then they go, and go again later.
    """
    texts = TABLE[state].texts
    if healing.rejoin is not None and state in MEMBER - {State.FOLLOWING}:
        return "this device was added again: members are yet to confirm it, and it waits"
    if healing.removed:
        return "this device was removed: members are asked whether that holds, and it waits"
    if texts is Texts.BY_SIGNAL:
        holds = healing.signal in {event.name for event in SIGNALS_THAT_HOLD_TEXTS}
        since = now_ms - healing.since_ms
        held_now = holds and 0 <= since < limits.TEXTS_HELD_SECONDS * 1000
        return "a change may be missing here: members are asked, and it waits" if held_now else ""
    if texts is Texts.WAIT:
        return "this device has missed a change: it asks to be added again, and this waits"
    return ""


def is_overdue(moving: Moving, now_ms: int) -> bool:
    """Whether members are to be asked for a group that was announced."""
    return not 0 <= now_ms - moving.at_ms < limits.ANSWER_SECONDS * 1000


def verdict(
    state: State, healing: Healing, others: int, own: branches.Own | None = None
) -> Event | None:
    """What the replies so far decide. `others`: the other users who could be asked.

    One own device decides, or two users, or all if there are fewer; between two branches of a group
    more users do. `own` is that of this device.
    """
    enough = min(2, others)
    replies = healing.replies
    following = state in (State.FOLLOWING, State.SUSPECT, State.UNCONFIRMED)
    unparted = [one for one in replies if not one.mark]
    if following and _decide(unparted, enough, AHEAD, OTHER):
        return Event.AHEAD
    if state is State.SUSPECT:
        away = _users(replies, AHEAD, OTHER)
        if away and healing.signal in {event.name for event in HALF_SURE}:
            return Event.ONE_AHEAD
    if state in (State.SUSPECT, State.ASKING) and len(_users(replies, REMOVED)) >= enough > 0:
        return Event.SAID_REMOVED
    if (
        own
        and may_be_parted(healing)
        and healing.rejoin is None
        and state in (State.SUSPECT, State.ASKING)
    ):
        return _of_two(state, replies, enough, own)
    if healing.rejoin is not None and state in (State.SUSPECT, State.UNCONFIRMED):
        # Own devices may have been moved to the same fork; so may those who are not sure.
        strict = bool(healing.rejoin.strangers)
        if not others and not strict:
            return Event.SAME  # those who could be asked have gone since
        sure = [one for one in replies if not one.own and (one.sure or not strict)]
        return Event.SAME if _decide(sure, enough, SAME) else None
    if state in (State.SUSPECT, State.ASKING) and _decide(replies, enough, SAME):
        return Event.SAME
    return None


def _of_two(state: State, replies: Sequence[Reply], enough: int, own: branches.Own) -> Event | None:
    same = _users(replies, SAME) | {own.me for one in replies if one.own and one.kind == SAME}
    sure = len(same) >= enough or own.me in same or branches.parted(replies)
    found = branches.goes_on(own, replies, same) if sure else None
    if found is None:
        return None
    if found:
        return Event.BRANCH_GOES_ON
    return Event.AHEAD if state is State.SUSPECT else None


def may_be_parted(healing: Healing) -> bool:
    """Whether two branches may exist: they are counted, and the next Commit of one says nothing."""
    told = healing.parted or branches.parted(healing.replies)
    return healing.signal == Event.FORKED.name or bool(told)


def elsewhere(healing: Healing) -> bool:
    """Whether anybody says that they are in another epoch or branch."""
    return any(reply.kind in (AHEAD, OTHER) for reply in healing.replies)


def _users(replies: Sequence[Reply], *kinds: str) -> set[str]:
    return {reply.user for reply in replies if reply.kind in kinds and not reply.own}


def _decide(replies: Sequence[Reply], enough: int, *kinds: str) -> bool:
    own = any(reply.own and reply.kind in kinds for reply in replies)
    return own or len(_users(replies, *kinds)) >= enough > 0
