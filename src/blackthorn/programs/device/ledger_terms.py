"""The pinned terms of the ledger, compared with the server's."""

from dataclasses import dataclass
from typing import Final

from blackthorn.device.core import anchors
from blackthorn.device.core.anchors import Anchors
from blackthorn.device.transparency import trust
from blackthorn.device.transparency.trust import Offer
from blackthorn.errors import UserError
from blackthorn.link import frames as f
from blackthorn.ports.device_store import AlarmRecord
from blackthorn.programs.device import home, requests
from blackthorn.programs.device.program import DeviceProgram

_WAIT: Final = (
    "Ask the administrator whether these witnesses answer (blackthorn ledger status), and accept "
    "the policy once they have cosigned; until then this device keeps the pinned one."
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The pinned terms and the server's; `changes` has one line for each difference.

    `not_yet` is why the server's newest epoch does not satisfy its terms; "" if it does.
    """

    pinned: Anchors
    policy_text: str
    offer: Offer
    changes: list[str]
    weaker: bool
    not_yet: str


async def compare(program: DeviceProgram) -> Comparison:
    """Ask the server for its terms. Raises VerificationError when they may never follow."""
    async with requests.connect(program) as request:
        shown: f.Trust = await request(f.FetchTrust(1), f.Trust)
        # Any lookup's answer has the newest epoch; number 0 is none of the directory client's.
        newest: f.LookedUp = await request(f.LookUp(0, [], 0), f.LookedUp)
    with program.device.unit(home.wall_ms()) as unit:
        pinned = anchors.pinned(unit.records.settings)
        _, policy_text = anchors.records(unit.records.settings)
        offer = trust.judge(unit, shown)
        not_yet = trust.not_yet_met(unit, offer, newest.epoch)
    changes = trust.differences(pinned, offer.anchors)
    weaker = trust.weakens(pinned.policy, offer.anchors.policy)
    return Comparison(pinned, policy_text, offer, changes, weaker, not_yet)


def check_met(found: Comparison) -> None:
    """Raises UserError while the server's newest epoch does not satisfy its terms."""
    if found.not_yet:
        raise UserError(f"not accepted: {found.not_yet}. {_WAIT}")


def accept(program: DeviceProgram, found: Comparison) -> list[AlarmRecord]:
    """Pin the server's terms; the alarms that this settles. Raises UserError like `check_met`."""
    check_met(found)
    with program.device.unit(home.wall_ms()) as unit:
        return trust.accept(unit, found.offer)
