"""The state of a chain after some statements, and the terms of verification. Immutable.

It follows from statements, the logging times of resets and cancels, and the time of the question.
Claimed times (`time_ms`) decide nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from blackthorn.identity.bodies import DeviceInfo
from blackthorn.identity.keys import VerifyKeys
from blackthorn.identity.openpgp import Compatible, OpenPGP
from blackthorn.identity.statements import NO_STATEMENT
from blackthorn.ids import DeviceId


@dataclass(frozen=True)
class Terms:
    """Terms of verifying a chain. Times are Unix milliseconds.

    `enrolment` and `reset_delay_ms` are from the ledger's configuration. `now_ms` is the ledger's
    time of the looked-up epoch, so that all readers of an epoch see the same chain; verifying the
    epoch compares it with the local clock. `logged` has the verified logging times of resets and
    cancels, by seq. `two_to_revoke`, for the whole chain, makes a revocation need two devices where
    three could sign.
    """

    enrolment: VerifyKeys
    reset_delay_ms: int
    now_ms: int
    logged: Mapping[int, int] = field(default_factory=dict)
    two_to_revoke: bool = False


@dataclass(frozen=True, slots=True)
class FormerDevice:
    """A device removed by the statement `seq`."""

    device: DeviceInfo
    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class PendingReset:
    """The reset at `seq`, effective at `effective_ms` unless a device cancels it."""

    seq: int
    device: DeviceInfo
    logged_ms: int
    effective_ms: int


@dataclass(frozen=True, slots=True)
class ResetRecord:
    """A reset: pending, effective, or cancelled by `cancelled_seq`."""

    seq: int
    logged_ms: int
    effective_ms: int
    effective: bool = False
    cancelled_seq: int | None = None


@dataclass(frozen=True)
class State:
    """A chain after its statement `seq`; `devices` in order of arrival."""

    label: str
    seq: int = 0
    head: bytes = NO_STATEMENT
    min_rules: int = 1
    devices: Mapping[DeviceId, DeviceInfo] = field(default_factory=dict)
    former: tuple[FormerDevice, ...] = ()
    recovered: frozenset[DeviceId] = frozenset()
    seen: frozenset[bytes] = frozenset()
    openpgp: OpenPGP | None = None
    compatible: Compatible | None = None
    recovery: VerifyKeys | None = None
    waiting: PendingReset | None = None
    resets: tuple[ResetRecord, ...] = ()
    logged: Mapping[int, int] = field(default_factory=dict)
    hashes: tuple[bytes, ...] = ()

    @property
    def last_logged_ms(self) -> int:
        """Of the last reset or cancel; 0 without one."""
        return max(self.logged.values(), default=0)

    @property
    def personal(self) -> int:
        """The number of live personal devices."""
        return sum(device.personal for device in self.devices.values())
