"""Officers' keys, compared with the verified identity chain."""

from blackthorn.cli.chains import fresh_chain_of
from blackthorn.device.transparency.decisions import PendingDecision
from blackthorn.errors import SecurityError, UserError
from blackthorn.identity.keys import VerifyKeys
from blackthorn.ids import Address
from blackthorn.programs.device.program import DeviceProgram


def person_keys(device: DeviceProgram, whose: Address, name: str | None) -> VerifyKeys:
    """The signing keys of the person's device. Raises UserError, such as for several devices.

    Raises UnavailableError when the ledger could not be asked: a stored chain may be too old.
    """
    chain = fresh_chain_of(device, whose)
    found = [known for known in chain.devices if known.personal]
    if name is not None:
        found = [known for known in found if known.name == name]
    if not found:
        raise UserError(f"{whose} has no device called {name!r}" if name else f"{whose} has none")
    if len(found) > 1:
        names = ", ".join(known.name for known in found)
        raise UserError(f"{whose} has several devices ({names}): choose one by --device NAME")
    return found[0].keys


def check_people(device: DeviceProgram, waiting: PendingDecision) -> list[str]:
    """Check that every key to appoint belongs to the named person; lines that say so.

    Raises SecurityError when one does not, UnavailableError as `person_keys`.
    """
    public, notes = waiting.signed.statement.public, []
    for suffix in ("", "_2"):
        if f"ed25519{suffix}" not in public or f"address{suffix}" not in waiting.private:
            continue
        whose = Address(str(waiting.private[f"address{suffix}"]))
        keys = (public[f"ed25519{suffix}"], public[f"ml_dsa{suffix}"])
        chain = fresh_chain_of(device, whose)
        names = [
            known.name for known in chain.devices if (known.keys.ed25519, known.keys.ml_dsa) == keys
        ]
        if not names:
            raise SecurityError(f"the keys to be appointed are of no live device of {whose}")
        notes.append(f"The keys are those of {whose}'s device {names[0]}, by the verified ledger.")
    return notes
