"""The state of a chain after some of its statements, and the terms on which it is judged.

The state follows from the statements, from the times at which the ledger logged resets and
cancels, and from the time as of which one asks. Claimed times (`time_ms`) decide nothing.
States do not change: `identity.step` makes the next one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from blackthorn.identity.bodies import DeviceInfo
from blackthorn.identity.keys import VerifyKeys
from blackthorn.identity.openpgp import OpenPGP
from blackthorn.identity.statements import NO_STATEMENT
from blackthorn.ids import DeviceId


@dataclass(frozen=True)
class Terms:
    """On what terms a chain is judged.

    `enrolment` and `reset_delay_ms` are the enterprise's, from the ledger's configuration.
    `now_ms` is the ledger's time of the epoch in which the chain was looked up, not a local clock:
    a cancel that this epoch does not know yet can then only be logged later, and all who see one
    epoch see one chain. Who verifies the epoch compares its time with their clock. `logged` has the
    time at which the ledger logged each reset and cancel, by seq, from verified receipts. All times
    in Unix milliseconds. With `two_to_revoke` a revocation needs two devices where three could
    sign; it must stand for the whole chain.
    """

    enrolment: VerifyKeys
    reset_delay_ms: int
    now_ms: int
    logged: Mapping[int, int] = field(default_factory=dict)
    two_to_revoke: bool = False


@dataclass(frozen=True, slots=True)
class FormerDevice:
    """A device that is no more the user's, since the statement `seq`."""

    device: DeviceInfo
    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class PendingReset:
    """The reset at `seq`, and when it becomes effective unless a device cancels it."""

    seq: int
    device: DeviceInfo
    logged_ms: int
    effective_ms: int


@dataclass(frozen=True, slots=True)
class ResetRecord:
    """A reset that the chain holds: waiting, effective, or cancelled by `cancelled_seq`."""

    seq: int
    logged_ms: int
    effective_ms: int
    effective: bool = False
    cancelled_seq: int | None = None


@dataclass(frozen=True)
class State:
    """A chain after its statement `seq`; `devices` in the order in which they came."""

    label: str
    seq: int = 0
    head: bytes = NO_STATEMENT
    min_rules: int = 1
    devices: Mapping[DeviceId, DeviceInfo] = field(default_factory=dict)
    former: tuple[FormerDevice, ...] = ()
    recovered: frozenset[DeviceId] = frozenset()
    seen: frozenset[bytes] = frozenset()
    openpgp: OpenPGP | None = None
    recovery: VerifyKeys | None = None
    waiting: PendingReset | None = None
    resets: tuple[ResetRecord, ...] = ()
    logged: Mapping[int, int] = field(default_factory=dict)
    hashes: tuple[bytes, ...] = ()

    @property
    def last_logged_ms(self) -> int:
        """When the ledger logged the last reset or cancel; 0 when there is none."""
        return max(self.logged.values(), default=0)

    @property
    def personal(self) -> int:
        """How many live devices act for the user."""
        return sum(device.personal for device in self.devices.values())
