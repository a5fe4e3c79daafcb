"""Look up in the ledger: a user's identity chain, and the time."""

from typing import Final

from blackthorn.device.transparency.ledger_state import clock_ms
from blackthorn.errors import UserError
from blackthorn.identity.chain import VerifiedChain
from blackthorn.ids import Address
from blackthorn.programs.device import activation, home, program

LOOKUP_SECONDS: Final = 20.0
"""Timeout, after which the chain known from earlier is used."""

AGAIN_MS: Final = 2_000
"""Pause before a refused answer is asked for again."""


async def look_up(device: program.DeviceProgram, address: Address) -> str:
    """Ask the ledger for the user's chain: "" once it was verified, else why it was not in time.

    A refused answer is asked for again: right after a change, epochs may overtake each other.
    """
    directory = device.device.directory
    began = asked_ms = home.wall_ms()
    refusal = ""
    directory.want([address])

    def checked() -> bool:
        nonlocal asked_ms, refusal
        with device.device.unit(home.wall_ms()) as unit:
            record = unit.records.directory.chain(address)
            if record is not None and record.checked_ms >= began:
                return True
            refusal = directory.why_not(unit, [address]) or refusal
            if address in directory.refused and unit.now_ms - asked_ms >= AGAIN_MS:
                asked_ms = unit.now_ms
                directory.want([address])
        return False

    unanswered = await activation.until(device, LOOKUP_SECONDS, checked)
    return unanswered and (refusal or unanswered)


async def ledger_ms(device: program.DeviceProgram) -> int:
    """The ledger's time, Unix milliseconds, after a lookup; the last one known if none succeeds."""
    await look_up(device, device.opened.keys.address)
    with device.device.unit(home.wall_ms()) as unit:
        return clock_ms(unit)


def known(device: program.DeviceProgram, address: Address) -> VerifiedChain:
    """The user's chain in the vault. Raises UserError for an unknown user."""
    with device.device.unit(home.wall_ms()) as unit:
        chain = unit.chains.of(address)
    if chain is None:
        raise UserError(f"there is no user {address} here")
    return chain


def own(device: program.DeviceProgram) -> VerifiedChain:
    """The published own chain. Raises UserError when there is none yet."""
    with device.device.unit(home.wall_ms()) as unit:
        chain = unit.chains.of(unit.me.address)
    if chain is None:
        raise UserError("the ledger does not show your identity yet: try again in a minute")
    return chain
