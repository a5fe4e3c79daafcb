"""Bounds of `cli/officer`: each with its name, its unit and its reason."""

from blackthorn.wire.units import MIB

MAX_OFFICER_DOCUMENT_BYTES = 64 * MIB
"""A document that an officer hands in to be hashed, such as a scanned demand; it is in memory."""

MAX_DECISIONS = 131_072
"""Decisions that a device replays: 10,000 directives are 70,000 of them, about 8 kB each."""
