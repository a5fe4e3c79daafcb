"""Bounds of `device/export`: each with its name, its unit and its reason."""

from blackthorn.wire.units import MIB

MAX_EXPORT_CHAIN_BYTES = 8 * MIB
"""An exported identity chain: 256 statements with three signatures each are 2.6 MB."""
