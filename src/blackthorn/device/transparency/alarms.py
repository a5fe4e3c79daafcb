"""Alarms: violations with evidence, and the operations blocked until the user accepts them.

An alarm is raised once for a fact, and again after a day if it persists. It ends with its cause,
such as a reset that was cancelled; the list keeps it with the date. A *stop* about a person
blocks sending to them; about the ledger or the own user, it blocks new contacts and new members.
Removals, revocations and cancels are never blocked. A *notice* blocks nothing. Anyone can verify
evidence offline (`directory.evidence.file`).
"""

from collections.abc import Set
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from blackthorn.device.core.anchors import records as anchor_records
from blackthorn.device.transparency import limits
from blackthorn.device.transparency.evidence import proves
from blackthorn.directory.verify import Evidence
from blackthorn.errors import UserError, VerificationError
from blackthorn.ports.device_store import AlarmRecord, Records

Fields = dict[str, bytes | int | str | list[bytes]]
"""Named fields of a file of evidence."""

NO_EVIDENCE: Final = b""
AGAIN_MS: Final = 24 * 3600 * 1000
"""Least time before an accepted alarm is raised again for the same fact."""


class Effect(Enum):
    """The effect of an alarm until it is accepted."""

    STOP = "stops"
    GROUPS = "stops in groups"
    NOTICE = "tells"


class Scope(Enum):
    """The subject of an alarm."""

    LEDGER = "the ledger"
    PERSON = "a person"
    OWN = "one's own user"


@dataclass(frozen=True, slots=True)
class Kind:
    """The meaning, effect and subject of an alarm code."""

    meaning: str
    effect: Effect
    scope: Scope


_STOP, _GROUPS, _NOTICE = Effect.STOP, Effect.GROUPS, Effect.NOTICE
_LEDGER, _PERSON, _OWN = Scope.LEDGER, Scope.PERSON, Scope.OWN

KINDS: Final[dict[str, Kind]] = {
    "split-view": Kind("Somebody was shown another ledger than this device", _STOP, _LEDGER),
    "rollback": Kind("The server shows an older ledger than it did before", _STOP, _LEDGER),
    "bad-epoch": Kind("The newest state of the ledger does not hold", _STOP, _LEDGER),
    "unwitnessed": Kind("The ledger is shown without the witnesses that it needs", _STOP, _LEDGER),
    "config-changed": Kind("The ledger is kept under other terms than trusted", _STOP, _LEDGER),
    "bad-log": Kind("The entries of the ledger break its rules", _STOP, _LEDGER),
    "withheld": Kind("The server withholds a newer ledger that others have seen", _STOP, _LEDGER),

    "bad-answer": Kind("The server's answer about this person does not hold", _STOP, _PERSON),
    "denied": Kind("The server says nothing of a person whom the ledger had", _STOP, _PERSON),
    "vanished": Kind("The ledger had this person, and has another state or none", _STOP, _PERSON),
    "swapped": Kind("This person's keys were changed and changed back", _STOP, _PERSON),
    "bad-chain": Kind("This person's identity chain breaks its rules", _STOP, _PERSON),
    "false-certificate": Kind("This person's mail key is not the one they stated", _STOP, _PERSON),
    "verified-reset": Kind("A person whom you compared has a new identity", _STOP, _PERSON),
    "identity-reset": Kind("This person has a new identity", _GROUPS, _PERSON),
    "reset-pending": Kind("A new identity was asked for, for this person", _NOTICE, _PERSON),
    "key-package-reuse": Kind("A key package was handed out twice", _NOTICE, _PERSON),

    "revoked-device-active": Kind("A revoked device of this person sends texts", _NOTICE, _PERSON),

    "unknown-statement": Kind("The ledger says of you what you have not said", _STOP, _OWN),
    "own-reset": Kind("A new identity was asked for, for you", _NOTICE, _OWN),
    "copy": Kind("Another copy of this device was used", _NOTICE, _OWN),
    "clone": Kind("Two copies of this device are in use", _STOP, _OWN),
    "false-hello": Kind("The server shows a connection that was not this device's", _NOTICE, _OWN),
    "set-back": Kind("The server was set back to an older state", _NOTICE, _OWN),
    "overrun": Kind("The server sends more than it may, or against its own word", _NOTICE, _OWN),
    "forked": Kind("Members of a group follow two branches of it", _NOTICE, _OWN),
    "own-device": Kind("Your devices have changed", _NOTICE, _OWN),
    "not-published": Kind("Your own change is not in the ledger after a minute", _NOTICE, _OWN),
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
    fact: str = "",
) -> bool:
    """Store an alarm; whether it is new. `address` is LEDGER or a person's.

    `fact` identifies repeated alarms, by default the text. A known alarm without evidence takes
    over the new evidence.
    """
    fact = fact or text
    known = [alarm for alarm in records.directory.alarms() if alarm.code == code]
    same = [alarm for alarm in known if (alarm.address, alarm.fact) == (address, fact)]
    if same:
        last = same[-1]
        if evidence and not last.evidence:
            records.directory.update_alarm(replace(last, text=text, evidence=evidence))
        if last.is_open or (last.accepted and now_ms - last.at_ms < AGAIN_MS):
            return False
    if len(known) >= limits.MAX_ALARMS_PER_CODE:
        return False
    records.directory.add_alarm(AlarmRecord(code, address, text, now_ms, evidence, fact=fact))
    return True


def evidence_of(records: Records, kind: str, fields: Fields) -> bytes:
    """A file of evidence against the pinned ledger; empty when it proves nothing."""
    config, _ = anchor_records(records.settings)
    evidence = Evidence(kind, config, fields).encode()
    try:
        proves(evidence)
    except VerificationError:
        return NO_EVIDENCE
    return evidence


def open_alarms(records: Records) -> list[AlarmRecord]:
    """The alarms that the user has not accepted and whose cause has not ended, oldest first."""
    return [alarm for alarm in records.directory.alarms() if alarm.is_open]


def end(records: Records, codes: Set[str], address: str, fact: str, now_ms: int) -> None:
    """The cause of these alarms has ended: they are no longer open."""
    for alarm in records.directory.alarms():
        if alarm.code in codes and (alarm.address, alarm.fact) == (address, fact):
            records.directory.update_alarm(replace(alarm, ended_ms=alarm.ended_ms or now_ms))


def find(records: Records, number: int) -> AlarmRecord:
    for alarm in records.directory.alarms():
        if alarm.number == number:
            return alarm
    raise UserError(f"there is no alarm {number} (see blackthorn alarms)")


def accept(records: Records, number: int) -> AlarmRecord:
    """Mark an alarm as accepted: it blocks nothing any more. Raises UserError."""
    accepted = replace(find(records, number), accepted=True)
    records.directory.update_alarm(accepted)
    return accepted


def stops(records: Records, addresses: Set[str], *, in_group: bool = False) -> list[AlarmRecord]:
    """The open alarms that block sending to these users."""
    effects = {Effect.STOP, Effect.GROUPS} if in_group else {Effect.STOP}
    return [
        alarm
        for alarm in open_alarms(records)
        if alarm.address in addresses and KINDS[alarm.code].effect in effects
    ]
