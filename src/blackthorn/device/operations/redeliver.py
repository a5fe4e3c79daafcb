"""Deliver an accepted posting to devices that the server left out of it."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from blackthorn.device.conversations import conversations
from blackthorn.device.core.group_metadata import SELF
from blackthorn.device.core.members import identities
from blackthorn.device.core.prepared import PreparedPosting, encode
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.operations import claims, limits, postings
from blackthorn.device.operations import operation as base
from blackthorn.device.transparency.lookup_queue import reached
from blackthorn.ids import Address, DeviceId
from blackthorn.link.codes import Code
from blackthorn.link.frames import LeftOut
from blackthorn.ports.device_store import OutboxRecord

TARGET: Final = "redeliver"
_MAX_NAMED: Final = 3
"""Users named in one line."""

_WHY: Final = {
    Code.MAILBOX_FULL: "their mailbox is full; sent again by itself",
    Code.RECIPIENT_UNKNOWN: "the server does not know it; sent again by itself",
    Code.MARKET_LEFT: "the service in their country has ended, or is read-only",
}


class Parcel(msgspec.Struct, frozen=True, array_like=True):
    """Sealed bytes, and their devices that were left out."""

    sealed: bytes
    devices: list[bytes]


class Redeliver(base.Operation, frozen=True, tag="redeliver"):
    """The parcels of `posting`, unchanged, so that nothing is shown twice.

    `message` is the id of its line in the history, or empty; `text` the beginning of the text.
    `look_up` are users whose device the server does not know. `asked`: the person is told when it
    is given up, at `until_ms`.
    """

    posting: bytes
    conversation: bytes
    name: str
    message: bytes
    text: str
    parcels: list[Parcel]
    look_up: list[str]
    asked: bool
    next_ms: int
    until_ms: int
    tries: int = 0

    @property
    def target(self) -> bytes:
        return base.name_of(TARGET, self.posting.hex())

    @property
    def is_sealed(self) -> bool:
        return False

    @property
    def is_asked_for(self) -> bool:
        return self.asked

    def waits(self, unit: UnitOfWork) -> bool:
        return not reached(self.next_ms, unit.now_ms, limits.REDELIVERY_MOST_SECONDS * 1000)

    def lookups(self, unit: UnitOfWork) -> list[Address]:
        return [Address(user) for user in self.look_up]

    def prepare(self, unit: UnitOfWork, row: OutboxRecord) -> base.Step:
        """The same parcels for those who are still members."""
        users = _members(unit, self.conversation)
        left = self._for(users)
        if not left.parcels:
            self.accepted(unit)
            return base.NothingToDo()
        if unit.now_ms >= self.until_ms:
            devices = {device for parcel in left.parcels for device in parcel.devices}
            who = _names([users[device] for device in devices])
            raise claims.HopelessError(f"{who} could not take it for {limits.REDELIVERY_DAYS} days")
        parcels = [([DeviceId(d) for d in part.devices], part.sealed) for part in left.parcels]
        prepared = postings.forwarded(unit, unit.open(self.conversation), parcels)
        return postings.save(unit, row, left, prepared)

    def put_off(
        self, unit: UnitOfWork, row: OutboxRecord, devices: Collection[bytes]
    ) -> OutboxRecord | None:
        """The row, to be tried again later for these of its devices; for all, if none is named."""
        left = self._for(devices) if devices else self
        if not left.parcels:
            return None
        tries = self.tries + 1
        later = msgspec.structs.replace(left, next_ms=unit.now_ms + _pause_ms(tries), tries=tries)
        return replace(row, operation=encode(later), posting=None, prepared=None)

    def _for(self, devices: Collection[bytes]) -> "Redeliver":
        return msgspec.structs.replace(self, parcels=_among(self.parcels, devices))

    def accepted(self, unit: UnitOfWork) -> None:
        self._tell(unit, "")

    def given_up(self, unit: UnitOfWork, reason: str) -> None:
        self._tell(unit, f"not kept for all: {reason}")

    def _tell(self, unit: UnitOfWork, why: str) -> None:
        if self.message:
            unit.records.history.set_standing(self.message, "accepted", why)

    def failure_text(self) -> base.FailureText:
        return base.FailureText("not kept for every device of", self.name, self.text)


def of_left_out(
    unit: UnitOfWork,
    operation: base.Operation,
    prepared: PreparedPosting,
    left_out: Sequence[LeftOut],
) -> Redeliver | None:
    """What is to be delivered later, and tells the person; None: nothing.

    Former devices were left out rightly: a Commit removes them. A country's end is told only.
    """
    codes = {device: entry.code for entry in left_out for device in entry.devices}
    members = _members(unit, prepared.conversation)
    lists = prepared.lists if prepared.fanouts else {}  # a text's is all of its epoch
    parcels = [
        Parcel(parcel.sealed, lists.get(parcel.fanout, list(codes)))
        for parcel in prepared.posting.parcels
    ]
    named = {device for parcel in parcels for device in parcel.devices}
    users = {device: members[device] for device in codes if device in members and device in named}
    if not users:
        return None
    record = unit.open(prepared.conversation).record
    why = _words(users, codes)
    asked = operation.is_asked_for and record.kind != SELF
    if operation.history_line:
        unit.records.history.set_standing(operation.history_line, "accepted", why)
    elif asked:
        told = f"the change was {why}"
        conversations.tell(unit, unit.open(record.id), unit.me.address, told)
    again = {device for device in users if codes[device] != Code.MARKET_LEFT}
    unknown = {users[device] for device in again if codes[device] == Code.RECIPIENT_UNKNOWN}
    found = _among(parcels, again)
    if not found:
        return None
    return Redeliver(
        posting=prepared.posting.id,
        conversation=record.id,
        name=record.name,
        message=operation.history_line,
        text=operation.failure_text().text,
        parcels=found,
        look_up=sorted(unknown),
        asked=asked,
        next_ms=unit.now_ms + _pause_ms(0),
        until_ms=unit.now_ms + limits.REDELIVERY_DAYS * 24 * 3_600_000,
    )


def _members(unit: UnitOfWork, conversation: bytes) -> dict[bytes, str]:
    """The other devices of a conversation that are not former ones, and their users."""
    if unit.records.conversations.get(conversation) is None:
        return {}
    group = unit.open(conversation).group
    gone = {unit.me.device, *conversations.gone_devices(unit, group)}
    return {one.device: one.address for one in identities(group.members) if one.device not in gone}


def _among(parcels: Sequence[Parcel], devices: Collection[bytes]) -> list[Parcel]:
    cut = (Parcel(one.sealed, [d for d in one.devices if d in devices]) for one in parcels)
    return [one for one in cut if one.devices]


def _pause_ms(tries: int) -> int:
    most = limits.REDELIVERY_MOST_SECONDS
    return 1000 * min(limits.REDELIVERY_SECONDS << min(tries, 16), most)


def _words(users: dict[bytes, str], codes: dict[bytes, str]) -> str:
    parts = []
    for code in dict.fromkeys(codes[device] for device in users):
        who = _names([user for device, user in users.items() if codes[device] == code])
        why = next((told for known, told in _WHY.items() if known == code), "sent again by itself")
        parts.append(f"not kept for {who}: {why}")
    return "; ".join(parts)


def _names(users: Sequence[str]) -> str:
    """The devices of these users, in words."""
    found = sorted(set(users))
    named = [
        f"{user}'s device" if users.count(user) == 1 else f"{users.count(user)} devices of {user}"
        for user in found[:_MAX_NAMED]
    ]
    more = len(found) - _MAX_NAMED
    return ", ".join(named) + (f" and devices of {more:,} others" if more > 0 else "")
