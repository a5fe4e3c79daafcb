"""What a device has noted of how a conversation stands with the others, and moves between states.

The standing itself is the conversation's; everything beside it is one stored `Healing`.
"""

from dataclasses import replace
from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.core import stored
from blackthorn.device.core.members import identify
from blackthorn.device.core.unit_of_work import BRANCH_LABEL, Conversation, UnitOfWork
from blackthorn.device.healing import limits
from blackthorn.device.healing.states import Event, State, after
from blackthorn.mls.credential import BasicCredential
from blackthorn.ports.device_store import Records


class Question(Struct, frozen=True, array_like=True):
    """A question sent: to this user, or ("") to the own devices, in this epoch.

    `reference` names the key package that it offered, empty for one without.
    """

    nonce: bytes
    user: str
    reference: bytes
    epoch: int
    at_ms: int


class Reply(Struct, frozen=True, array_like=True):
    """What a device of this user said: `kind` of `decisions`, and its epoch.

    `sure`: it follows the conversation itself. One on another branch gives the `mark` of that, the
    epoch that two Commits have ended, and who was the `maker` of the one on its side.
    """

    user: str
    own: bool
    kind: str
    epoch: int
    sure: bool
    mark: bytes = b""
    parted: int = 0
    maker: str = ""


class Removal(Struct, frozen=True, array_like=True):
    """A device that `by` removed, ending `epoch`.

    `to_tell` is its user, while it is to be told so: it still writes; `told`: it was.
    """

    device: bytes
    by: str
    epoch: int
    at_ms: int
    to_tell: str = ""
    told: bool = False


class Addition(Struct, frozen=True, array_like=True):
    """A device that was added again by the Commit that ended `epoch`."""

    device: bytes
    epoch: int
    at_ms: int


class Wish(Struct, frozen=True, array_like=True):
    """Another member's device that asks to be added again with this key package."""

    user: str
    device: bytes
    nonce: bytes
    package: bytes
    at_ms: int


class Rejoin(Struct, frozen=True):
    """A rejoin by a Welcome of the user `by`, until members have confirmed it.

    `users` were in the own last tree, `strangers` were not; the last message of others was opened
    there at `opened_ms`. `sent_again`: the own texts since were enqueued.
    """

    users: list[str]
    by: str
    strangers: list[str]
    opened_ms: int
    sent_again: bool = False


class Moving(Struct, frozen=True, array_like=True):
    """A Commit that began `epoch` has announced another `group`, of that `mark` (`moving`).

    Its Welcome needs the pre-shared key of that name.
    """

    group: bytes
    mark: bytes
    epoch: int
    key_name: bytes
    key: bytes
    at_ms: int


class Healing(Struct, frozen=True, omit_defaults=True):
    """See the module. `signal` is the name of the event that led to the state, at `since_ms`.

    `turn` counts the questions of this state, the next of which is due at `next_ms`. The device has
    not followed since `away_ms`; `told`: the person was told that texts wait. The own Commit of
    `taken_epoch` came second at `taken_ms`. Commits were `given` at these times. `removed`: a
    Commit has removed the device, and members are asked whether another one took its place. At
    `goes_on_ms` it was decided that the own branch of two goes on, or that the other one does, from
    the epoch `parted` on. What was written from the epoch `missed` on is to be asked for (-1:
    nothing); `tallies` are the counts of devices that were read until then. `successor` is the
    group that has taken this one's place, `moving` the one that is about to.
    """

    since_ms: int = 0
    signal: str = ""
    turn: int = 0
    next_ms: int = 0
    away_ms: int = 0
    told: bool = False
    questions: list[Question] = []
    replies: list[Reply] = []
    failed: list[bytes] = []
    removals: list[Removal] = []
    additions: list[Addition] = []
    wishes: list[Wish] = []
    taken_ms: int = 0
    taken_epoch: int = -1
    removed: bool = False
    goes_on_ms: int = 0
    given: list[int] = []
    parted: int = 0
    rejoin: Rejoin | None = None
    missed: int = -1
    tallies: list[tuple[bytes, int]] = []
    moving: Moving | None = None
    successor: bytes = b""


