"""The own user's entry in the ledger: does it say what his devices know?

A change of one's own waits to be published; it must show within a minute. A statement that no
live device of the user signed is refused with the chain (`directory.accept_chain`); what stands
here is whether this device is in the chain, and whether what it has stated is.
"""

from typing import Final

import msgspec
from msgspec import Struct

from blackthorn import limits
from blackthorn.device.alarms import raise_alarm
from blackthorn.device.turn import Turn
from blackthorn.directory.verify import Absent, Present
from blackthorn.identity.chain import VerifiedChain

_WAITING: Final = "own-change"


class OwnChange(Struct, frozen=True):
    """The newest statement of this device, by its hash, until the ledger shows it."""

    head: bytes
    since_ms: int


def own_chain(turn: Turn) -> VerifiedChain | None:
    """The user's own chain as it was last verified, or None before the first look."""
    return turn.chains.of(turn.me.address)


def stated(turn: Turn, head: bytes) -> None:
    """This device has submitted the statement of that hash, and the server has accepted it."""
    change = OwnChange(head, turn.now_ms)
    turn.records.settings.put(_WAITING, msgspec.msgpack.encode(change))


def waiting(turn: Turn) -> OwnChange | None:
    """The own change that the ledger has not shown yet."""
    data = turn.records.settings.get(_WAITING)
    return msgspec.msgpack.decode(data, type=OwnChange) if data else None


def check(turn: Turn, found: Present | Absent) -> bool:
    """Compare the ledger with what this device knows; whether nothing is waited for.

    Raises an alarm when an own change is not published in time, or when the ledger has a chain
    for this user in which this device never was.
    """
    chain = own_chain(turn)
    change = waiting(turn)
    if change is not None and chain is not None and _has(chain, change.head):
        turn.records.settings.put(_WAITING, b"")
        change = None
    if change is not None:
        if turn.now_ms - change.since_ms > limits.OWN_CHANGE_SECONDS * 1000:
            text = "the server has taken a change of yours and has not entered it in the ledger"
            raise_alarm(turn.records, "not-published", turn.me.address, text, turn.now_ms)
        return False
    if isinstance(found, Absent):
        return True
    if chain is not None and not _ever_had(chain, turn):
        text = "the ledger has an identity of yours of which this device is no part"
        raise_alarm(turn.records, "unknown-statement", turn.me.address, text, turn.now_ms)
    return True


def _has(chain: VerifiedChain, head: bytes) -> bool:
    return any(chain.hash_of(seq) == head for seq in range(1, chain.seq + 1))


def _ever_had(chain: VerifiedChain, turn: Turn) -> bool:
    """Whether this device is, was, or waits to be one of the user's."""
    mine = turn.me.device
    if chain.device(mine) is not None or any(each.device.id == mine for each in chain.former):
        return True
    if chain.pending is not None and chain.pending.device.id == mine:
        return True
    return any(each.cancelled_seq is not None for each in chain.resets)


def standing(turn: Turn) -> str:
    """What this device is in its user's chain: live, pending, revoked or unknown."""
    chain = own_chain(turn)
    if chain is None:
        return "unknown"
    if chain.device(turn.me.device) is not None:
        return "live"
    if chain.pending is not None and chain.pending.device.id == turn.me.device:
        return "pending"
    return "revoked" if _ever_had(chain, turn) else "unknown"
