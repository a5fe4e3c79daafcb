"""Look up a user's identity chain in the ledger."""

from typing import TYPE_CHECKING, Final

from blackthorn.errors import UnavailableError, UserError

RETRY_SECONDS: Final = 20
"""After this time a change is published by an epoch of the usual ten seconds."""

if TYPE_CHECKING:
    from blackthorn.identity.chain import VerifiedChain
    from blackthorn.ids import Address
    from blackthorn.programs.device.program import DeviceProgram


def chain_of(device: "DeviceProgram", address: "Address") -> "tuple[VerifiedChain, str]":
    """The chain from the ledger and "", or the stored one and why the ledger was not asked.

    Raises UserError for an unknown user; UnavailableError if nobody could be asked.
    """
    from blackthorn.programs.device import chain_lookup
    from blackthorn.programs.event_loop import run

    reason = run(chain_lookup.look_up(device, address))
    try:
        return chain_lookup.known(device, address), reason
    except UserError:
        if not reason:
            raise
    raise UnavailableError(reason)


def fresh_chain_of(device: "DeviceProgram", address: "Address") -> "VerifiedChain":
    """The chain as the ledger shows it now, since an older one may lack the user's newest device.

    Raises UserError; UnavailableError when the ledger could not be asked.
    """
    from blackthorn.programs.device import chain_lookup
    from blackthorn.programs.event_loop import run

    if reason := run(chain_lookup.look_up(device, address)):
        raise UnavailableError(
            f"the ledger could not be asked for {address}'s devices: {reason}; try again in "
            f"{RETRY_SECONDS} seconds"
        )
    return chain_lookup.known(device, address)
