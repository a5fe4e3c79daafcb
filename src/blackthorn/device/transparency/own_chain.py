"""Compare the own user's entry in the ledger with this device's knowledge.

Publication of an own change is counted in epochs, because witnesses may delay it: the epoch under
way may miss it, later ones may not.
"""

from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.transparency import limits
from blackthorn.device.transparency.alarms import evidence_of, raise_alarm
from blackthorn.device.transparency.ledger_state import AcceptedEpoch, answer_fields
from blackthorn.directory.verify import Absent, Present
from blackthorn.identity.chain import VerifiedChain
from blackthorn.identity.statements import Reset, decode
from blackthorn.link import frames as f
from blackthorn.ports.device_store import Settings

_WAITING: Final = "own-change"

SPARE_EPOCHS: Final = 2
"""Epochs that may miss an own change: one under way, one seen elsewhere."""


class OwnChange(Struct, frozen=True):
    """This device's newest statement, by its hash, until the ledger shows it.

    `until_epoch` is the last epoch that may miss it, 0 before the first check.
    """

    head: bytes
    since_ms: int
    seq: int = 0
    until_epoch: int = 0


def stated(settings: Settings, head: bytes, now_ms: int, seq: int = 0) -> None:
    """Record that the server accepted, or is to accept, the statement with this hash."""
    _put(settings, OwnChange(head, now_ms, seq))


def waiting(unit: UnitOfWork) -> OwnChange | None:
    """The own change that the ledger does not show yet."""
    data = unit.records.settings.get(_WAITING)
    return msgspec.msgpack.decode(data, type=OwnChange) if data else None


def is_recent(unit: UnitOfWork) -> bool:
    """Whether an own change was stated within the last minute."""
    change = waiting(unit)
    return change is not None and (
        0 <= unit.now_ms - change.since_ms <= limits.OWN_CHANGE_SECONDS * 1000
    )


def _put(settings: Settings, change: OwnChange) -> None:
    settings.put(_WAITING, msgspec.msgpack.encode(change))


def check(
    unit: UnitOfWork,
    answer: f.Answer,
    found: Present | Absent,
    latest: AcceptedEpoch,
    stored: VerifiedChain | None,
) -> bool:
    """Compare the ledger with this device's knowledge; whether no own change is pending.

    `stored` is the own chain from `local_chain.own`. Raises an alarm when the ledger omits an own
    change, or has a chain of this user that never contained this device.
    """
    chain, change = unit.chains.of(unit.me.address), waiting(unit)
    hashes = {chain.hash_of(seq) for seq in range(1, chain.seq + 1)} if chain is not None else ()
    if change is not None and change.head in hashes:
        unit.records.settings.put(_WAITING, b"")
        change = None
    if change is not None:
        _check_published(unit, change, chain, latest.epoch.head.epoch)
        return False
    known = stored if stored is not None else chain
    if isinstance(found, Present) and known is not None and not _ever_had(known, unit):
        text = "the ledger has an identity of yours of which this device is no part"
        fields = latest.fields() | answer_fields(answer) | {"own_head": b"", "own_seq": 0}
        evidence = evidence_of(unit.records, "unknown-statement", fields)
        raise_alarm(unit.records, "unknown-statement", unit.me.address, text, unit.now_ms, evidence)
    return True


def _check_published(
    unit: UnitOfWork, change: OwnChange, chain: VerifiedChain | None, epoch: int
) -> None:
    """Raise an alarm when the ledger goes on without the change."""
    if not change.until_epoch:
        before = chain.seq if chain is not None else 0
        ahead = max(change.seq - before, 1)  # a reset or a cancel ends its epoch
        until_epoch = epoch + ahead + SPARE_EPOCHS - 1
        _put(unit.records.settings, msgspec.structs.replace(change, until_epoch=until_epoch))
    elif epoch > change.until_epoch:
        text = "the server has taken a change of yours, and the ledger has gone on without it"
        raise_alarm(unit.records, "not-published", unit.me.address, text, unit.now_ms)


def _ever_had(chain: VerifiedChain, unit: UnitOfWork) -> bool:
    """Whether this device is, was or is asked to be one of the user's devices."""
    mine = unit.me.device
    if chain.device(mine) is not None or any(device.device.id == mine for device in chain.former):
        return True
    if chain.pending is not None and chain.pending.device.id == mine:
        return True
    asked = (decode(chain.statements[reset.seq - 1]).statement.body for reset in chain.resets)
    return any(isinstance(body, Reset) and body.device.id == mine for body in asked)


def standing(unit: UnitOfWork) -> str:
    """This device's state in its user's chain: live, pending, revoked or unknown."""
    chain = unit.chains.of(unit.me.address)
    if chain is None:
        return "unknown"
    if chain.device(unit.me.device) is not None:
        return "live"
    if chain.pending is not None and chain.pending.device.id == unit.me.device:
        return "pending"
    return "revoked" if _ever_had(chain, unit) else "unknown"
