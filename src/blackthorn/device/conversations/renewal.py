"""When this device gives its leaf of a conversation new keys, so that an old copy reads no further.

Any own Commit does. One is due after some days of use (days on which all parcels were delivered),
after some own messages, both of which can be set, and within a day of joining. Its time is drawn so
that the members' Commits are spread: among D leaves that look due, within D times a slot. Before
the next own text it is due after 30 days of absence, and for a leaf from an old or a last-resort
key package, whose private half others may have had time to steal.

Times here are the ledger's, in Unix milliseconds, but for `moved_ms`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.conversations import limits
from blackthorn.device.core import limits as core_limits
from blackthorn.device.core import preferences
from blackthorn.device.core.members import identities
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import limits as heal_limits
from blackthorn.device.healing.states import State
from blackthorn.device.transparency.ledger_state import clock_ms
from blackthorn.mls.framing.key_package import KeyPackage
from blackthorn.mls.limits import MLS_CLOCK_SKEW_SECONDS
from blackthorn.ports.device_groups import LeafRecord, OwnLeaf

_DAY_MS: Final = 24 * 3600 * 1000
_USE: Final = "days-of-use"
SMALL_SLOT_MS: Final = 5_000
LARGE_SLOT_MS: Final = 60_000
"""Time for each leaf that looks due, in conversations of up to SMALL_GROUP devices and above."""
SMALL_GROUP: Final = 32
SPREAD_MS: Final = 60_000
"""Wait after a connection, within which what came due a day before is done."""
LONGEST_MS: Final = 5 * _DAY_MS
"""More than any drawn wait: one that is later was drawn by a wrong clock."""

Random = Callable[[int], bytes]


class Use(Struct, frozen=True):
    """On how many days this device was used, and the last of them, a Unix day.

    `recent` are the last few of them by this device's clock.
    """

    days: int = 0
    last: int = 0
    recent: list[int] = []


def used(unit: UnitOfWork) -> None:
    """All parcels were delivered: count the day, and note a long absence."""
    use, day = days_of_use(unit), clock_ms(unit) // _DAY_MS
    if use.last == day:
        return
    if use.last and abs(day - use.last) >= limits.ABSENCE_DAYS:
        unit.records.leaves.mark_before_text(unit.me.device)
    recent = [*use.recent, unit.now_ms // _DAY_MS][-heal_limits.SILENT_DAYS :]
    unit.records.settings.put(_USE, msgspec.msgpack.encode(Use(use.days + 1, day, recent)))


def copied(unit: UnitOfWork) -> None:
    """A copy of this vault was used: it may have used the next keys of this device's leaves.

    Each gets new ones before the next own text.
    """
    for record in unit.records.conversations.all():
        if record.standing == State.FOLLOWING:
            unit.open(record.id).group.skip_handshakes(limits.COPIED_HANDSHAKES)
            known = unit.records.leaves.get(record.id, unit.me.device)
            leaf = known or LeafRecord(record.id, unit.me.device)
            unit.records.leaves.put(replace(leaf, before_text=True))


def days_of_use(unit: UnitOfWork) -> Use:
    data = unit.records.settings.get(_USE)
    return msgspec.msgpack.decode(data, type=Use) if data else Use()


def joined(unit: UnitOfWork, conversation: Conversation, package: KeyPackage) -> None:
    """This device has joined by this key package of its own."""
    lifetime = package.leaf.lifetime
    made_ms = 0 if lifetime is None else (lifetime.not_before + MLS_CLOCK_SKEW_SECONDS) * 1000
    old = clock_ms(unit) - made_ms > limits.OLD_PACKAGE_DAYS * _DAY_MS
    group, leaves = conversation.record.id, unit.records.leaves
    leaves.forget(group)
    leaves.put(LeafRecord(group, unit.me.device, before_text=old or package.last_resort))


def committed(
    unit: UnitOfWork, conversation: Conversation, device: bytes, *, renews: bool = True
) -> None:
    """A Commit of that device was merged; `renews`: it has given its leaf new keys."""
    group, now_ms, leaves = conversation.record.id, clock_ms(unit), unit.records.leaves
    if device != unit.me.device or not renews:
        if renews:
            leaves.put(LeafRecord(group, device, now_ms))
        known = leaves.get(group, unit.me.device) or LeafRecord(group, unit.me.device)
        leaves.put(replace(known, moved_ms=unit.now_ms))
        return
    due_day, due_sent = _due(unit, conversation)
    leaves.put(
        LeafRecord(group, device, now_ms, moved_ms=unit.now_ms, due_day=due_day, due_sent=due_sent)
    )


def _due(unit: UnitOfWork, conversation: Conversation) -> tuple[int, int]:
    """The day of use and the number of own messages at which the next own Commit is due."""
    settings = unit.records.settings
    days = preferences.RENEWAL_DAYS.get(settings)
    days = days * max(1000, len(conversation.group.members)) // 1000
    sent = conversation.record.sent + preferences.RENEWAL_MESSAGES.get(settings)
    return days_of_use(unit).days + days, sent


def hasten(unit: UnitOfWork) -> None:
    """The settings have changed: no own Commit is due later than they say, counted from now."""
    for own in unit.records.leaves.own(unit.me.device, State.FOLLOWING):
        day, sent = _due(unit, unit.open(own.leaf.conversation))
        if day < own.leaf.due_day or sent < own.leaf.due_sent:
            day, sent = min(day, own.leaf.due_day), min(sent, own.leaf.due_sent)
            unit.records.leaves.put(replace(own.leaf, due_day=day, due_sent=sent))


def is_before_text(unit: UnitOfWork, conversation: Conversation) -> bool:
    """Whether the own leaf must have new keys before anything is sealed."""
    known = unit.records.leaves.get(conversation.record.id, unit.me.device)
    return known is not None and known.before_text


def is_due(own: OwnLeaf, days: int) -> bool:
    leaf = own.leaf
    return leaf.before_text or days >= leaf.due_day or own.sent >= leaf.due_sent


def draw(unit: UnitOfWork, own: OwnLeaf, now_ms: int) -> None:
    """Draw the time of the own Commit, within a day of joining."""
    group = unit.open(own.leaf.conversation).group
    members = {member.device for member in identities(group.members)}
    recent = unit.records.leaves.renewed_since(
        own.leaf.conversation, now_ms - core_limits.RENEWAL_DAYS * _DAY_MS
    )
    wait_ms = drawn_ms(len(members - set(recent)), len(members), unit.random)
    if not own.leaf.renewed_ms:
        wait_ms %= _DAY_MS
    small = len(members) <= SMALL_GROUP
    unit.records.leaves.put(replace(own.leaf, drawn_ms=now_ms + wait_ms, spread=small))


def spread(unit: UnitOfWork, own: OwnLeaf, now_ms: int) -> None:
    """Draw a moment soon: of a large conversation many leaves may be overdue by a day."""
    drawn = now_ms + int.from_bytes(unit.random(8), "big") % SPREAD_MS
    unit.records.leaves.put(replace(own.leaf, drawn_ms=drawn, spread=True))


def drawn_ms(due: int, members: int, random: Random) -> int:
    """A wait in milliseconds, uniform over the slots of the leaves that look due."""
    slot = SMALL_SLOT_MS if members <= SMALL_GROUP else LARGE_SLOT_MS
    return int.from_bytes(random(8), "big") % max(1, due * slot)


def step(leaf: LeafRecord, now_ms: int, local_ms: int, began_ms: int) -> str:
    """What to do about a leaf that is due: "draw", "spread", "wait" or "commit".

    `now_ms` is the ledger's time and `began_ms` that of the first look on this connection;
    `local_ms` is this device's.
    """
    ahead_ms = leaf.drawn_ms - now_ms
    if not leaf.drawn_ms or ahead_ms > LONGEST_MS:
        return "draw"
    if ahead_ms > 0:
        return "wait"
    if leaf.drawn_ms <= began_ms and -ahead_ms >= _DAY_MS and not leaf.spread:
        return "spread"
    if 0 <= local_ms - leaf.moved_ms < limits.COMMIT_PAUSE_SECONDS * 1000:
        return "draw"  # one Commit at a time: each makes all others of its epoch void
    return "commit"
