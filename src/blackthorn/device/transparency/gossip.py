"""Gossip: each message carries the newest accepted checkpoint, as MLS authenticated data.

    01 ‖ size u64 ‖ root[32]                     in every message
    02 ‖ size u64 ‖ root[32] ‖ signed note       for a day after a conflict in a conversation

The envelope encrypts it, so the server cannot read or remove it. A device that gets a conflicting
note sends its own back, so that both sides have both. Checkpoints of other sizes wait until the
server has proved that one tree is a prefix of the other.
"""

from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.core import anchors
from blackthorn.device.transparency import limits
from blackthorn.device.transparency.alarms import LEDGER, Fields, evidence_of, raise_alarm
from blackthorn.directory.verify import Gossip, decode_gossip
from blackthorn.errors import VerificationError
from blackthorn.ports.device_store import CheckpointRecord, Records
from blackthorn.tlog.verify import open_checkpoint, verify_consistency

_PLAIN, _WITH_NOTE = b"\x01", b"\x02"
_WAITING: Final = "gossip"
_DISPUTES: Final = "gossip-disputes"
_NO_SIZE: Final = 2**63
_EACH: Final = 4
"""Pending checkpoints of one person: the first ones, and the newest."""
DAY_MS: Final = 24 * 3600 * 1000
WITHHELD_MS: Final = 3600 * 1000
"""Time after which a server that does not show a peer's larger ledger withholds it."""


class PeerCheckpoint(Struct, frozen=True):
    """A checkpoint accepted by a peer's device, and when it first came here."""

    sender: str
    conversation: bytes
    size: int
    root: bytes
    note: bytes
    heard_ms: int


def outgoing(records: Records, conversation: bytes, now_ms: int) -> bytes:
    """The authenticated data of a message; empty before the first checkpoint."""
    newest = records.directory.newest()
    if newest is None:
        return b""
    own = Gossip(newest.size, newest.root).encode()
    if abs(now_ms - _disputes(records).get(conversation.hex(), -DAY_MS)) < DAY_MS:
        return _WITH_NOTE + own + newest.note
    return _PLAIN + own


def receive(records: Records, conversation: bytes, sender: str, data: bytes, now_ms: int) -> None:
    """Compare a peer's checkpoint now, or store it for later. Invalid gossip is ignored."""
    if data[:1] not in (_PLAIN, _WITH_NOTE):
        return
    try:
        peer = decode_gossip(data[1:41])
    except VerificationError:
        return
    if not 0 < peer.size < _NO_SIZE:
        return
    one = PeerCheckpoint(sender, conversation, peer.size, peer.root, data[41:], now_ms)
    own = records.directory.checkpoint(peer.size)
    if own is not None and own.root == peer.root:
        return
    if one.note:
        _dispute(records, conversation, now_ms)
    if own is not None:
        conflict(records, one, own, [], now_ms)
        return
    _put(records, _with(pending(records), one))


def _with(waiting: list[PeerCheckpoint], one: PeerCheckpoint) -> list[PeerCheckpoint]:
    """Add a pending checkpoint; a known one keeps its first time.

    Each sender has its own limit, so that nobody can crowd out others.
    """
    for place, other in enumerate(waiting):
        if (other.size, other.root) == (one.size, one.root):
            if one.note and not other.note:
                waiting[place] = msgspec.structs.replace(other, note=one.note)
            return waiting
    mine = [other for other in waiting if other.sender == one.sender]
    if len(mine) >= _EACH:
        waiting.remove(mine[-1])
    return [*waiting, one][-limits.MAX_WAITING_GOSSIP :]


def conflict(
    records: Records, peer: PeerCheckpoint, own: CheckpointRecord, proof: list[bytes], now_ms: int
) -> None:
    """Raise the split-view alarm, with both notes as evidence if the peer sent one."""
    _dispute(records, peer.conversation, now_ms)
    settle(records, peer)
    evidence = _evidence(records, peer, own, proof)
    proved = "; both signed notes are kept" if evidence else ""
    text = (
        f"{peer.sender} has seen a ledger of {peer.size} entries that does not agree with this "
        f"device's of {own.size}{proved}"
    )
    raise_alarm(records, "split-view", LEDGER, text, now_ms, evidence, fact=peer.sender)


def _evidence(
    records: Records, peer: PeerCheckpoint, own: CheckpointRecord, proof: list[bytes]
) -> bytes:
    if not peer.note:
        return b""
    try:
        other, _ = open_checkpoint(peer.note, anchors.pinned(records.settings).policy.log)
    except VerificationError:
        return b""
    if (other.size, other.root) != (peer.size, peer.root):
        return b""
    if other.size == own.size:
        return evidence_of(records, "fork", {"first": own.note, "second": peer.note})
    fields: Fields = {"first": own.note, "second": peer.note, "proof": proof}
    return evidence_of(records, "inconsistent", fields)


def pending(records: Records) -> list[PeerCheckpoint]:
    """Peers' checkpoints not compared yet, oldest first."""
    data = records.settings.get(_WAITING)
    return msgspec.msgpack.decode(data, type=list[PeerCheckpoint]) if data else []


def settle(records: Records, peer: PeerCheckpoint) -> None:
    kept = [
        other for other in pending(records) if (other.size, other.root) != (peer.size, peer.root)
    ]
    _put(records, kept)


def _put(records: Records, waiting: list[PeerCheckpoint]) -> None:
    records.settings.put(_WAITING, msgspec.msgpack.encode(waiting))


def _dispute(records: Records, conversation: bytes, now_ms: int) -> None:
    """Attach the own signed note to this conversation's messages for a day."""
    disputes = {
        place: since_ms
        for place, since_ms in _disputes(records).items()
        if abs(now_ms - since_ms) < DAY_MS
    }
    disputes[conversation.hex()] = now_ms
    records.settings.put(_DISPUTES, msgspec.msgpack.encode(disputes))


def _disputes(records: Records) -> dict[str, int]:
    data = records.settings.get(_DISPUTES)
    return msgspec.msgpack.decode(data, type=dict[str, int]) if data else {}


def to_prove(records: Records) -> tuple[PeerCheckpoint, CheckpointRecord] | None:
    """The oldest pending checkpoint smaller than the own one, which is to be proved its prefix."""
    waiting = pending(records)
    own = records.directory.newest() if waiting else None
    if own is None:
        return None
    return next(((peer, own) for peer in waiting if peer.size < own.size), None)


def awaits_larger(records: Records) -> bool:
    waiting = pending(records)
    newest = records.directory.newest() if waiting else None
    size = newest.size if newest is not None else 0
    return any(peer.size > size for peer in waiting)


def compare(
    records: Records, peer: PeerCheckpoint, own: CheckpointRecord, proof: list[bytes], now_ms: int
) -> None:
    """Verify the server's proof that a peer's checkpoint is a prefix of this device's."""
    try:
        verify_consistency(peer.size, peer.root, own.size, own.root, proof)
    except VerificationError:
        conflict(records, peer, own, proof, now_ms)
        return
    settle(records, peer)


def check_withheld(records: Records, now_ms: int) -> None:
    """Raise the alarm when the server has withheld a larger ledger for too long."""
    newest = records.directory.newest()
    for peer in pending(records):
        if newest is None or peer.size <= newest.size or now_ms - peer.heard_ms < WITHHELD_MS:
            continue
        text = (
            f"{peer.sender} has seen a ledger of {peer.size} entries; for an hour the server has "
            f"shown {newest.size}"
        )
        raise_alarm(records, "withheld", LEDGER, text, now_ms, fact=peer.sender)
        settle(records, peer)
