"""The user's own devices in their identity chain, and the follow-up of changes."""

from dataclasses import dataclass
from typing import Final

from blackthorn.device.account import reconciler
from blackthorn.device.operations import change_chain
from blackthorn.device.transparency import local_chain
from blackthorn.errors import UserError
from blackthorn.identity.chain import PendingReset, VerifiedChain
from blackthorn.identity.statements import AddDevice, DeviceInfo, Genesis, Reset, Rotate, decode
from blackthorn.mail.render.text import safe_line
from blackthorn.programs.device import activation, home
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.wire.dates import rfc3339

FINISH_SECONDS: Final = 60.0
"""Wait of a command for the follow-up of a change."""

MIN_ID_CHARACTERS: Final = 4
"""Shortest prefix of a device id."""


@dataclass(frozen=True, slots=True)
class OwnDevice:
    """A device of the chain: its state live, pending or revoked, and the reason if revoked.

    `since_ms` is the ledger's time when its statement was signed, in Unix milliseconds.
    """

    info: DeviceInfo
    state: str
    reason: str
    since_ms: int
    this: bool
    by_recovery_key: bool


def list_devices(program: DeviceProgram) -> list[OwnDevice]:
    """Live devices, former ones, and the device of a pending reset."""
    with program.device.unit(home.wall_ms()) as unit:
        chain, own_id = local_chain.own(unit), unit.me.device
    if chain is None:
        return []
    since = _since(chain)
    found = [(info, "live", "") for info in chain.devices]
    found += [(former.device, "revoked", former.reason) for former in chain.former]
    if chain.pending is not None:
        found.append((chain.pending.device, "pending", ""))
    return [
        OwnDevice(
            info,
            state,
            reason,
            since.get(info.id, 0),
            info.id == own_id,
            info.id in chain.recovered,
        )
        for info, state, reason in found
    ]


def has_compatible(program: DeviceProgram) -> bool:
    """Whether the chain states a certificate for other programs, which a revocation ends."""
    with program.device.unit(home.wall_ms()) as unit:
        chain = local_chain.own(unit)
    return chain is not None and chain.compatible is not None


def _since(chain: VerifiedChain) -> dict[bytes, int]:
    """Device id → time of its statement: the ledger's, as its signer knew it."""
    found: dict[bytes, int] = {}
    for data in chain.statements:
        statement = decode(data).statement
        if isinstance(statement.body, Genesis | AddDevice | Reset | Rotate):
            found.setdefault(statement.body.device.id, statement.time_ms)
    return found


def find(program: DeviceProgram, wanted: str) -> DeviceInfo:
    """The live device of that name or id prefix. Raises UserError."""
    with program.device.unit(home.wall_ms()) as unit:
        chain = change_chain.known_chain(unit)
    devices = chain.devices
    found = [info for info in devices if info.name == wanted]
    if not found and len(wanted) >= MIN_ID_CHARACTERS:
        found = [info for info in devices if info.id.hex().startswith(wanted.lower())]
    if not found:
        _refuse_former(chain, wanted)
        names = ", ".join(safe_line(info.name) for info in devices)
        raise UserError(f"none of your devices is called {safe_line(wanted)}; yours are: {names}")
    if len(found) > 1:
        ids = ", ".join(info.id.hex()[:8] for info in found)
        raise UserError(f"several of your devices are called that; use the id of one: {ids}")
    return found[0]


def _refuse_former(chain: VerifiedChain, wanted: str) -> None:
    """Raises UserError when a device of that name or id prefix was revoked."""
    for former in reversed(chain.former):
        by_id = len(wanted) >= MIN_ID_CHARACTERS and former.device.id.hex().startswith(
            wanted.lower()
        )
        if former.device.name == wanted or by_id:
            since_ms = decode(chain.statements[former.seq - 1]).statement.time_ms
            name, day = safe_line(former.device.name), rfc3339(since_ms)[:10]
            raise UserError(f"{name} was revoked already, on {day}: there is nothing to do")


def pending_reset(program: DeviceProgram) -> PendingReset | None:
    with program.device.unit(home.wall_ms()) as unit:
        chain = local_chain.own(unit)
    return chain.pending if chain is not None else None


async def finish_changes(program: DeviceProgram) -> list[str]:
    """Serve the link until a change is complete; the remaining steps in words."""
    remaining: list[str] = []

    def done() -> bool:
        nonlocal remaining
        with program.device.unit(home.wall_ms()) as unit:
            remaining = reconciler.remaining(unit)
        return not remaining

    await activation.until(program, FINISH_SECONDS, done)
    return remaining
