"""Bounds of `server/handlers`: each with its name, its unit and its reason."""

from blackthorn.wire.units import MIB

MAX_CHAIN_PART_BYTES = 2 * MIB
"""Statements in one ChainPart; the device asks again for the rest."""

LOOKUP_WORK = 8_192
LOOKUP_WORK_PER_SECOND = 256
"""Work that one device may ask of the directory at once, and how much of it comes back each
second: an answer is 1 (0.1 ms), who does not exist 8 (a VRF proof, 0.5 ms), a statement 1."""

MAX_CACHED_ABSENCES = 10_000
"""Addresses of no user whose place in the map is remembered, 200 bytes each."""
