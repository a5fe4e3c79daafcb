"""Healer: lead conversations through the states of `healing.states` as time and answers allow.

It asks members, adds again those who ask, replaces direct conversations, and asks the server for
taken handles while parcels stay unreadable. Safe to stop at any point: all of it is stored.
"""

from collections.abc import Sequence
from typing import Final

from blackthorn.device.account import (
    handing_on,
    heal_answers,
    heal_questions,
    heal_signals,
    heal_texts,
    heal_trees,
    lost_groups,
    lost_reports,
    sent_again,
)
from blackthorn.device.conversations import (
    content,
    conversations,
    heal_messages,
    other_commits,
    rejoining,
    void,
)
from blackthorn.device.core.group_metadata import DIRECT, GROUP, SELF
from blackthorn.device.core.members import addresses
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork, generation
from blackthorn.device.healing import (
    branches,
    decisions,
    lacking,
    limits,
    notes,
    own_branch,
    wanted,
)
from blackthorn.device.healing.states import Answer, Event, State, answers, is_member
from blackthorn.device.operations.healing import add_again, give_commit, send_heal
from blackthorn.device.operations.postings import HANDLE_BYTES
from blackthorn.device.transparency.alarms import raise_alarm
from blackthorn.device.transparency.lookup_queue import passed, reached
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits

LOOK_MS: Final = 2_000
"""Interval of the healer while nothing changes."""

_DAY_MS: Final = 24 * 3600 * 1000

ORDERS_LOOK_MS: Final = 60_000
"""Interval at which parcels that cannot be read are counted."""

CALM: Final = (State.FOLLOWING.value, State.LEFT.value, State.STALE.value)


class Healer:
    """The state of one process: what was asked of the server, and when to look again."""

    def __init__(self) -> None:
        self._generation = -1
        self._request = 0
        self._handing_on = handing_on.HandingOn()
        self.disconnected()

    def disconnected(self) -> None:
        """The link has ended; questions to the server are asked again."""
        self._due_ms = 0
        self._first = True
        """Whether nothing was looked at on this link yet."""
        self._orders_due_ms = 0
        self._asked: dict[int, list[tuple[bytes, int]]] = {}
        self._to_ask: list[tuple[bytes, int, bytes]] = []
        self._explained = False
        """Whether the answers have named a conversation that went on."""

    @property
    def awaits_answer(self) -> bool:
        """Whether the server was asked for handles and has not answered."""
        return bool(self._asked)

    def look(self, unit: UnitOfWork) -> tuple[list[int], list[f.AnyFrame]]:
        """Operations enqueued, by row, and questions to the server.

        Called once everything that waited was delivered. How long that is ago does not count:
        a device that connects for a second now and then would never notice anything.
        """
        now = generation(unit.records)
        due = reached(self._due_ms, unit.now_ms, LOOK_MS)
        if not due and now == self._generation:
            return [], []
        self._due_ms, self._generation = unit.now_ms + LOOK_MS, now
        rows = _work_off(unit) + heal_trees.ask_due(unit)
        rows += [*self._handing_on.look(unit), *lost_groups.look(unit)]
        heal_signals.silence(unit)
        for known in unit.records.healing.restless(CALM):
            rows += _lead_on(unit, unit.open(known))
        rows += lost_reports.report(unit)
        if self._first:
            self._first = False
            rows += sent_again.late(unit)
        return rows, self._ask_orders(unit)

    # --- Signal S3 ---

    def _ask_orders(self, unit: UnitOfWork) -> list[f.AnyFrame]:
        if self._asked or not reached(self._orders_due_ms, unit.now_ms, ORDERS_LOOK_MS):
            return []
        self._orders_due_ms = unit.now_ms + ORDERS_LOOK_MS
        if not self._to_ask and (lacking.take_orders(unit) or heal_signals.unreadable(unit)):
            self._to_ask = list(heal_signals.handles(unit))
            self._explained = False
            if not self._to_ask:
                self._asked_all(unit)
        return self._next_orders(unit)

    def _next_orders(self, unit: UnitOfWork) -> list[f.AnyFrame]:
        if not self._to_ask:
            return []
        part = self._to_ask[: link_limits.ORDERS_PER_FRAME]
        del self._to_ask[: link_limits.ORDERS_PER_FRAME]
        padding = link_limits.ORDERS_PER_FRAME - len(part)
        handles = [handle for _, _, handle in part]
        handles += [unit.random(HANDLE_BYTES) for _ in range(padding)]
        self._request += 1
        self._asked = {self._request: [(known, epoch) for known, epoch, _ in part]}
        return [f.AskOrders(self._request, handles)]

    def orders(self, unit: UnitOfWork, frame: f.Orders) -> list[f.AnyFrame]:
        """The server's word on handles: it leads to questions to members only."""
        asked = self._asked.pop(frame.request, [])
        digests = [*frame.digests, *(b"" for _ in asked)]
        for (known, epoch), taken, digest in zip(asked, frame.taken, digests, strict=False):
            standing = unit.records.conversations.standing(known)
            if not taken or standing is None or not is_member(standing):
                continue
            conversation = unit.open(known)
            present = conversation.group.epoch == epoch and conversation.group.pending is None
            if present and not (digest and void.accepted_first(unit, known, epoch, digest)):
                self._explained = True
                notes.move(unit, conversation, Event.MISSED)
        if asked and not self._to_ask:
            self._asked_all(unit)
        self._due_ms = 0
        return self._next_orders(unit)

    def _asked_all(self, unit: UnitOfWork) -> None:
        """What no Commit of a known conversation explains may be of one that this device lacks."""
        since_ms = lacking.of(unit).at_ms
        if not self._explained and heal_signals.unreadable(unit, since_ms):
            lacking.note(unit)
        heal_signals.orders_asked(unit)


