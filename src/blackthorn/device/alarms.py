"""Alarms: what must not be, in words, with evidence, and what stops until a person says go on.

An alarm is raised once for one fact. A *stop* about a person: nothing is sent to him; about the
ledger: no new contacts, no change of members. A *notice* stops nothing. Evidence is a file that
anyone can verify offline (`directory.evidence`).
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from blackthorn import limits
from blackthorn.device.anchors import records as anchor_records
from blackthorn.directory.verify import Evidence
from blackthorn.ports.device_store import AlarmRecord, Records

NO_EVIDENCE: Final = b""


class Effect(Enum):
    """What an alarm does until it is accepted."""

    STOP = "stops"
    NOTICE = "tells"


@dataclass(frozen=True, slots=True)
class Kind:
    """What an alarm of a code means, and its effect."""

    meaning: str
    effect: Effect


_STOP, _NOTICE = Effect.STOP, Effect.NOTICE

KINDS: Final[dict[str, Kind]] = {
    # --- About the ledger ---
    "split-view": Kind("Somebody was shown another ledger than this device", _STOP),
    "rollback": Kind("The server shows an older ledger than it did before", _STOP),
    "bad-epoch": Kind("The newest state of the ledger does not hold", _STOP),
    "unwitnessed": Kind("The ledger is shown without the witnesses that must have seen it", _STOP),
    "config-changed": Kind("The ledger is kept under another configuration than is trusted", _STOP),
    "bad-log": Kind("The entries of the ledger break its rules", _STOP),
    "withheld": Kind("The server withholds a newer ledger that others have seen", _STOP),
    # --- About a person ---
    "bad-answer": Kind("The server's answer about this person does not hold", _STOP),
    "vanished": Kind("The ledger had this person, and has him no more", _STOP),
    "swapped": Kind("This person's keys were changed and changed back", _STOP),
    "bad-chain": Kind("This person's identity chain breaks its rules", _STOP),
    "false-certificate": Kind("This person's mail certificate is not the one he stated", _STOP),
    "key-package-reuse": Kind("A key package of this person was handed out twice", _NOTICE),
    "reset-pending": Kind("This person's identity is to be reset", _NOTICE),
    "identity-reset": Kind("This person's identity was reset", _NOTICE),
    "verified-reset": Kind("The identity of a person whom you verified was reset", _STOP),
    # --- About one's own user ---
    "unknown-statement": Kind("The ledger has a statement of yours that is not yours", _STOP),
    "own-reset": Kind("Your identity is to be reset; any of your devices can cancel it", _NOTICE),
    "own-device": Kind("Another device of yours has changed your identity chain", _NOTICE),
    "not-published": Kind("Your own change is not in the ledger after a minute", _NOTICE),
}  # fmt: skip
"""Code → what it means and does. The list is closed."""

LEDGER: Final = ""
"""The address of alarms about the ledger itself."""


def raise_alarm(
    records: Records,
    code: str,
    address: str,
    text: str,
    now_ms: int,
    evidence: bytes = NO_EVIDENCE,
) -> bool:
    """Note an alarm, once for one fact; whether it is new. `address` is LEDGER or a person's."""
    known = [each for each in records.directory.alarms() if each.code == code]
    if any((each.address, each.text) == (address, text) for each in known):
        return False
    if len(known) >= limits.MAX_ALARMS_PER_CODE:
        return False
    kept = evidence if len(evidence) <= limits.MAX_EVIDENCE_BYTES else NO_EVIDENCE
    records.directory.add_alarm(AlarmRecord(code, address, text, now_ms, kept))
    return True


def evidence_of(
    records: Records, kind: str, fields: dict[str, bytes | int | str | list[bytes]]
) -> bytes:
    """The file of evidence of that kind, against the ledger that is pinned."""
    config, _ = anchor_records(records.settings)
    return Evidence(kind, config, fields).encode()


def open_alarms(records: Records) -> list[AlarmRecord]:
    """Those that no person has accepted, oldest first."""
    return [each for each in records.directory.alarms() if not each.accepted]


def stops(records: Records, addresses: set[str]) -> list[AlarmRecord]:
    """The open alarms that stop what is about to be done with these people, or the ledger."""
    return [
        each
        for each in open_alarms(records)
        if each.address in addresses and KINDS[each.code].effect is Effect.STOP
    ]
