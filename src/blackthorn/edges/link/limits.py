"""Bounds of `edges/link`."""

from blackthorn.wire.units import KIB

MAX_WRITE_BUFFER_BYTES = 256 * KIB
"""Bytes queued for a peer that does not read, before the server stops serving it."""
