"""The states of a conversation on one device, as a table: own texts, answers, and exits.

A state is the stored standing of the conversation. An event without an exit leaves the state as it
is: an asking device stays asking when one more Commit fails. The rules H3 to H13 and H37 are those
of docs/specs/conversations.md, whose table and diagram are made from this module.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final


class State(StrEnum):
    """Where this device is in a conversation; the value is the stored standing."""

    FOLLOWING = "active"
    UNCONFIRMED = "unconfirmed"
    SUSPECT = "suspect"
    BEHIND = "behind"
    ASKING = "asking"
    LEFT = "removed"
    STALE = "stale"


class Texts(Enum):
    """What becomes of this device's own texts."""

    GO = "go"
    CHECKED = "wait until what is noted was settled or confirmed"
    BY_SIGNAL = "wait if a Commit seems to be missing or a removal is doubtful, else go"
    WAIT = "wait"
    NONE = "none"


class Answer(Enum):
    """What a member tells a device that asks (H37)."""

    SAME = "`same`"
    OTHER = "`ahead`, `other`"
    PARTED = "`other` from another branch"
    REMOVED = "`removed`"
    ADD_AGAIN = "adds again"


class Event(Enum):
    """What moves a conversation from one state to another."""

    NOTED = "an addition or removal is noted"
    SETTLED = "what was noted is confirmed or committed out, or the person says yes"
    FAILED = "S1: an authentic Commit of the present epoch fails"
    TAKEN = "S2: the own Commit came second, and the first does not come"
    MISSED = "S3: a Commit of the present epoch was missed"
    AHEAD = "S4: an own device or two users are ahead or elsewhere"
    SILENT = "S5: nothing was opened for 15 days on line"
    FORKED = "S6: another Commit of an epoch that is past"
    WELCOMED = "a Welcome to it came although this device is in it"
    TOLD = "a member says unasked that this device was removed"
    NOT_MOVED = "a Commit announced another group in its place, whose Welcome does not come"
    ADDED_AGAIN = "a Commit removes this device and adds it again; its Welcome is yet to be taken"
    DOUBTFUL_REMOVAL = "H6: a former device removed this one"
    MERGED = "the missing Commit is merged"
    SAME = "`same` by an own device or two users"
    ONE_AHEAD = "`ahead` or `other` by one user, after S2, S3 or such a Welcome"
    WAITED = (
        "no answer in time: 10 minutes in a direct or self conversation, 1 hour after H6, "
        "a day after a rejoin"
    )
    MANY_COMMITS = "16 Commits were merged while something was noted"
    ASKED = "a member was asked to add this device again"
    REPLACED = "a new conversation takes its place: H9, or a move to another suite"
    ALONE = "nobody else is left in a direct conversation"
    WELCOME = "a Welcome to it is taken, members are still to be asked"
    WELCOME_KNOWN = "a Welcome to it is taken, and there is nobody to ask"
    BRANCH_GOES_ON = "the own branch has more users"
    SAID_REMOVED = "two users say that this device was removed"
    REMOVED = "a live device removes this one, or the person leaves"


@dataclass(frozen=True, slots=True)
class Row:
    """One state: its meaning, what own texts do, the answers given, and the exits.

    `told` is what a person reads beside the conversation's name.
    """

    meaning: str
    texts: Texts
    answers: frozenset[Answer]
    exits: Mapping[Event, State]
    told: str = ""


_SUSPECTED: Final = {
    Event.FAILED: State.BEHIND,
    Event.AHEAD: State.BEHIND,
    Event.ADDED_AGAIN: State.BEHIND,
    Event.WELCOMED: State.SUSPECT,
    Event.TOLD: State.SUSPECT,
    Event.NOT_MOVED: State.SUSPECT,
    Event.TAKEN: State.SUSPECT,
    Event.MISSED: State.SUSPECT,
    Event.SILENT: State.SUSPECT,
    Event.FORKED: State.SUSPECT,
    Event.DOUBTFUL_REMOVAL: State.SUSPECT,
}
_ONLY_SAME: Final = frozenset({Answer.SAME})
_WHERE: Final = frozenset({Answer.SAME, Answer.PARTED})

