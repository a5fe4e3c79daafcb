"""The settings of this device, and what follows a change."""

from blackthorn.device.conversations import renewal
from blackthorn.device.core.preferences import PREFERENCES, Preference
from blackthorn.programs.device.home import wall_ms
from blackthorn.programs.device.program import DeviceProgram


def values(program: DeviceProgram) -> list[tuple[Preference, int]]:
    """All settings with their values."""
    with program.opened.vault.transaction() as records:
        return [(known, known.get(records.settings)) for known in PREFERENCES]


def change(program: DeviceProgram, preference: Preference, value: int) -> None:
    """Raises UserError for a value out of bounds."""
    with program.device.unit(wall_ms()) as unit:
        preference.put(unit.records.settings, value)
        renewal.hasten(unit)
