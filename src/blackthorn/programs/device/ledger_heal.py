"""What this device knows of the ledger's time before a fault, for officers who let it fall."""

from blackthorn.device.core import anchors
from blackthorn.errors import UserError
from blackthorn.governance.statements import Statement
from blackthorn.programs.device.program import DeviceProgram


def origin(device: DeviceProgram) -> str:
    """The ledger's name."""
    with device.opened.vault.transaction() as records:
        return anchors.pinned(records.settings).config.origin


def least_ms(device: DeviceProgram, epoch: int) -> int:
    """The newest time of witnesses, or of a head without them, until that epoch; 0: none known."""
    with device.opened.vault.transaction() as records:
        known = records.directory.checkpoint_until(epoch)
    return 0 if known is None else known.quorum_s * 1000 or known.unix_ms


def check(device: DeviceProgram, statement: Statement) -> None:
    """Raises UserError for another ledger, or a fall below what this device knows."""
    public = statement.public
    if public["ledger"] != origin(device):
        raise UserError(f"this is a decision on another ledger: {public['ledger']}")
    if public["least_ms"] < least_ms(device, public["epoch"]):
        raise UserError(
            "the time may not fall below what this device knows of witnesses before the fault: "
            "propose it from this device, with --replace"
        )
