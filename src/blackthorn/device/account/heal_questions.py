"""Questions to members: whether they are in the same epoch, or to add this device again (H8, H11).

Own devices come first; then users in an order that is the same for all who ask in an hour.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from blackthorn.device.conversations import (
    content,
    conversations,
    heal_messages,
    key_packages,
    rejoining,
    self_group,
)
from blackthorn.device.core.group_metadata import DIRECT, SELF
from blackthorn.device.core.members import addresses, identities
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import decisions, limits, notes, own_branch
from blackthorn.device.healing.states import Event, State
from blackthorn.device.operations.healing import send_heal
from blackthorn.device.transparency.lookup_queue import passed, reached
from blackthorn.mls import suites

OWN: Final = ""
_NO_BRANCH: Final = bytes(16)
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
MAX_QUESTIONS: Final = 64
"""Questions of one conversation of which the answers are still awaited."""


def witnesses(users: Sequence[str], healing: notes.Healing) -> list[str]:
    """The users whose word counts: after a rejoin those of the own last tree, not who added."""
    rejoin = healing.rejoin
    if rejoin is None:
        return list(users)
    return [user for user in users if user in rejoin.users and user != rejoin.by]


class _Pace(NamedTuple):
    """How questions of one kind follow each other.

    `most` in `span_ms` over all conversations, `at_once` to different people; once all were asked
    the wait is `rest_ms`, doubling up to a day.
    """

    name: str
    span_ms: int
    most: int
    at_once: int
    rest_ms: int


_PROBE: Final = _Pace("heal-probes", _DAY_MS, limits.MAX_PROBES_A_DAY, 2, _DAY_MS)
_DOUBT: Final = _Pace("heal-doubts", _DAY_MS, limits.MAX_DOUBTS_A_DAY, 2, _DAY_MS)
_CONFIRM: Final = _Pace("heal-confirms", _DAY_MS, limits.MAX_CONFIRMS_A_DAY, 2, _HOUR_MS)
_ASK: Final = _Pace("heal-asks", _HOUR_MS, limits.MAX_ASKS_AN_HOUR, 1, _HOUR_MS)
_DOUBTS: Final = frozenset({Event.FORKED.name, Event.DOUBTFUL_REMOVAL.name})
_ASK_LATER: Final = _ASK._replace(at_once=3)


def ask_due(unit: UnitOfWork, conversation: Conversation) -> list[int]:
    """Ask whom it is time to ask; the rows of the questions."""
    known = conversation.record.id
    healing = notes.of(unit.records, known)
    due = reached(healing.next_ms, unit.now_ms, _DAY_MS)
    whom = _whom(unit, conversation, healing) if due else []
    if not whom:
        return []
    pace, place = _pace(unit, conversation, healing), healing.turn % len(whom)
    if place == 0 and pace not in (_ASK, _ASK_LATER):
        notes.change(unit, known, replies=[])
    rows: list[int] = []
    before = {one.user for one in _of_round(healing, len(whom))} if place else ()
    rest = [user for user in whom if user not in before]  # an hour's order may have ended
    for user in rest[: pace.at_once + (rest[:1] == [OWN])]:
        if not _spend(unit, pace):
            break
        rows.append(_ask(unit, conversation, user, with_package=pace in (_ASK, _ASK_LATER)))
    turn = healing.turn + len(rows)
    next_ms = unit.now_ms + _wait_ms(turn, len(whom), pace)
    notes.change(unit, known, turn=turn, next_ms=next_ms)
    return rows


def asked(unit: UnitOfWork, conversation: Conversation, healing: notes.Healing) -> set[str]:
    """The users who were asked in this round, and had time to answer."""
    whom = _whom(unit, conversation, healing)
    wait_ms = limits.ANSWER_SECONDS * 1000
    return {
        one.user
        for one in _of_round(healing, len(whom))
        if one.user and passed(one.at_ms, unit.now_ms, wait_ms)
    }


def _of_round(healing: notes.Healing, people: int) -> list[notes.Question]:
    """The questions of this state's last round, in which each of so many people is asked once."""
    last = (healing.turn % people or people) if healing.turn and people else 0
    return healing.questions[-last:] if last else []


