"""The pinned terms of the ledger, compared with the server's."""

from dataclasses import dataclass

from blackthorn.device.core import anchors
from blackthorn.device.core.anchors import Anchors
from blackthorn.device.transparency import trust
from blackthorn.device.transparency.trust import Offer
from blackthorn.link import frames as f
from blackthorn.ports.device_store import AlarmRecord
from blackthorn.programs.device import home, requests
from blackthorn.programs.device.program import DeviceProgram


@dataclass(frozen=True, slots=True)
class Comparison:
    """The pinned terms and the server's; `changes` has one line for each difference."""

    pinned: Anchors
    policy_text: str
    offer: Offer
    changes: list[str]
    weaker: bool


async def compare(program: DeviceProgram) -> Comparison:
    """Ask the server for its terms. Raises VerificationError when they may never follow."""
    async with requests.connect(program) as request:
        shown: f.Trust = await request(f.FetchTrust(1), f.Trust)
    with program.device.unit(home.wall_ms()) as unit:
        pinned = anchors.pinned(unit.records.settings)
        _, policy_text = anchors.records(unit.records.settings)
        offer = trust.judge(unit, shown)
    changes = trust.differences(pinned, offer.anchors)
    weaker = trust.weakens(pinned.policy, offer.anchors.policy)
    return Comparison(pinned, policy_text, offer, changes, weaker)


def accept(program: DeviceProgram, offer: Offer) -> list[AlarmRecord]:
    """Pin the server's terms; the alarms that this settles."""
    with program.device.unit(home.wall_ms()) as unit:
        return trust.accept(unit, offer)
