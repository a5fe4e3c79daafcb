"""Verifies identity chains: only `replay` and `extend` make a `VerifiedChain`.

`identity.step` applies statements, `identity.resets` explains resets, `identity.signers` says who
must sign.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from blackthorn.errors import VerificationError
from blackthorn.identity.bodies import Body, DeviceInfo, SetCompatible, rules_of
from blackthorn.identity.keys import VerifyKeys
from blackthorn.identity.openpgp import Compatible, OpenPGP
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
"""Flag in the ledger's leaf: the chain ends in a reset."""


@dataclass(frozen=True, slots=True)
class UnverifiedChain:
    """Received statements of the requested user."""

    label: str
    statements: tuple[bytes, ...]


@dataclass(frozen=True)
class VerifiedChain:
    """A chain that keeps all rules, as of `now_ms`, the ledger's time (`Terms.now_ms`).

    `seq`, `head` and `flags` are those of the ledger's leaf; `flags` is PENDING_RESET while a reset
    is the last statement, even an effective one. `devices`, `openpgp`, `compatible`, `recovery` are
    the current ones, `pending` a pending reset, `recovered` live devices that the recovery key
    added, `resets` all resets. `genesis` and `last_reset` are hashes of the first statement and of
    the newest effective reset (empty without one).
    """

    label: str
    head: bytes
    seq: int
    flags: int
    devices: tuple[DeviceInfo, ...]
    former: tuple[FormerDevice, ...]
    openpgp: OpenPGP | None
    compatible: Compatible | None
    recovery: VerifyKeys | None
    pending: PendingReset | None
    resets: tuple[ResetRecord, ...]
    recovered: frozenset[DeviceId]
    statements: tuple[bytes, ...] = field(repr=False)
    now_ms: int
    genesis: bytes
    last_reset: bytes
    _state: State = field(repr=False)

    @property
    def min_rules(self) -> int:
        """The rules that the chain asks for, and so each further statement."""
        return self._state.min_rules

    def device(self, device_id: bytes) -> DeviceInfo | None:
        """A live device by id."""
        return next((device for device in self.devices if device.id == device_id), None)

    def hash_of(self, seq: int) -> bytes:
        """The hash of statement `seq`, from 1 to `self.seq`."""
        return self._state.hashes[seq - 1]

    def has_stated(self, fingerprint: str) -> bool:
        """Whether a statement names the certificate for other programs with this fingerprint.

        It may have been replaced or revoked since.
        """
        bodies = (decode(data).statement.body for data in self.statements)
        return any(
            isinstance(body, SetCompatible)
            and body.certificate is not None
            and body.certificate.fingerprint == fingerprint
            for body in bodies
        )


def replay(chain: UnverifiedChain, terms: Terms) -> VerifiedChain:
    """Verify from the first statement on. Raises `VerificationError`."""
    if not chain.statements:
        raise VerificationError("I12", "a chain has at least one statement")
    return _append(State(chain.label), (), chain.statements, terms)


def extend(verified: VerifiedChain, more: Sequence[bytes], terms: Terms) -> VerifiedChain:
    """Verify more statements, or the time alone, as `replay`. Raises `VerificationError`."""
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
        compatible=shown.compatible,
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
    """The chain if it begins with the accepted `seq` and `head`. Raises I18."""
    if not 1 <= seq <= chain.seq or chain.hash_of(seq) != head:
        raise VerificationError("I18", f"statement {seq} of the chain is not the one accepted")
    return chain


def live_device(chain: VerifiedChain, device_id: bytes, mls_key: bytes) -> DeviceInfo:
    """The live device with that 16-byte id and 32-byte MLS key.

    Raises `VerificationError`: I42 for an unknown device, I43 for another MLS key.
    """
    device = chain.device(device_id)
    if device is None:
        raise VerificationError("I42", f"device {device_id.hex()} is not live in its user's chain")
    if not hmac.compare_digest(device.mls_key, mls_key):
        raise VerificationError("I43", f"device {device_id.hex()} has another key in the chain")
    return device


def first_statement(label: str, body: Body, time_ms: int) -> Statement:
    """The draft of a genesis."""
    return Statement(label, 1, NO_STATEMENT, body, time_ms)


def next_statement(chain: VerifiedChain, body: Body, time_ms: int) -> Statement:
    """The draft of the next statement."""
    rules = max(chain.min_rules, rules_of(body))
    return Statement(chain.label, chain.seq + 1, chain.head, body, time_ms, rules)
