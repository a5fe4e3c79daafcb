"""Compare this device's clock with the ledger's time, and tell once when they are apart."""

from typing import Final

from blackthorn.device.core import anchors
from blackthorn.device.transparency.ledger_state import clock_ms
from blackthorn.programs.device import limits
from blackthorn.programs.device.home import wall_ms
from blackthorn.programs.device.program import DeviceProgram

_TOLD: Final = "clock-told"


def apart_ms(program: DeviceProgram) -> int:
    """By how much the clock is at least ahead of the ledger, negative behind; 0: not to be told.

    It is told once, and again only after the clock was right. Without a lookup of this process
    nothing is known: the newest checkpoint may be old.
    """
    if not program.device.directory.has_looked:
        return 0
    with program.device.unit(wall_ms()) as unit:
        settings = unit.records.settings
        found_ms = unit.now_ms - clock_ms(unit)
        if found_ms > 0:  # the newest epoch may be as old as the pause between two
            found_ms = max(0, found_ms - anchors.pinned(settings).config.heartbeat_ms)
        if abs(found_ms) <= limits.CLOCK_APART_SECONDS * 1000:
            settings.put(_TOLD, b"")
            return 0
        told = settings.get(_TOLD)
        settings.put(_TOLD, b"\x01")
        return 0 if told else found_ms
