"""Moments: a count that orders lookups and deliveries without a clock.

It rises when a lookup begins and when the server has delivered everything. A lookup was begun after
something was read if its moment is greater than the one noted at the reading, in whichever process.
"""

from typing import Final

from blackthorn.ports.device_store import Records

_MOMENT: Final = "moment"


def present(records: Records) -> int:
    """The moment now; 0 before anything."""
    return int.from_bytes(records.settings.get(_MOMENT) or b"", "big")


def advance(records: Records) -> int:
    """Begin the next moment."""
    moment = present(records) + 1
    records.settings.put(_MOMENT, moment.to_bytes(8, "big"))
    return moment