# --- What others said ---


def _work_off(unit: UnitOfWork) -> list[int]:
    """Answer questions and reports, and note answers; the rows of what is sent."""
    rows = []
    for heard in notes.take_heard(unit):
        message = heal_messages.decode(heard.body)
        if _is_put_to_another(unit, heard, message):
            continue
        if isinstance(message, heal_messages.Answers):
            heal_answers.take(unit, heard, message)
        elif isinstance(message, heal_messages.Lost | heal_messages.Missed):
            rows += sent_again.answer(unit, heard, message)
        elif isinstance(message, heal_messages.Question):
            items = heal_answers.answer(unit, heard, message)
            rows += [
                give_commit.GiveCommit(known, digest, heard.device).enqueue(unit)
                for known, digest in heal_answers.to_give(unit, heard, message)
            ]
            if items:
                answered = heal_messages.Answers(message.nonce, items)
                name = "" if heard.kind == SELF else heard.user
                rows.append(_send(unit, name, answered))
        elif isinstance(message, heal_messages.Wanted) and heard.kind == SELF:
            handing_on.asked(unit, heard, message)
        elif isinstance(message, heal_messages.Known):
            rows += lost_groups.answer(unit, heard, message)
        elif isinstance(message, heal_messages.Unknown):
            lost_groups.told(unit, heard, message)
    return rows


def _is_put_to_another(
    unit: UnitOfWork, heard: notes.Heard, message: heal_messages.Message
) -> bool:
    """Whether an own device asks the person with whom both have a direct conversation."""
    own = heard.kind != SELF and heard.user == unit.me.address
    return own and isinstance(message, heal_messages.Question | heal_messages.Known)


def _send(unit: UnitOfWork, name: str, message: heal_messages.Message) -> int:
    part = heal_messages.encode_part(message)
    return send_heal.SendHeal(name, unit.random(content.SALT_BYTES), part).enqueue(unit)


# --- One conversation ---