def _pace(unit: UnitOfWork, conversation: Conversation, healing: notes.Healing) -> _Pace:
    if healing.rejoin is not None and conversation.record.standing == State.SUSPECT:
        return _CONFIRM
    match State(conversation.record.standing):
        case State.ASKING:
            return _ASK_LATER if passed(healing.since_ms, unit.now_ms, _DAY_MS) else _ASK
        case State.UNCONFIRMED:
            return _CONFIRM
    return _DOUBT if healing.signal in _DOUBTS else _PROBE


def _whom(unit: UnitOfWork, conversation: Conversation, healing: notes.Healing) -> list[str]:
    """Own devices, and in a group the users, in order."""
    kind, members = conversation.record.kind, conversation.group.members
    own = any(one.address == unit.me.address and one != unit.me for one in identities(members))
    present = self_group.present(unit) if kind != SELF else None
    reachable = present is not None and bool(conversations.other_devices(unit, present.group))
    first = [OWN] if own and reachable else []
    if kind in (DIRECT, SELF):
        return first
    users = witnesses([user for user in addresses(members) if user != unit.me.address], healing)
    order = decisions.in_order(conversation.record.id, users, unit.now_ms)
    if conversation.record.standing == State.SUSPECT and decisions.may_be_parted(healing):
        counted = own_branch.counted(unit, conversation, healing)
        order = [user for user in counted if user in order] + [
            user for user in order if user not in counted
        ]
    return first + order


def _wait_ms(turn: int, people: int, pace: _Pace) -> int:
    """Until the next question: ten minutes, or longer once all were asked."""
    if turn % people:
        return limits.ANSWER_SECONDS * 1000
    rounds = min(max(turn // people - 1, 0), 10)
    return min(pace.rest_ms << rounds, _DAY_MS)


def _spend(unit: UnitOfWork, pace: _Pace) -> bool:
    """Count a question against its pace; False: there were enough in this span of time."""
    settings, span = unit.records.settings, unit.now_ms // pace.span_ms
    data = settings.get(pace.name) or bytes(16)
    used = int.from_bytes(data[8:], "big") if int.from_bytes(data[:8], "big") == span else 0
    if used >= pace.most:
        return False
    settings.put(pace.name, span.to_bytes(8, "big") + (used + 1).to_bytes(8, "big"))
    return True


def ask_from_outside(
    unit: UnitOfWork, known: bytes, user: str, why: str, epoch: int = 0, secret: bytes = b""
) -> int | None:
    """Ask to be added again to a conversation that this device does not have.

    `secret` is that of its branch in `epoch`, if a Welcome has told it. None: enough was asked this
    hour.
    """
    if not _spend(unit, _ASK):
        return None
    nonce, branch = unit.random(rejoining.NONCE_BYTES), _NO_BRANCH
    bound = rejoining.bound_to(known, nonce)
    package, _ = key_packages.make_bound(unit, bound)
    if secret:
        branch = decisions.branch(suites.suite(suites.DEFAULT_SUITE), secret, nonce)
    return _send(unit, user, nonce, heal_messages.AskedItem(known, epoch, branch, why, package))


def _send(unit: UnitOfWork, user: str, nonce: bytes, item: heal_messages.AskedItem) -> int:
    part = heal_messages.encode_part(heal_messages.Question(nonce, [item]))
    return send_heal.SendHeal(user, unit.random(content.SALT_BYTES), part).enqueue(unit)


def _ask(unit: UnitOfWork, conversation: Conversation, user: str, *, with_package: bool) -> int:
    group, known = conversation.group, conversation.record.id
    nonce, package, reference = unit.random(rejoining.NONCE_BYTES), b"", b""
    if with_package:
        bound = rejoining.bound_to(known, nonce)
        package, reference = key_packages.make_bound(unit, bound, group.suite.number)
    branch = decisions.branch(group.suite, notes.branch_secret(unit, conversation), nonce)
    trail = [
        (epoch, decisions.branch(group.suite, secret, nonce))
        for epoch, secret in unit.records.healing.trail(known, group.epoch, limits.MAX_TRAIL)
    ]
    healing = notes.of(unit.records, known)
    missing = unit.records.commit_orders.missing(known, group.epoch)
    item = heal_messages.AskedItem(
        known, group.epoch, branch, healing.signal[:16], package, trail, missing
    )
    question = notes.Question(nonce, user, reference, group.epoch, unit.now_ms)
    notes.change(unit, known, questions=[*healing.questions, question][-MAX_QUESTIONS:])
    return _send(unit, user, nonce, item)
