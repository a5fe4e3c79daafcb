"""Bounds of `cli/officer`: each with its name, its unit and its reason."""

from blackthorn.wire.units import MIB

MAX_OFFICER_DOCUMENT_BYTES = 64 * MIB
"""A document that an officer hands in to be hashed, such as a scanned demand; it is in memory."""
