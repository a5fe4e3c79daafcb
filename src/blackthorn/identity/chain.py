"""Verifies identity chains: from received statements to a `VerifiedChain`, or an error.

`replay` and `extend` are the only ways to a `VerifiedChain`. What each statement does stands in
`identity.step`, the theory of resets in `identity.resets`, who must sign in `identity.signers`.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from blackthorn.errors import VerificationError
from blackthorn.identity.bodies import Body, DeviceInfo
from blackthorn.identity.keys import VerifyKeys
from blackthorn.identity.openpgp import OpenPGP
from blackthorn.identity.resets import as_of
from blackthorn.identity.state import FormerDevice, State
from blackthorn.identity.state import PendingReset as PendingReset
from blackthorn.identity.state import ResetRecord as ResetRecord
from blackthorn.identity.state import Terms as Terms
from blackthorn.identity.statements import NO_STATEMENT, Statement, decode
from blackthorn.identity.step import step
from blackthorn.ids import DeviceId
from blackthorn.wire import limits

PENDING_RESET: Final = 1
"""Flag of a leaf in the ledger's map: the chain ends in a reset."""


@dataclass(frozen=True, slots=True)
class UnverifiedChain:
    """Statements as they came, of the user who was asked for."""

    label: str
    statements: tuple[bytes, ...]


@dataclass(frozen=True)
class VerifiedChain:
    """A chain all of whose rules hold, as of `now_ms`, the ledger's time (`Terms.now_ms`).

    `seq`, `head` and `flags` are what the ledger's leaf must say; `flags` is PENDING_RESET while
    a reset is the last statement, even when it has become effective since. `devices`, `openpgp`
    and `recovery` are those that count now; `pending` is a reset that still waits; `recovered`
    are the live devices that the recovery key added; `resets` are all there ever were.
    `genesis` is the hash of the first statement, `last_reset` that of the newest effective
    reset, empty when there is none.
    """

    label: str
    head: bytes
    seq: int
    flags: int
    devices: tuple[DeviceInfo, ...]
    former: tuple[FormerDevice, ...]
    openpgp: OpenPGP | None
    recovery: VerifyKeys | None
    pending: PendingReset | None
    resets: tuple[ResetRecord, ...]
    recovered: frozenset[DeviceId]
    statements: tuple[bytes, ...] = field(repr=False)
    now_ms: int
    genesis: bytes
    last_reset: bytes
    _state: State = field(repr=False)

    def device(self, device_id: bytes) -> DeviceInfo | None:
        """The live device of that id."""
        return next((device for device in self.devices if device.id == device_id), None)

    def hash_of(self, seq: int) -> bytes:
        """The hash of statement `seq`, from 1 to `self.seq`."""
        return self._state.hashes[seq - 1]


def replay(chain: UnverifiedChain, terms: Terms) -> VerifiedChain:
    """The chain from its first statement on. Raises `VerificationError` with the rule it breaks."""
    if not chain.statements:
        raise VerificationError("I12", "a chain has at least one statement")
    return _append(State(chain.label), (), chain.statements, terms)


def extend(verified: VerifiedChain, more: Sequence[bytes], terms: Terms) -> VerifiedChain:
    """The chain with more statements, or with none as of another time: what `replay` would give.

    Raises `VerificationError` with the rule it breaks.
    """
    for seq, moment in verified._state.logged.items():
        if terms.logged.get(seq, moment) != moment:
            raise VerificationError("I33", f"statement {seq} was logged at another time")
    return _append(verified._state, verified.statements, more, terms)


def _append(
    state: State, before: tuple[bytes, ...], more: Sequence[bytes], terms: Terms
) -> VerifiedChain:
    if len(before) + len(more) > limits.MAX_CHAIN_STATEMENTS:
        raise VerificationError("I12", f"a chain has {len(before) + len(more)} statements")
    for data in more:
        state = step(state, decode(data), terms)
    return _verified(state, (*before, *more), terms.now_ms)


def _verified(state: State, statements: tuple[bytes, ...], now_ms: int) -> VerifiedChain:
    shown = as_of(state, now_ms)
    effective = [reset.seq for reset in shown.resets if reset.effective]
    return VerifiedChain(
        label=state.label,
        head=state.head,
        seq=state.seq,
        flags=PENDING_RESET if state.waiting is not None else 0,
        devices=tuple(shown.devices.values()),
        former=shown.former,
        openpgp=shown.openpgp,
        recovery=shown.recovery,
        pending=shown.waiting,
        resets=shown.resets,
        recovered=shown.recovered,
        statements=statements,
        now_ms=now_ms,
        genesis=state.hashes[0],
        last_reset=state.hashes[effective[-1] - 1] if effective else b"",
        _state=state,
    )


def verify_extension(chain: VerifiedChain, seq: int, head: bytes) -> VerifiedChain:
    """The chain, if the one that was accepted before, up to `seq` with `head`, begins it.

    Raises `VerificationError` (I18) otherwise.
    """
    if not 1 <= seq <= chain.seq or chain.hash_of(seq) != head:
        raise VerificationError("I18", f"statement {seq} of the chain is not the one accepted")
    return chain


def live_device(chain: VerifiedChain, device_id: bytes, mls_key: bytes) -> DeviceInfo:
    """The device of the leaf with that 16-byte id and 32-byte signature key.

    Raises `VerificationError`: I42 when the chain has no such live device, I43 when it has it
    with another MLS key.
    """
    device = chain.device(device_id)
    if device is None:
        raise VerificationError("I42", f"device {device_id.hex()} is not live in its user's chain")
    if not hmac.compare_digest(device.mls_key, mls_key):
        raise VerificationError("I43", f"device {device_id.hex()} has another key in the chain")
    return device


def first_statement(label: str, body: Body, time_ms: int) -> Statement:
    """The draft of a chain's first statement; `body` is a genesis."""
    return Statement(label, 1, NO_STATEMENT, body, time_ms)


def next_statement(chain: VerifiedChain, body: Body, time_ms: int) -> Statement:
    """The draft of the statement that comes next."""
    return Statement(chain.label, chain.seq + 1, chain.head, body, time_ms, chain._state.min_rules)
