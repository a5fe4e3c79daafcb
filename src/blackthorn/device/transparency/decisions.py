"""The officers' decisions, replayed from the first and verified on this device.

The device stores the number of decisions seen and a hash over them, so that a server cannot later
withhold or change them unnoticed.
"""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from msgspec import Struct

from blackthorn.errors import DamageError, SecurityError, VerificationError
from blackthorn.governance import officers, statements
from blackthorn.governance.cases import Cases
from blackthorn.governance.officers import Officer
from blackthorn.governance.statements import Signed
from blackthorn.identity.keys import VerifyKeys
from blackthorn.link.frames.decisions import Decision
from blackthorn.ports.device_store import Settings

_SEEN: Final = "office-seen"
_DOMAIN: Final = b"blackthorn-office-seen-v1\0"


class DecisionDigest(Struct, frozen=True):
    """The number of decisions seen, and the 32-byte hash over all of them."""

    count: int = 0
    digest: bytes = bytes(32)

    def after(self, decision: Decision) -> "DecisionDigest":
        """The digest after one more decision, its number and time included."""
        head = struct.pack(">QQ", decision.number, decision.logged_ms)
        digest = hashlib.sha256(_DOMAIN + self.digest + head + decision.signed).digest()
        return DecisionDigest(self.count + 1, digest)


@dataclass(frozen=True, slots=True)
class PendingDecision:
    """A decision without all approvals. `private` is {} when there is none or it is not shown."""

    signed: Signed
    kept: bytes
    private: dict[str, Any]
    since_ms: int


@dataclass
class VerifiedDecisions:
    """All decisions and pending ones, verified.

    `private`: opened private parts by (case, step number). `log_ms`: the ledger's time as the
    server reports it, Unix milliseconds, 0 without one. `now_ms`: the same as this device has
    verified it; what it signs is dated so, whatever its clock says.
    """

    cases: Cases = field(default_factory=Cases)
    private: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    waiting: dict[str, PendingDecision] = field(default_factory=dict)
    founders: tuple[str, ...] = ()
    log_ms: int = 0
    now_ms: int = 0
    seen: DecisionDigest = field(default_factory=DecisionDigest)

    def officer_with(self, keys: VerifyKeys) -> Officer | None:
        found = (officer for officer in self.cases.officers.values() if officer.keys == keys)
        return next(found, None)

    @property
    def addresses(self) -> dict[str, str]:
        """Officer's id → address, for the appointments shown to this device."""
        found: dict[str, str] = {}
        for step in self.cases.case(officers.CASE).history:
            private = self.private.get((officers.CASE, step.seq), {})
            for suffix in ("", "_2"):
                if f"address{suffix}" in private and f"officer{suffix}" in step.public:
                    found[step.public[f"officer{suffix}"]] = private[f"address{suffix}"]
        return found


def replay(
    decisions: Iterable[Decision],
    pending: Iterable[Decision],
    settings: Settings,
    *,
    founders: Iterable[str] = (),
    log_ms: int = 0,
    now_ms: int = 0,
) -> VerifiedDecisions:
    """Replay all decisions; the digest of those seen is stored in `settings`.

    Raises SecurityError when known decisions were changed or withheld, VerificationError when one
    breaks a rule.
    """
    verified = VerifiedDecisions(founders=tuple(founders), log_ms=log_ms, now_ms=now_ms)
    known, last = _seen(settings), 0
    for decision in decisions:
        if decision.number <= last:
            raise SecurityError("the server shows its decisions out of their order")
        last = decision.number
        signed = statements.decode(decision.signed)
        _take(verified, signed, decision)
        verified.seen = verified.seen.after(decision)
        if verified.seen.count == known.count and verified.seen != known:
            raise SecurityError(
                f"the server shows another history: the first {known.count} decisions differ from "
                "those known to this device. Nothing was signed; tell the other officers"
            )
    if verified.seen.count < known.count:
        raise SecurityError(
            f"the server shows an earlier history: {verified.seen.count} decisions, but this "
            f"device knows {known.count}. Nothing was signed; tell the other officers"
        )
    for decision in pending:
        _wait(verified, decision)
    if verified.seen.count > known.count:
        settings.put(_SEEN, msgspec.msgpack.encode(verified.seen))
    return verified


def _take(verified: VerifiedDecisions, signed: Signed, decision: Decision) -> None:
    statement = signed.statement
    verified.cases.take(signed, decision.logged_ms)
    if decision.private:
        opened = statements.open_private(statement, decision.private)
        verified.private[statement.case, statement.seq] = opened


def _wait(verified: VerifiedDecisions, decision: Decision) -> None:
    """Add a pending decision; skip it when its case has moved on."""
    signed = statements.decode(decision.signed)
    statement = signed.statement
    if statement.seq != verified.cases.case(statement.case).seq + 1:
        return
    private = statements.open_private(statement, decision.private) if decision.private else {}
    if statement.case in verified.waiting:
        raise VerificationError("G2", f"two decisions wait in {statement.case}")
    verified.waiting[statement.case] = PendingDecision(
        signed, decision.private, private, decision.logged_ms or signed.at_ms
    )


def _seen(settings: Settings) -> DecisionDigest:
    data = settings.get(_SEEN)
    if not data:
        return DecisionDigest()
    try:
        return msgspec.msgpack.decode(data, type=DecisionDigest)
    except msgspec.DecodeError:
        raise DamageError("the stored digest of the decisions is damaged") from None
