"""What `blackthorn status` tells: facts of the vault, and one attempt to reach the server."""

import asyncio
from collections import Counter
from typing import Any

from blackthorn.apps.device import DeviceProgram
from blackthorn.errors import UnavailableError

HELLO_SECONDS = 10.0


async def describe(program: DeviceProgram) -> dict[str, Any]:
    """The device as a JSON document. Raises SecurityError when the server shows another key."""
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
        document |= {
            "conversations": sum(each.standing == "active" for each in conversations),
            "waiting_to_be_sent": len(records.outbox.all()),
            "unread": len(records.history.unshown(1_000_000)),
            "could_not_be_opened": len(aside),
            "missing_messages": records.peers.count_gaps(),
        }
    reasons = Counter(each.reason for each in aside)
    if reasons:
        document["why_not_opened"] = dict(reasons)
    return document


async def _reach(program: DeviceProgram) -> str:
    try:
        async with asyncio.timeout(HELLO_SECONDS), program.link(receive=False):
            return "good"
    except UnavailableError as error:
        return str(error)
    except TimeoutError:
        return "the server does not answer"