def _lead_on(unit: UnitOfWork, conversation: Conversation) -> list[int]:
    """Take the steps that are due in one conversation; the rows enqueued."""
    known = conversation.record.id
    heal_signals.second_commit(unit, conversation)
    healing = notes.of(unit.records, known)
    state = State(conversation.record.standing)
    if state is State.ASKING and passed(healing.since_ms, unit.now_ms, _DAY_MS):
        conversation = rejoining.go_back(unit, conversation)
        known, state = conversation.record.id, State(conversation.record.standing)
        healing = notes.of(unit.records, known)
    epoch = conversation.group.epoch
    if state is State.FOLLOWING and healing.replies:
        newer = [reply for reply in healing.replies if reply.epoch > epoch]
        healing = notes.change(unit, known, replies=newer)
    users = [user for user in addresses(conversation.group.members) if user != unit.me.address]
    witnesses = heal_questions.witnesses(users, healing)
    own = None
    if conversation.record.kind == GROUP and decisions.may_be_parted(healing):
        asked = heal_questions.asked(unit, conversation, healing)
        own = own_branch.own(unit, conversation, healing, witnesses, asked)
    event = decisions.verdict(state, healing, len(witnesses), own)
    if event is None:
        event = _by_time(unit, conversation, healing)
    if event is not None:
        if event is Event.SAID_REMOVED and conversation.record.kind == GROUP:
            other_commits.keep(unit, conversation)
        state = notes.move(unit, conversation, event)
        parted = branches.parted(healing.replies)
        if event is Event.BRANCH_GOES_ON:
            notes.change(unit, known, parted=0)
        if parted and event in (Event.AHEAD, Event.BRANCH_GOES_ON):
            _tell_parted(unit, conversation, event, parted)
        stays = event in (Event.SAME, Event.BRANCH_GOES_ON)
        if stays and not decisions.elsewhere(healing):
            void.give_up(unit, conversation)
        if stays and healing.moving is not None:
            notes.change(unit, known, moving=None)
        _tell_removed(unit, conversation, event, healing)
    rows = _rejoined(unit, conversation)
    for user, message in heal_answers.to_tell(unit, known):
        rows.append(_send(unit, "" if user == unit.me.address else user, message))
    if state in (State.SUSPECT, State.ASKING) or (state is State.UNCONFIRMED and healing.rejoin):
        rows += heal_questions.ask_due(unit, conversation)
    elif state is State.BEHIND and conversation.record.kind == GROUP:
        notes.move(unit, conversation, Event.ASKED)
        rows += heal_questions.ask_due(unit, conversation)
    elif state is State.BEHIND:
        rows += _replace(unit, conversation)
    elif answers(state, Answer.ADD_AGAIN):
        rows += _add_again(unit, conversation)
    _tell_waiting(unit, conversation)
    return rows + lost_reports.missed(unit, conversation)


def _tell_parted(
    unit: UnitOfWork, conversation: Conversation, event: Event, parted: Sequence[notes.Reply]
) -> None:
    """Raise the alarm that the group was split, and note which branch goes on."""
    known, users = conversation.record.id, sorted({one.user for one in parted})
    epoch = max(one.parted for one in parted)
    if event is Event.BRANCH_GOES_ON:
        notes.change(unit, known, goes_on_ms=unit.now_ms)
    else:
        notes.change(unit, known, parted=epoch)
    name = conversation.record.name
    text = f"the group {name} was split: {', '.join(users)} follow another change"
    fact = f"{known.hex()} {epoch}"
    raise_alarm(unit.records, "forked", unit.me.address, text, unit.now_ms, fact=fact)


def _by_time(unit: UnitOfWork, conversation: Conversation, healing: notes.Healing) -> Event | None:
    record = conversation.record

    def waited(seconds: int) -> bool:
        return passed(healing.since_ms, unit.now_ms, seconds * 1000)

    if record.standing in (State.FOLLOWING, State.UNCONFIRMED) and healing.moving is not None:
        return Event.NOT_MOVED if decisions.is_overdue(healing.moving, unit.now_ms) else None
    if record.standing in (State.UNCONFIRMED, State.SUSPECT) and healing.rejoin is not None:
        due = waited(limits.TEXTS_HELD_SECONDS)
        members = addresses(conversation.group.members)
        users = [user for user in members if user != unit.me.address]
        return Event.WAITED if due and heal_questions.witnesses(users, healing) else None
    if record.standing == State.SUSPECT and healing.signal == Event.DOUBTFUL_REMOVAL.name:
        return Event.WAITED if waited(limits.DOUBTFUL_REMOVAL_SECONDS) else None
    if record.standing == State.SUSPECT and record.kind in (DIRECT, SELF):
        return Event.WAITED if waited(limits.ANSWER_SECONDS) else None
    return None


def _tell_removed(
    unit: UnitOfWork, conversation: Conversation, event: Event, healing: notes.Healing
) -> None:
    if event is Event.SAID_REMOVED and conversation.record.kind != SELF:
        who = sorted({reply.user for reply in healing.replies if reply.kind == decisions.REMOVED})
        text = f"you were removed, say {', '.join(who)}"
        rejoining.tell(unit, conversation, who[0] if who else "", text)


def _tell_waiting(unit: UnitOfWork, conversation: Conversation) -> None:
    """After a day say that texts wait here."""
    record = conversation.record
    healing = notes.of(unit.records, record.id)
    waits = record.standing in (State.BEHIND, State.ASKING, State.UNCONFIRMED)
    due = passed(healing.away_ms, unit.now_ms, limits.TEXTS_HELD_SECONDS * 1000)
    if waits and due and not healing.told and record.kind != SELF:
        notes.change(unit, record.id, told=True)
        text = "this device has missed changes here; what you write waits until members answer"
        rejoining.tell(unit, conversation, "", text)


