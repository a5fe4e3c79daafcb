"""The JSON document of `blackthorn status`."""

from typing import Any

from blackthorn.cli.device.alarm_texts import document as alarm_document
from blackthorn.cli.device.exit_notices import document as notice_document
from blackthorn.cli.device.outcomes import failure_document
from blackthorn.cli.times import rfc3339
from blackthorn.device.transparency.decisions import PendingDecision
from blackthorn.mail.render.text import safe_line
from blackthorn.ports.device_store import CheckpointRecord
from blackthorn.programs.device import status as device_status
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.tlog.verify import NO_QUORUM, Policy

WHAT_TO_DO = (
    "They are opened by themselves once their keys are here. After a day: ask the sender to write "
    "again, and tell the administrator."
)
"""For messages that could not be opened."""

GOOD = "good"
"""The `connection` of a device whose server has answered."""


def document(
    program: DeviceProgram, status: device_status.DeviceStatus, waiting: list[PendingDecision]
) -> dict[str, Any]:
    """`waiting` are the decisions that this user has to sign."""
    opened, vault = program.opened, status.vault
    shown: dict[str, Any] = {
        "address": opened.keys.address,
        "pin": opened.pin,
        "device": opened.keys.device.hex(),
        "server": f"{opened.server.host}:{opened.server.port}",
        "server_key": opened.server.pin.hex(),
        "connection": status.unreached or GOOD,
        **_ledger(status.ledger),
        "market_notices": [notice_document(notice) for notice in vault.notices],
        "alarms": [alarm_document(alarm) for alarm in vault.alarms],
        "decisions_to_sign": [
            {"case": one.signed.statement.case, "action": one.signed.statement.action}
            for one in waiting
        ],
        "conversations": vault.conversations,
        "waiting_to_be_sent": vault.outgoing,
        "failed": [failure_document(failure) for failure in vault.failures],
        "unread": vault.unread,
        "could_not_be_opened": vault.undecryptable.total(),
        "missing_messages": vault.missing,
    }
    if vault.key_packages_taken:
        shown["key_packages_taken"] = vault.key_packages_taken
    if vault.dropped:
        shown["not_opened_forgotten"] = vault.dropped
    if vault.slowed:
        shown["why_it_waits"] = vault.slowed
    if vault.undecryptable:
        shown["why_not_opened"] = dict(vault.undecryptable)
    return shown


def undecryptable_lines(status: device_status.DeviceStatus) -> list[str]:
    """Why messages could not be opened, the commonest reason first, and what to do; [] if all."""
    reasons = status.vault.undecryptable.most_common()
    lines = [f"  {number} not opened: {safe_line(reason)}" for reason, number in reasons]
    return [*lines, f"  {WHAT_TO_DO}"] if lines else []


def _ledger(ledger: device_status.LedgerStatus) -> dict[str, Any]:
    newest = ledger.newest
    return {
        "standing": _standing(ledger),
        "ledger_entries": newest.size if newest else 0,
        "ledger_as_of": "never" if ledger.as_of_ms is None else rfc3339(ledger.as_of_ms),
        "ledger_stale": ledger.stale,
        "ledger_replayed": "never" if ledger.replayed_ms is None else rfc3339(ledger.replayed_ms),
        "witnesses": witnesses(ledger.policy),
        "cosigned": _cosigned(newest, ledger.policy),
    }


def _standing(ledger: device_status.LedgerStatus) -> str:
    """This device's state in its user's identity chain."""
    if ledger.reset_ms is not None:
        until = rfc3339(ledger.reset_ms)
        pending = ledger.state == "pending"
        return f"pending until {until}" if pending else f"{ledger.state}; reset {until}"
    change = "; a change of yours is not published yet" if ledger.unpublished else ""
    return f"{ledger.state}{change}"


def _cosigned(newest: CheckpointRecord | None, policy: Policy) -> str:
    if newest is None:
        return "never"
    times = device_status.cosignature_times(newest, policy)
    if times is None:
        return "not by the witnesses that are trusted now"
    shown = (f"{key} at {rfc3339(at_s * 1000)}" for key, at_s in times.items())
    return ", ".join(shown) or "by nobody"


def witnesses(policy: Policy) -> str:
    """The required witnesses, and whether they are the operator's own."""
    if policy.quorum == NO_QUORUM:
        return "none: the server's operator can show different ledgers to different people"
    own = device_status.own_witnesses(policy)
    shown = [witness.key.name for witness in policy.witnesses if witness.name not in own]
    shown += ["one embedded in the server"] if own else []
    warning = "; no independent one is required" if policy.satisfied_by(own) else ""
    return f"{', '.join(shown)}{warning}"