TABLE: Final[Mapping[State, Row]] = {
    State.FOLLOWING: Row(
        "in step with the other members, as far as is known",
        Texts.GO,
        frozenset(Answer),
        {
            Event.NOTED: State.UNCONFIRMED,
            Event.REPLACED: State.STALE,
            **_SUSPECTED,
            Event.REMOVED: State.LEFT,
        },
    ),
    State.UNCONFIRMED: Row(
        "something is noted, or members are still to confirm a rejoin",
        Texts.CHECKED,
        _ONLY_SAME,
        {
            Event.SETTLED: State.FOLLOWING,
            Event.SAME: State.FOLLOWING,
            Event.REPLACED: State.STALE,
            Event.ALONE: State.STALE,
            Event.MANY_COMMITS: State.BEHIND,
            Event.WAITED: State.BEHIND,
            **_SUSPECTED,
            Event.REMOVED: State.LEFT,
        },
        "members are yet to be confirmed",
    ),
    State.SUSPECT: Row(
        "something may be missing: members are asked",
        Texts.BY_SIGNAL,
        _WHERE,
        {
            Event.MERGED: State.FOLLOWING,
            Event.SAME: State.FOLLOWING,
            Event.BRANCH_GOES_ON: State.FOLLOWING,
            Event.FAILED: State.BEHIND,
            Event.AHEAD: State.BEHIND,
            Event.ADDED_AGAIN: State.BEHIND,
            Event.ONE_AHEAD: State.BEHIND,
            Event.WAITED: State.BEHIND,
            Event.REPLACED: State.STALE,
            Event.SAID_REMOVED: State.LEFT,
            Event.REMOVED: State.LEFT,
        },
        "something may be missing: members are asked",
    ),
    State.BEHIND: Row(
        "the others are in an epoch that this device cannot reach",
        Texts.WAIT,
        _WHERE,
        {
            Event.ASKED: State.ASKING,
            Event.REPLACED: State.STALE,
            Event.MERGED: State.FOLLOWING,
            Event.WELCOME: State.UNCONFIRMED,
            Event.WELCOME_KNOWN: State.FOLLOWING,
            Event.REMOVED: State.LEFT,
        },
        "this device has missed a change and asks to be added again",
    ),
    State.ASKING: Row(
        "a member was asked to add this device again",
        Texts.WAIT,
        _WHERE,
        {
            Event.WELCOME: State.UNCONFIRMED,
            Event.WELCOME_KNOWN: State.FOLLOWING,
            Event.MERGED: State.FOLLOWING,
            Event.SAME: State.FOLLOWING,
            Event.BRANCH_GOES_ON: State.FOLLOWING,
            Event.REPLACED: State.STALE,
            Event.SAID_REMOVED: State.LEFT,
            Event.REMOVED: State.LEFT,
        },
        "this device has missed a change and asks to be added again",
    ),
    State.LEFT: Row(
        "this device was removed, or the person left",
        Texts.NONE,
        frozenset(),
        {
            Event.WELCOME: State.FOLLOWING,
            Event.WELCOME_KNOWN: State.FOLLOWING,
            Event.FORKED: State.SUSPECT,
        },
        "you were removed; members until then",
    ),
    State.STALE: Row(
        "replaced by another conversation; late texts are still shown",
        Texts.NONE,
        frozenset(),
        {},
        "replaced by another conversation",
    ),
}

MEMBER: Final = frozenset(State) - {State.LEFT, State.STALE}
"""States in which this device counts itself among the members."""

SIGNALS_THAT_HOLD_TEXTS: Final = frozenset(
    {Event.TAKEN, Event.MISSED, Event.NOT_MOVED, Event.DOUBTFUL_REMOVAL}
)


HALF_SURE: Final = frozenset({Event.TAKEN, Event.MISSED, Event.WELCOMED})
"""Signals after which the word of one user is enough."""


def after(standing: str, event: Event) -> State:
    """The state after `event`; the same one when the event has no exit there."""
    state = State(standing)
    return TABLE[state].exits.get(event, state)


def is_member(standing: str) -> bool:
    """Whether a conversation of this standing counts this device among its members."""
    return State(standing) in MEMBER


def answers(standing: str, answer: Answer) -> bool:
    """Whether a device in a conversation of this standing gives that answer."""
    return answer in TABLE[State(standing)].answers