def _rejoined(unit: UnitOfWork, conversation: Conversation) -> list[int]:
    """After a rejoin the own texts since the last message opened go again, once (H13)."""
    record = conversation.record
    healing = notes.of(unit.records, record.id)
    if healing.rejoin is None:
        return []
    rows: list[int] = []
    if not healing.rejoin.sent_again:
        rows = _send_again(unit, conversation, healing.rejoin)
    done = None if record.standing == State.FOLLOWING else _sent(healing.rejoin)
    notes.change(unit, record.id, rejoin=done)
    return rows


def _sent(rejoin: notes.Rejoin) -> notes.Rejoin:
    return notes.Rejoin(rejoin.users, rejoin.by, rejoin.strangers, rejoin.opened_ms, True)


def _send_again(unit: UnitOfWork, conversation: Conversation, rejoin: notes.Rejoin) -> list[int]:
    record = conversation.record
    if not rejoin.strangers:
        return heal_texts.send_again(unit, record, rejoin.opened_ms)
    new = ", ".join(rejoin.strangers)
    lost = unit.records.healing.sent_since(record.id, rejoin.opened_ms, limits.MAX_SENT_AGAIN)
    for text in lost:
        why = f"it may not have arrived, and {new} came since"
        unit.records.history.set_standing(text.message, "failed", why)
    if lost:
        told = f"{len(lost)} of your texts may not have arrived; {new} came since: send them again"
        rejoining.tell(unit, conversation, "", told)
    return []


def _replace(unit: UnitOfWork, conversation: Conversation) -> list[int]:
    """H9: a new conversation takes the place of a direct one, and of those that it had replaced.

    The reconciler makes a self-group.
    """
    record = conversation.record
    since_ms = rejoining.opened_ms(unit, record)
    notes.move(unit, conversation, Event.REPLACED)
    if record.kind == SELF:
        return []
    conversations.mark_older_stale(unit, record)
    wanted.note(unit, record.id, since_ms)
    heard = unit.records.peers.tallies(record.id, limits.MAX_TALLIES)
    made = _send(unit, record.name, heal_messages.Missed(record.id, record.epoch, heard))
    return [made, *heal_texts.send_again(unit, record, since_ms)]


def _add_again(unit: UnitOfWork, conversation: Conversation) -> list[int]:
    """H11: add again those who asked, together, not too often."""
    known = conversation.record.id
    healing = notes.of(unit.records, known)
    if not healing.wishes:
        return []
    now_ms, hour_ms = unit.now_ms, limits.ADDED_AGAIN_SECONDS * 1000
    begun = unit.records.healing.branch(known, conversation.group.epoch)
    quiet = begun is None or passed(begun[1], now_ms, limits.ADD_AGAIN_QUIET_SECONDS * 1000)
    oldest_ms = min(wish.at_ms for wish in healing.wishes)
    if not quiet or not passed(oldest_ms, now_ms, limits.ADD_AGAIN_BATCH_SECONDS * 1000):
        return []
    recent = [one for one in healing.additions if not passed(one.at_ms, now_ms, hour_ms)]
    open_wishes = [wish for wish in healing.wishes if now_ms - wish.at_ms < hour_ms]
    if len({one.epoch for one in recent}) >= limits.MAX_HEALING_COMMITS_AN_HOUR:
        notes.change(unit, known, wishes=open_wishes)
        return []
    ready = [wish for wish in open_wishes if _may_be_added(healing, wish, now_ms)]
    chosen = ready[: limits.MAX_ADDED_AGAIN]
    notes.change(unit, known, wishes=[wish for wish in ready if wish not in chosen])
    if not chosen:
        return []
    record = conversation.record
    return [add_again.AddAgain(record.kind, record.name, known, chosen).enqueue(unit)]


def _may_be_added(healing: notes.Healing, wish: notes.Wish, now_ms: int) -> bool:
    """Whether the device was not added again in the last hour, nor too often in a day."""
    hour_ms = limits.ADDED_AGAIN_SECONDS * 1000
    times = [one.at_ms for one in healing.additions if one.device == wish.device]
    day = [at_ms for at_ms in times if not passed(at_ms, now_ms, 24 * hour_ms)]
    last_hour = [at_ms for at_ms in day if not passed(at_ms, now_ms, hour_ms)]
    return not last_hour and len(day) < limits.MAX_ADDED_AGAIN_A_DAY
