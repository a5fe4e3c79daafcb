"""Bounds of `edges/link`."""

from blackthorn.wire.units import KIB, MIB

MAX_WRITE_BUFFER_BYTES = 256 * KIB
"""Bytes queued for a peer that does not read, before the server stops serving it."""

MAX_OPENING_BYTES = 32 * MIB
MAX_OPENING_BYTES_PER_CLIENT = 4 * MIB
"""Unfinished frames of links before their hello, in all and of one client; a hello has 8 KiB."""

MAX_UPGRADE_BYTES = 4 * KIB
"""The request by which a connection becomes a WebSocket; a device's has 200 bytes."""
