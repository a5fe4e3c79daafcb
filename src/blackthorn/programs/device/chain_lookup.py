"""Look up a user's identity chain in the ledger."""

from typing import Final

from blackthorn.errors import UserError
from blackthorn.identity.chain import VerifiedChain
from blackthorn.ids import Address
from blackthorn.programs.device import activation, home, program

LOOKUP_SECONDS: Final = 20.0
"""Timeout, after which the chain known from earlier is used."""


async def look_up(device: program.DeviceProgram, address: Address) -> bool:
    """Ask the ledger for the user's chain; False when it could not be asked in time."""
    began = home.wall_ms()
    device.device.directory.want([address])

    def checked() -> bool:
        with device.device.unit(home.wall_ms()) as unit:
            record = unit.records.directory.chain(address)
        return record is not None and record.checked_ms >= began

    return await activation.until(device, LOOKUP_SECONDS, checked)


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
