"""What the user of a device may set: how long keys are kept, and when they are renewed.

A value is a row of the vault beside the device's other named values: it needs no other file, and is
encrypted and restored with them. It holds for this device only; a user's devices may differ, as
members' devices do.
"""

from dataclasses import dataclass
from typing import Final

from blackthorn.device.core import limits
from blackthorn.errors import UserError
from blackthorn.ports.device_store import Settings


@dataclass(frozen=True, slots=True)
class Preference:
    """A value that can be set, with its unit and bounds."""

    name: str
    unit: str
    default: int
    least: int
    most: int
    meaning: str

    def get(self, settings: Settings) -> int:
        data = settings.get(self._row)
        return int.from_bytes(data, "big") if data else self.default

    def put(self, settings: Settings, value: int) -> None:
        """Raises UserError for a value out of bounds."""
        if not self.least <= value <= self.most:
            raise UserError(
                f"{self.name} is {self.least:,} to {self.most:,} {self.unit}; nothing was changed"
            )
        settings.put(self._row, value.to_bytes(8, "big"))

    @property
    def _row(self) -> str:
        return f"preference {self.name}"


MESSAGE_KEYS: Final = Preference(
    "message-key-days",
    "days",
    limits.MESSAGE_KEY_DAYS,
    limits.LEAST_MESSAGE_KEY_DAYS,
    limits.MOST_MESSAGE_KEY_DAYS,
    "How long this device can still open messages sealed before a change of a conversation. "
    "The last five changes are kept in any case. Authors are asked to send again what comes later. "
    "Fewer days leave less to somebody who copies the device.",
)
RENEWAL_DAYS: Final = Preference(
    "renewal-days",
    "days of use",
    limits.RENEWAL_DAYS,
    limits.LEAST_RENEWAL_DAYS,
    limits.MOST_RENEWAL_DAYS,
    "After how many days of use this device renews its keys in a conversation, so that a stolen "
    "copy of it reads no further. Above 1,000 devices in proportion more.",
)
RENEWAL_MESSAGES: Final = Preference(
    "renewal-messages",
    "messages",
    limits.RENEWAL_MESSAGES,
    limits.LEAST_RENEWAL_MESSAGES,
    limits.MOST_RENEWAL_MESSAGES,
    "After how many own messages it does so, if that is earlier.",
)

PREFERENCES: Final = (MESSAGE_KEYS, RENEWAL_DAYS, RENEWAL_MESSAGES)


def find(name: str) -> Preference:
    """Raises UserError for an unknown name."""
    for preference in PREFERENCES:
        if preference.name == name:
            return preference
    names = ", ".join(preference.name for preference in PREFERENCES)
    raise UserError(f"there is no such setting; there are {names}")
