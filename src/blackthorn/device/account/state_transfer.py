"""What a live device hands to a new one of the same user, and how the new one takes it.

In this order: the first view of the ledger (`link.pairing.exchange.Handover`), then in batches the
own chain and what waits behind it, OpenPGP keys, whom the person has compared, contacts with their
chains, and history. History goes the newest first and bounded; its lines get numbers below 0, so
that they stand before whatever the new device receives itself. What comes twice is kept once.

Not handed over: the keys of either device, MLS states, drafts, alarms.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any, Final, TypeVar

import msgspec

from blackthorn.crypto.openpgp_seal import CertificateError
from blackthorn.crypto.secret import Secret
from blackthorn.device import limits as device_limits
from blackthorn.device.account import limits as account_limits
from blackthorn.device.account import local_chain
from blackthorn.device.core.unit_of_work import Turn
from blackthorn.device.mail import keys
from blackthorn.device.transparency import anchors, verified
from blackthorn.errors import StorageError, VerificationError
from blackthorn.link.pairing.exchange import AlteredError, Batch, Handover
from blackthorn.ports.device_store import (
    ChainRecord,
    CheckpointRecord,
    HistoryRecord,
    MailKeyRecord,
)

CHAIN: Final = "chain"
WAITING: Final = "waiting"
MAIL_KEY: Final = "mail-key"
COMPARED: Final = "compared"
CONTACT: Final = "contact"
HISTORY: Final = "history"

_BAD_ITEM: Final = (
    VerificationError,
    StorageError,
    CertificateError,
    msgspec.DecodeError,
    UnicodeDecodeError,
)

_BELOW: Final = "history-below"
_SHOWN: Final = ("received", "accepted")
"""Lines that are handed over: what was said, not what waits or has failed."""

Record = TypeVar("Record")

Item = tuple[str, bytes]
"""A kind and one thing of it."""


# --- The live device ----------------------------------------------------------------------


def first_view(turn: Turn) -> Handover:
    """What the new device believes before it asks the server anything."""
    settings = turn.records.settings
    config, policy = anchors.records(settings)
    newest = turn.records.directory.newest()
    return Handover(
        config=config,
        policy=policy,
        accepted=_encode(newest) if newest is not None else b"",
        domain=(settings.get("domain") or b"").decode(),
        pin=(settings.get("user-pin") or b"").decode(),
    )


def items(turn: Turn) -> list[Item]:
    """Everything else, in the order in which it goes."""
    own = turn.records.directory.chain(turn.me.address)
    found: list[Item] = [(CHAIN, _encode(own))] if own is not None and own.present else []
    found += [(WAITING, each) for each in local_chain.unpublished(turn)]
    found += [(MAIL_KEY, _encode(each)) for each in turn.records.mail_keys.all()]
    found += [
        (COMPARED, msgspec.msgpack.encode((address, *mark)))
        for address, mark in sorted(verified.marks(turn.records.settings).items())
    ]
    found += [(CONTACT, _encode(each)) for each in _contacts(turn)]
    found += [(HISTORY, each) for each in _history(turn)]
    return [each for each in found if len(each[1]) <= account_limits.MAX_HANDED_ITEM_BYTES]


def _contacts(turn: Turn) -> list[ChainRecord]:
    """Those compared first, then those looked at last."""
    known = [each for each in turn.records.directory.chains() if each.address != turn.me.address]
    known.sort(key=lambda each: (bool(each.verified_ms), each.checked_ms), reverse=True)
    return known[: account_limits.MAX_HANDED_CONTACTS]


def _history(turn: Turn) -> Iterator[bytes]:
    size = 0
    for line in reversed(turn.records.history.latest(account_limits.MAX_HANDED_LINES)):
        if line.standing not in _SHOWN:
            continue
        data = _encode(line)
        size += len(data)
        if size > account_limits.MAX_HANDED_HISTORY_BYTES:
            return
        yield data


def batches(found: Sequence[Item]) -> list[Batch]:
    """The items in batches of one kind and of a bounded size."""
    made: list[Batch] = []
    kind, group, size = "", list[bytes](), 0
    for this, data in found:
        if group and (this != kind or size + len(data) > account_limits.MAX_PAIRING_BATCH_BYTES):
            made.append(Batch(kind, group, 0))
            group, size = [], 0
        kind, size = this, size + len(data)
        group.append(data)
    if group:
        made.append(Batch(kind, group, 0))
    left = len(found)
    counted = []
    for batch in made:
        left -= len(batch.items)
        counted.append(Batch(batch.kind, batch.items, left))
    return counted


# --- The new device -----------------------------------------------------------------------


def take_first_view(turn: Turn, given: Handover) -> None:
    """Believe it. Raises VerificationError, AlteredError when it does not hold together."""
    anchors.pin(turn.records.settings, given.config, given.policy)
    if given.accepted:
        try:
            checkpoint = _decode(given.accepted, CheckpointRecord)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise AlteredError("the checkpoint that was handed over is none") from None
        turn.records.directory.put_checkpoint(checkpoint, device_limits.KEPT_CHECKPOINTS)


def take(turn: Turn, batch: Batch) -> None:
    """Keep a batch. Raises AlteredError when an item is none; then the turn comes to nothing."""
    takers = {
        CHAIN: _take_chain,
        WAITING: _take_waiting,
        MAIL_KEY: _take_mail_key,
        COMPARED: _take_compared,
        CONTACT: _take_chain,
        HISTORY: _take_line,
    }
    taker = takers.get(batch.kind)
    if taker is None:
        return  # of a later version: what it is for is not here
    try:
        for data in batch.items:
            taker(turn, data)
    except _BAD_ITEM as error:
        raise AlteredError(f"what the other device handed over does not hold: {error}") from None


def _take_chain(turn: Turn, data: bytes) -> None:
    """A chain that this device knows further already stays as it is."""
    record = _decode(data, ChainRecord)
    known = turn.records.directory.chain(record.address)
    if known is None or not known.present or known.seq <= record.seq:
        turn.records.directory.put_chain(record)
        turn.chains.of(record.address)


def _take_waiting(turn: Turn, data: bytes) -> None:
    local_chain.put_waiting(turn.records.settings, [data], turn.now_ms)


def _take_mail_key(turn: Turn, data: bytes) -> None:
    record = _decode(data, MailKeyRecord)
    keys.keep(turn.records, Secret(record.secret), record.certificate, record.since_ms)


def _take_compared(turn: Turn, data: bytes) -> None:
    address, identity, at_ms = msgspec.msgpack.decode(data, type=tuple[str, bytes, int])
    verified.told(turn, address, identity, at_ms)


def _take_line(turn: Turn, data: bytes) -> None:
    line = _decode(data, HistoryRecord)
    if turn.records.history.known(line.message):
        return
    below = int.from_bytes(turn.records.settings.get(_BELOW) or b"", "big") + 1
    turn.records.settings.put(_BELOW, below.to_bytes(8, "big"))
    turn.records.history.add(replace(line, number=-below, shown=True))


# --- Records as bytes ---------------------------------------------------------------------


def _encode(record: Any) -> bytes:
    return msgspec.msgpack.encode(asdict(record))


def _decode(data: bytes, kind: type[Record]) -> Record:
    return msgspec.msgpack.decode(data, type=kind)


def count(found: Iterable[Item], kind: str) -> int:
    """How many items are of that kind."""
    return sum(each[0] == kind for each in found)
