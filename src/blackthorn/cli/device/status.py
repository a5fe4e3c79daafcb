"""What `blackthorn status` says: what is in the vault, after an attempt to send and to receive."""

from collections import Counter
from typing import Any

from blackthorn.cli.device.alarm_texts import document as alarm_document
from blackthorn.cli.device.exit_notices import document as notice_document
from blackthorn.cli.device.outcomes import failure_document
from blackthorn.cli.times import rfc3339
from blackthorn.device.account import exit_notices
from blackthorn.device.core import anchors
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.core.verified_chains import ledger_ms
from blackthorn.device.operations.failures import Failure, all_failures
from blackthorn.device.transparency import alarms, own_chain
from blackthorn.device.transparency.ledger_state import too_old
from blackthorn.device.transparency.replay import replayed
from blackthorn.errors import VerificationError
from blackthorn.ports.device_store import CheckpointRecord
from blackthorn.programs.device.home import wall_ms
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.tlog.verify import NO_QUORUM, Policy, verify_checkpoint

GOOD = "good"
"""The `connection` of a device whose server has answered."""


async def describe(program: DeviceProgram) -> tuple[dict[str, Any], list[Failure]]:
    """The device as a JSON document, and what it says has failed.

    Raises SecurityError when the server shows another key.
    """
    opened = program.opened
    document: dict[str, Any] = {
        "address": opened.keys.address,
        "pin": opened.pin,
        "device": opened.keys.device.hex(),
        "server": f"{opened.server.host}:{opened.server.port}",
        "server_key": opened.server.pin.hex(),
        "connection": await program.try_fetch() or GOOD,
    }
    document |= _ledger(program)
    with opened.vault.transaction() as records:
        notices = exit_notices.all_notices(records.settings)
        document["market_notices"] = [notice_document(each) for each in notices]
        document["alarms"] = [alarm_document(each) for each in alarms.open_alarms(records)]
        conversations = records.conversations.all()
        aside = records.parcels.all_undecryptable()
        given_up = all_failures(records.settings)
        document |= {
            "conversations": sum(each.standing == "active" for each in conversations),
            "waiting_to_be_sent": len(records.outbox.all()),
            "failed": [failure_document(each) for each in given_up],
            "unread": len(records.history.unshown(1_000_000)),
            "could_not_be_opened": len(aside),
            "missing_messages": records.peers.count_gaps(),
        }
    reasons = Counter(each.reason for each in aside)
    if reasons:
        document["why_not_opened"] = dict(reasons)
    return document, given_up


def _ledger(program: DeviceProgram) -> dict[str, Any]:
    """What this device holds of the ledger: how much, how new, by whose word."""
    with program.device.unit(wall_ms()) as unit:
        newest, checked = unit.records.directory.newest(), replayed(unit.records)
        policy = anchors.pinned(unit.records.settings).policy
        return {
            "standing": _standing(unit),
            "ledger": f"{newest.size} entries" if newest else "not seen yet",
            "ledger_as_of": rfc3339(ledger_ms(newest)) if newest else "never",
            "ledger_stale": too_old(unit),
            "ledger_replayed": rfc3339(checked.at_ms) if checked else "never",
            "witnesses": witnesses(policy),
            "cosigned": _cosigned(newest, policy),
        }


def _standing(unit: UnitOfWork) -> str:
    """What this device is in its user's identity chain, as the ledger shows it."""
    chain, standing = own_chain.own_chain(unit), own_chain.standing(unit)
    if chain is not None and chain.pending is not None:
        until = rfc3339(chain.pending.effective_ms)
        return f"pending until {until}" if standing == "pending" else f"{standing}; reset {until}"
    waits = own_chain.waiting(unit) is not None
    return f"{standing}; a change of yours is not published yet" if waits else standing


def _cosigned(newest: CheckpointRecord | None, policy: Policy) -> str:
    """Which witnesses cosigned the newest checkpoint, and when."""
    if newest is None:
        return "never"
    try:
        times = verify_checkpoint(newest.note, policy).times
    except VerificationError:
        return "not by the witnesses that are trusted now"
    keys = {each.name: each.key.name for each in policy.witnesses}
    told = (f"{keys[name]} at {rfc3339(at_s * 1000)}" for name, at_s in sorted(times.items()))
    return ", ".join(told) or "by nobody"


def witnesses(policy: Policy) -> str:
    """Whose word the ledger needs, and whether they are the operator's own."""
    if policy.quorum == NO_QUORUM:
        return "none: whoever runs the server can show two people two ledgers"
    names = [each.key.name for each in policy.witnesses if not _own(each.name, each.url)]
    own = len(policy.witnesses) - len(names)
    told = [*names, *(["one under the server's own roof"] if own else [])]
    alone = policy.satisfied_by(
        {each.name for each in policy.witnesses if _own(each.name, each.url)}
    )
    warning = "; none elsewhere is needed" if alone else ""
    return f"{', '.join(told)}{warning}"


def _own(name: str, url: str | None) -> bool:
    """Whether a witness is the one that the server brings."""
    return name == "embedded" or "//127.0.0.1" in (url or "") or "//localhost" in (url or "")
