"""Bounds of `server/handlers`."""

from blackthorn.wire.units import KIB, MIB

LOOKUP_WORK = 8_192
LOOKUP_WORK_PER_SECOND = 256
"""Work that one device may ask of the directory at once, and how much of it comes back each
second: an answer is 1 (0.1 ms), who does not exist 8 (a VRF proof, 0.5 ms), a statement 1."""

MIN_QUEUED_BYTES = 16 * KIB
"""What the smallest queued frame is counted as: to queue 1,024 of them takes 3 ms of the loop."""

MAX_QUEUED_BYTES = 16 * MIB
"""Frames of one peer that came before it was made to wait; two full read buffers."""

PUSHES_PER_TICK = 500
"""Devices that are told of an epoch with one tick, some 5 ms of work; the rest wait."""

MAX_LINKS_PER_DEVICE = 8
"""Open links of one device; the oldest is ended for a new one."""

MAX_OPENING_FRAME_BYTES = 64 * KIB
"""One frame before the device is known, but for the payload of an activation."""

LINK_WRITE_SECONDS = 30
"""Time in which a peer must take what it was sent; one that stops reading is cut."""

MAX_UNANSWERED_BYTES = 8 * MIB
"""Parcels of one device on their way to the disk; beyond it the server stops reading from it."""
