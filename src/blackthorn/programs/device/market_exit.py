"""An exit of the user's market, on their device: notices, reports of actions, the receipt."""

from blackthorn.device.account import exit_notices
from blackthorn.device.account.exit_notices import Notice
from blackthorn.errors import UnavailableError, UserError
from blackthorn.governance.exits import RUNNING
from blackthorn.link import frames as f
from blackthorn.programs.device import requests
from blackthorn.programs.device.program import DeviceProgram, DeviceRefusedError
from blackthorn.wire.dates import rfc3339


def notices(program: DeviceProgram) -> list[Notice]:
    with program.opened.vault.transaction() as records:
        return exit_notices.all_notices(records.settings)


def is_leaving(program: DeviceProgram) -> bool:
    return any(notice.market and notice.state in RUNNING for notice in notices(program))


def sending_ended(program: DeviceProgram) -> str:
    """Why this user sends nothing any more, or ""."""
    with program.opened.vault.transaction() as records:
        return exit_notices.sending_ended(records.settings)


def set_read(program: DeviceProgram) -> None:
    with program.opened.vault.transaction() as records:
        exit_notices.set_read(records.settings)


async def report(program: DeviceProgram, action: str, value: str = "") -> str:
    """Report an action ("read", "exported", "forward"); the refusal, or ""."""
    async with requests.connect(program) as request:
        answer: f.ExitTold = await request(f.TellExit(1, action, value), f.ExitTold)
    return answer.refusal


def _receipt_made(program: DeviceProgram) -> str:
    """When the receipt will be made, by the server's notice; "" without one."""
    for notice in notices(program):
        if notice.market and notice.state in RUNNING and notice.retrieval_end_ms:
            day = rfc3339(notice.retrieval_end_ms)[:10]
            return (
                f": it is made when the closure is prepared, after {day}. Connect then, and your "
                "device fetches it"
            )
    return ""


async def fetch_receipt(program: DeviceProgram) -> tuple[bytes, bool]:
    """The user's receipt of the closure, and whether the server gave it now.

    Otherwise it is the one that this device has fetched before. Raises UserError when there is
    none, VerificationError for another's, UnavailableError.
    """
    from blackthorn.governance.closure.check import check_person
    from blackthorn.governance.closure.receipt import decode_placed

    try:
        async with requests.connect(program) as request:
            part: f.ReceiptPart = await request(f.FetchReceipt(1), f.ReceiptPart)
    except (UnavailableError, DeviceRefusedError):
        with program.opened.vault.transaction() as records:
            kept = exit_notices.receipt(records.settings)
        if not kept:
            raise
        return kept, False
    if part.refusal:
        raise UserError(f"{part.refusal}{_receipt_made(program)}")
    check_person(decode_placed(part.receipt).receipt, program.opened.keys.address)
    return part.receipt, True
