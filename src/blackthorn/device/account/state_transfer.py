"""State transfer between two devices of one user.

In this order: trust anchors (`link.pairing.messages.Handover`), then in batches the own chain with
unpublished statements, OpenPGP keys, verified people, contacts with chains, and history. History is
bounded, newest first; its lines get negative numbers so that they precede lines received later.
Duplicates are ignored. Device keys, MLS states, drafts and alarms are not transferred.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

import msgspec

from blackthorn.crypto import openpgp_seal, secret
from blackthorn.device import limits as device_limits
from blackthorn.device.account import limits as account_limits
from blackthorn.device.core import anchors
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.mail import keys
from blackthorn.device.transparency import ledger_state, local_chain, verified
from blackthorn.errors import DamageError, VerificationError
from blackthorn.link.pairing.channel import AlteredError
from blackthorn.link.pairing.messages import Batch, Handover
from blackthorn.ports import device_store

CHAIN: Final = "chain"
WAITING: Final = "waiting"
MAIL_KEY: Final = "mail-key"
COMPARED: Final = "compared"
CONTACT: Final = "contact"
HISTORY: Final = "history"

_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError)
_BAD_ITEM: Final = (VerificationError, DamageError, openpgp_seal.CertificateError, *_UNREADABLE)
_BELOW: Final = "history-below"
_SHOWN: Final = ("received", "accepted")
"""Standings of transferred lines: none that is waiting or has failed."""

Item = tuple[str, bytes]
"""A kind and an encoded item."""


def first_view(unit: UnitOfWork) -> Handover:
    """The trust anchors and the newest checkpoint for the new device."""
    settings = unit.records.settings
    config, policy = anchors.records(settings)
    newest = unit.records.directory.newest()
    return Handover(
        config=config,
        policy=policy,
        accepted=_encode(newest) if newest is not None else b"",
        domain=(settings.get("domain") or b"").decode(),
        pin=(settings.get("user-pin") or b"").decode(),
    )


def items(unit: UnitOfWork) -> list[Item]:
    """All other items, in the order of transfer."""
    own = unit.records.directory.chain(unit.me.address)
    found: list[Item] = [(CHAIN, _encode(own))] if own is not None and own.present else []
    found += [(WAITING, item) for item in local_chain.unpublished(unit)]
    found += [(MAIL_KEY, _encode(item)) for item in unit.records.mail_keys.all()]
    found += [
        (COMPARED, msgspec.msgpack.encode((address, *mark)))
        for address, mark in sorted(verified.marks(unit.records.settings).items())
    ]
    found += [(CONTACT, _encode(item)) for item in _contacts(unit)]
    found += [(HISTORY, item) for item in _history(unit)]
    return [item for item in found if len(item[1]) <= account_limits.MAX_HANDED_ITEM_BYTES]


def _contacts(unit: UnitOfWork) -> list[device_store.ChainRecord]:
    """Verified contacts first, then those looked up most recently."""
    chains = unit.records.directory.chains()
    known = [contact for contact in chains if contact.address != unit.me.address]
    known.sort(key=lambda contact: (bool(contact.verified_ms), contact.checked_ms), reverse=True)
    return known[: account_limits.MAX_HANDED_CONTACTS]


def _history(unit: UnitOfWork) -> Iterator[bytes]:
    size = 0
    for line in reversed(unit.records.history.latest(account_limits.MAX_HANDED_LINES)):
        if line.standing not in _SHOWN:
            continue
        data = _encode(line)
        size += len(data)
        if size > account_limits.MAX_HANDED_HISTORY_BYTES:
            return
        yield data


def batches(found: Sequence[Item]) -> list[Batch]:
    """Group the items into batches of one kind and of bounded size."""
    made: list[Batch] = []
    left = len(found)
    kind, group, size = "", list[bytes](), 0
    for this, data in found:
        if group and (this != kind or size + len(data) > account_limits.MAX_PAIRING_BATCH_BYTES):
            left -= len(group)
            made.append(Batch(kind, group, left))
            group, size = [], 0
        kind, size = this, size + len(data)
        group.append(data)
    return [*made, Batch(kind, group, 0)] if group else made


def take_first_view(unit: UnitOfWork, handover: Handover) -> None:
    """Store the trust anchors. Raises VerificationError, AlteredError: inconsistent."""
    anchors.pin(unit.records.settings, handover.config, handover.policy)
    if handover.accepted:
        try:
            checkpoint = msgspec.msgpack.decode(
                handover.accepted, type=device_store.CheckpointRecord
            )
        except _UNREADABLE:
            raise AlteredError("the transferred checkpoint is invalid") from None
        unit.records.directory.put_checkpoint(checkpoint, device_limits.KEPT_CHECKPOINTS)
        ledger_state.accept_time(unit, checkpoint)


def take(unit: UnitOfWork, batch: Batch) -> None:
    """Store a batch. Raises AlteredError for an invalid item; the unit of work is then undone."""
    try:
        for data in batch.items:
            _take(unit, batch.kind, data)
    except _BAD_ITEM as error:
        raise AlteredError(f"the other device sent invalid state: {error}") from None


def _take(unit: UnitOfWork, kind: str, data: bytes) -> None:
    """Store one item; kinds of later versions are ignored."""
    if kind in (CHAIN, CONTACT):
        _take_chain(unit, data)
    elif kind == WAITING:
        local_chain.put_waiting(unit.records.settings, data, unit.now_ms)
    elif kind == MAIL_KEY:
        key = msgspec.msgpack.decode(data, type=device_store.MailKeyRecord)
        keys.keep(unit.records, secret.Secret(key.secret), key.certificate, key.since_ms)
    elif kind == COMPARED:
        mark = msgspec.msgpack.decode(data, type=tuple[str, bytes, int])
        verified.put(unit, *mark)
    elif kind == HISTORY:
        _take_line(unit, data)


def _take_chain(unit: UnitOfWork, data: bytes) -> None:
    """Keep the longer chain when this device already knows one."""
    record = msgspec.msgpack.decode(data, type=device_store.ChainRecord)
    known = unit.records.directory.chain(record.address)
    if known is None or not known.present or known.seq <= record.seq:
        unit.records.directory.put_chain(record)
        unit.chains.of(record.address)


def _take_line(unit: UnitOfWork, data: bytes) -> None:
    line = msgspec.msgpack.decode(data, type=device_store.HistoryRecord)
    if unit.records.history.known(line.message):
        return
    below = int.from_bytes(unit.records.settings.get(_BELOW) or b"", "big") + 1
    unit.records.settings.put(_BELOW, below.to_bytes(8, "big"))
    unit.records.history.add(replace(line, number=-below, shown=True))


def _encode(record: Any) -> bytes:
    return msgspec.msgpack.encode(asdict(record))
