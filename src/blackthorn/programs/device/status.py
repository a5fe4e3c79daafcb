"""The state of a device, after an attempt to send and receive."""

from collections import Counter
from dataclasses import dataclass

from blackthorn.device.account import exit_notices
from blackthorn.device.account.exit_notices import Notice
from blackthorn.device.conversations import inbox, key_packages
from blackthorn.device.core import anchors, unit_of_work, verified_chains
from blackthorn.device.core.failures import Failure, all_failures
from blackthorn.device.core.group_metadata import SELF
from blackthorn.device.healing.states import is_member
from blackthorn.device.operations.sender import SLOW
from blackthorn.device.transparency import alarms, ledger_state, own_chain
from blackthorn.device.transparency.replay import replayed
from blackthorn.errors import VerificationError
from blackthorn.ports.device_store import AlarmRecord, CheckpointRecord, Records
from blackthorn.programs.device.home import wall_ms
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.tlog.verify import Policy, verify_checkpoint


@dataclass(frozen=True, slots=True)
class LedgerStatus:
    """The device's view of the ledger, and its state in the user's chain.

    `state` is live, pending, revoked or unknown; `reset_ms` is when a pending reset takes effect;
    `unpublished`: the ledger does not show a change of this device yet. Times are None before the
    first checkpoint and the first replay.
    """

    state: str
    reset_ms: int | None
    unpublished: bool
    newest: CheckpointRecord | None
    as_of_ms: int | None
    stale: bool
    replayed_ms: int | None
    policy: Policy


@dataclass(frozen=True, slots=True)
class VaultStatus:
    """The vault's notices, alarms and failures, and counts of the rest.

    `conversations` leaves out the hidden group of the user's own devices.
    """

    notices: list[Notice]
    alarms: list[AlarmRecord]
    failures: list[Failure]
    conversations: int
    outgoing: int
    unread: int
    undecryptable: Counter[str]
    dropped: int
    """Undecryptable parcels that were forgotten because there were too many."""
    missing: int
    slowed: str
    """Until when the server makes this device wait, in words, or ""."""
    key_packages_taken: int
    """Key packages of this device that others claimed in the last days, if most were."""


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """`unreached`: why the server could not be reached, "" when it answered."""

    unreached: str
    ledger: LedgerStatus
    vault: VaultStatus


async def fetch_status(program: DeviceProgram) -> DeviceStatus:
    """Send and receive, then report. Raises SecurityError when the server shows another key."""
    unreached = await program.try_fetch()
    with program.device.unit(wall_ms()) as unit:
        ledger = ledger_status(unit)
    with program.opened.vault.transaction() as records:
        return DeviceStatus(unreached, ledger, vault_status(records))


def ledger_status(unit: unit_of_work.UnitOfWork) -> LedgerStatus:
    """The vault's state of the ledger."""
    newest, replay = unit.records.directory.newest(), replayed(unit.records)
    chain = unit.chains.of(unit.me.address)
    pending = chain.pending if chain is not None else None
    return LedgerStatus(
        state=own_chain.standing(unit),
        reset_ms=pending.effective_ms if pending is not None else None,
        unpublished=own_chain.waiting(unit) is not None,
        newest=newest,
        as_of_ms=verified_chains.ledger_ms(newest) if newest else None,
        stale=ledger_state.too_old(unit),
        replayed_ms=replay.at_ms if replay else None,
        policy=anchors.pinned(unit.records.settings).policy,
    )


def vault_status(records: Records) -> VaultStatus:
    """What the vault holds, without a connection."""
    conversations = [known for known in records.conversations.all() if known.kind != SELF]
    return VaultStatus(
        notices=exit_notices.all_notices(records.settings),
        alarms=alarms.open_alarms(records),
        failures=all_failures(records.settings),
        conversations=sum(is_member(known.standing) for known in conversations),
        outgoing=len(records.outbox.all()),
        unread=len(records.history.unshown(1_000_000)),
        undecryptable=Counter(parcel.reason for parcel in records.parcels.all_undecryptable()),
        dropped=inbox.dropped(records),
        missing=records.peers.count_gaps(),
        slowed=next((r.problem for r in records.outbox.all() if r.problem.startswith(SLOW)), ""),
        key_packages_taken=key_packages.drained(records, wall_ms()),
    )


def cosignature_times(checkpoint: CheckpointRecord, policy: Policy) -> dict[str, int] | None:
    """Witness key → Unix seconds; None without a quorum of the trusted witnesses."""
    try:
        times = verify_checkpoint(checkpoint.note, policy).times
    except VerificationError:
        return None
    keys = {witness.name: witness.key.name for witness in policy.witnesses}
    return {keys[name]: at_s for name, at_s in sorted(times.items())}


def own_witnesses(policy: Policy) -> set[str]:
    """The names, in the policy, of the witnesses that the server itself runs."""
    return {
        witness.name
        for witness in policy.witnesses
        if witness.name == "embedded"
        or any(local in (witness.url or "") for local in ("//127.0.0.1", "//localhost"))
    }
