"""Messages in two parts: the first that comes is kept, and acknowledged, until the other is here.

Parts of a tree are kept for their Welcome (`device.core.trees`).

A part is opened before it is kept, so that only members fill this store, and of each place the
newest is kept. The parts of a message that is refused stay: the second is set aside, and tried
again with the first.
"""

import hashlib

from blackthorn.device.core import envelope, limits, trees
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.link.parcels import is_part

_HALF = "half"


def gather(unit: UnitOfWork, parcel: bytes) -> list[bytes]:
    """The parcels of a message in their order; none: it is not whole. Raises EnvelopeError."""
    if trees.is_tree_part(parcel):
        trees.take(unit, parcel)
        return []
    if not is_part(parcel):
        return [parcel]
    owner, part = _read(unit, parcel)
    parcels, name = unit.records.parcels, _name(owner, part)
    other = parcels.parts(_HALF, name).get(1 - part.place)
    if other is not None and _fit(part, _read(unit, other)[1]):
        return [parcel, other] if part.place == 0 else [other, parcel]
    parcels.put_part(_HALF, name, part.place, parcel, unit.now_ms)
    parcels.keep_parts(_HALF, limits.MAX_WAITING_PARTS)
    return []


def open_message(unit: UnitOfWork, parcels: list[bytes]) -> tuple[tuple[bytes, int], bytes]:
    """The group and epoch of gathered parcels, and the MLS message. Raises EnvelopeError."""
    if len(parcels) == 1:
        return envelope.open_group_parcel(parcels[0], unit.envelopes())
    (owner, first), (_, second) = (_read(unit, parcel) for parcel in parcels)
    return owner, envelope.whole(first, second)


def forget(unit: UnitOfWork, parcels: list[bytes]) -> None:
    """The message was taken, or is refused by all."""
    if len(parcels) > 1:
        owner, part = _read(unit, parcels[0])
        unit.records.parcels.forget_parts(_HALF, _name(owner, part))


def _read(unit: UnitOfWork, parcel: bytes) -> tuple[tuple[bytes, int], envelope.Part]:
    envelope.welcome_of(parcel)  # which checks its form
    owner, opened = envelope.open_group_parcel(parcel, unit.envelopes())
    return owner, envelope.read_part(opened)


def _fit(one: envelope.Part, other: envelope.Part) -> bool:
    try:
        envelope.whole(*((one, other) if one.place == 0 else (other, one)))
    except envelope.EnvelopeError:
        return False
    return True


def _name(owner: tuple[bytes, int], part: envelope.Part) -> bytes:
    """Of the message among the parts of all groups and epochs."""
    conversation, epoch = owner
    return hashlib.sha256(conversation + epoch.to_bytes(8, "big") + part.name).digest()
