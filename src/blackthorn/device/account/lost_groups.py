"""Find conversations that this device lacks, and tell devices that ask which they lack (H28, H1).

See `healing.lacking`. Groups add the device again; a direct conversation is replaced by a new one.
"""

from collections.abc import Iterable
from typing import Final

from blackthorn.device.account import heal_questions
from blackthorn.device.conversations import content, heal_messages
from blackthorn.device.core.group_metadata import DIRECT, GROUP, SELF
from blackthorn.device.core.members import Identity, addresses, identities
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.healing import handing, lacking, limits, notes
from blackthorn.device.healing.states import Event, State, is_member
from blackthorn.device.operations import operation
from blackthorn.device.operations.healing import send_heal
from blackthorn.device.transparency.lookup_queue import passed
from blackthorn.ids import Address, DeviceId

_LACKING: Final = "LACKING"


def look(unit: UnitOfWork) -> list[int]:
    """Ask whom it is time to ask; the rows enqueued."""
    noted = lacking.of(unit)
    if noted.begin:
        noted = lacking.change(unit, begin=False, people=list(_people(unit)))
    rows = list[int]()
    if noted.people and _idle(unit):
        records = unit.records.conversations.all()
        known = handing.shortened(one.id for one in records if is_member(one.standing))
        part = heal_messages.encode_part(heal_messages.Known(known))
        rows.append(_send(unit, noted.people[0], part))
        lacking.change(unit, people=noted.people[1:])
    return rows + _ask(unit)


def _people(unit: UnitOfWork) -> Iterable[str]:
    """Own devices, then whom this device writes with, then members of its groups."""
    yield heal_questions.OWN
    records = unit.records.conversations.all()
    users = [str(one.name) for one in reversed(records) if one.kind == DIRECT]
    for record in records:
        if record.kind == GROUP and is_member(record.standing):
            users += map(str, addresses(unit.open(record.id).group.members))
    others = dict.fromkeys(user for user in users if user != unit.me.address)
    yield from list(others)[: limits.MAX_TOLD]


def _idle(unit: UnitOfWork) -> bool:
    """One question at a time."""
    return not any(operation.waiting(unit, send_heal.SendHeal))


def _ask(unit: UnitOfWork) -> list[int]:
    """Ask to be added again where somebody said that this device is a member."""
    rows, left = list[int](), list[lacking.Lack]()
    found = lacking.of(unit).lacks
    for lack in found:
        if unit.records.conversations.standing(lack.conversation) is not None:
            continue
        wait_ms = limits.ANSWER_SECONDS * 1000
        same = [one for one in found if one.conversation == lack.conversation and one.asked_ms]
        busy = any(not passed(one.asked_ms, unit.now_ms, wait_ms) for one in same)
        if lack.asked_ms and passed(lack.asked_ms, unit.now_ms, limits.LACKING_SECONDS * 1000):
            continue
        waits = bool(lack.asked_ms or busy or rows)
        row = None
        if not waits:
            row = heal_questions.ask_from_outside(unit, lack.conversation, lack.user, lack.why)
        if row is None:
            left.append(lack)
            continue
        rows.append(row)
        left.append(lacking.Lack(lack.conversation, lack.user, lack.why, unit.now_ms))
    if left != found:
        lacking.change(unit, lacks=left)
    return rows


def _send(unit: UnitOfWork, user: str, part: bytes) -> int:
    return send_heal.SendHeal(user, unit.random(content.SALT_BYTES), part).enqueue(unit)


# --- Answers --------------------------------------------------------------------------------------


def answer(unit: UnitOfWork, heard: notes.Heard, asked: heal_messages.Known) -> list[int]:
    """Tell a device which groups it lacks; replace direct conversations; the rows."""
    known = set(handing.pieces(asked.have))
    asker = Identity(Address(heard.user), DeviceId(heard.device))
    groups = list[bytes]()
    for record in unit.records.conversations.all():
        if record.standing != State.FOLLOWING or record.id[: limits.HAVE_BYTES] in known:
            continue
        conversation = unit.open(record.id)
        if record.kind == SELF or asker not in identities(conversation.group.members):
            continue
        if record.kind == DIRECT and heard.kind == DIRECT:
            continue  # the question came in it, begun perhaps to ask
        if record.kind == GROUP:
            groups.append(record.id)
        else:
            notes.move(unit, conversation, Event.AHEAD)
    user = heal_questions.OWN if heard.kind == SELF else heard.user
    parts = [groups[at : at + limits.MAX_ITEMS] for at in range(0, len(groups), limits.MAX_ITEMS)]
    return [
        _send(unit, user, heal_messages.encode_part(heal_messages.Unknown(part))) for part in parts
    ]


def told(unit: UnitOfWork, heard: notes.Heard, answered: heal_messages.Unknown) -> None:
    """Somebody says that this device is in these: taken if it asked."""
    user = heal_questions.OWN if heard.kind == SELF else heard.user
    for conversation in answered.conversations if lacking.is_asking(unit) else []:
        if unit.records.conversations.standing(conversation) is None:
            lacking.add(unit, lacking.Lack(conversation, user, _LACKING))
