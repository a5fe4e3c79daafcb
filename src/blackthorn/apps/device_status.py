"""What `blackthorn status` says: what is in the vault, after an attempt to send and to receive."""

from collections import Counter
from typing import Any

from blackthorn.apps.device import DeviceProgram
from blackthorn.apps.device_report import failure_document
from blackthorn.device.failures import Failure, all_failures
from blackthorn.errors import UnavailableError

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
        "connection": await _reach(program),
    }
    with opened.vault.transaction() as records:
        conversations = records.conversations.all()
        aside = records.parcels.all_set_aside()
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


async def _reach(program: DeviceProgram) -> str:
    try:
        await program.fetch()
    except UnavailableError as error:
        return str(error)
    except TimeoutError:
        return "the server does not answer"
    return GOOD