class Heard(Struct, frozen=True):
    """A message in a conversation of `kind` that a device of `user` sent about healing."""

    kind: str
    user: str
    device: bytes
    body: bytes
    at_ms: int


_decoder = msgspec.msgpack.Decoder(Healing)
_heard_decoder = msgspec.msgpack.Decoder(Heard)
_encode = msgspec.msgpack.Encoder().encode
_DAMAGED: Final = "what was noted to heal a conversation is damaged"


def of(records: Records, conversation: bytes) -> Healing:
    """What is noted of a conversation. Raises DamageError."""
    data = records.healing.get(conversation)
    return stored.decode(_decoder, data, _DAMAGED) if data else Healing()


def put(records: Records, conversation: bytes, healing: Healing) -> None:
    """Store it."""
    waits = healing.taken_epoch >= 0 or healing.missed >= 0
    busy = healing.wishes or healing.replies or healing.rejoin or healing.moving or waits
    busy = busy or any(one.to_tell for one in healing.removals)
    records.healing.put(conversation, _encode(healing), busy=bool(busy))


def change(unit: UnitOfWork, conversation: bytes, **changes: object) -> Healing:
    """Replace these fields of what is noted; the result."""
    changed = msgspec.structs.replace(of(unit.records, conversation), **changes)
    put(unit.records, conversation, changed)
    return changed


def hear(unit: UnitOfWork, heard: Heard) -> None:
    """Keep a message until it is worked off."""
    unit.records.healing.hear(_encode(heard), limits.MAX_HEARD)


def take_heard(unit: UnitOfWork) -> list[Heard]:
    """The messages to work off, oldest first; they are kept no longer. Raises DamageError."""
    return [
        stored.decode(_heard_decoder, data, _DAMAGED) for data in unit.records.healing.take_heard()
    ]


def branch_secret(unit: UnitOfWork, conversation: Conversation) -> bytes:
    """What the branch of the present epoch is made of, kept since that epoch began."""
    group = conversation.group
    kept = unit.records.healing.branch(group.group_id, group.epoch)
    return group.label_secret(BRANCH_LABEL).expose() if kept is None else kept[0]


def maker(unit: UnitOfWork, conversation: bytes, epoch: int) -> str:
    """The user whose Commit has ended that epoch here; "" if that is not known."""
    identity = unit.records.healing.committer(conversation, epoch)
    return identify(BasicCredential(identity)).address if identity else ""


def move(unit: UnitOfWork, conversation: Conversation, event: Event) -> State:
    """Put the conversation in the state to which `event` leads (`states`); that state."""
    record = conversation.record
    state = after(record.standing, event)
    if state == record.standing:
        return state
    conversation.record = replace(record, standing=state.value)
    before = of(unit.records, record.id)
    kept = before.questions if state in (State.BEHIND, State.ASKING) else []
    changed = msgspec.structs.replace(
        before,
        since_ms=unit.now_ms,
        signal=event.name,
        turn=0,
        next_ms=unit.now_ms,
        away_ms=_away_ms(before, record.standing, state, unit.now_ms),
        told=before.told and state is not State.FOLLOWING,
        questions=kept,
        replies=[],
        removed=False,
    )
    put(unit.records, record.id, changed)
    if state is State.BEHIND:
        unit.bump()  # a Welcome that waited may be taken now
    return state


def _away_ms(before: Healing, standing: str, state: State, now_ms: int) -> int:
    if state is State.FOLLOWING:
        return 0
    return now_ms if standing == State.FOLLOWING else before.away_ms


def commit_failed(unit: UnitOfWork, conversation: Conversation, digest: bytes) -> None:
    """S1: an authentic Commit of the present epoch fails; each one is a signal once."""
    known = of(unit.records, conversation.record.id)
    if digest in known.failed:
        return
    failed = [*known.failed, digest][-limits.MAX_FAILED :]
    change(unit, conversation.record.id, failed=failed)
    move(unit, conversation, Event.FAILED)


def commit_taken(unit: UnitOfWork, conversation: Conversation) -> None:
    """S2 begins: the server says that another Commit came first."""
    epoch = conversation.group.epoch
    if of(unit.records, conversation.record.id).taken_epoch != epoch:
        change(unit, conversation.record.id, taken_ms=unit.now_ms, taken_epoch=epoch)
