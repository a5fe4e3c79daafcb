"""Bounds of `device`: each with its name, its unit and its reason."""

from blackthorn.wire.units import MIB

MAX_MESSAGE_BYTES = 1 * MIB
"""Text of one message before sealing; larger things are attachments."""

MAX_GROUP_NAME_BYTES = 256
"""UTF-8 bytes of a conversation's name."""

MAX_HELD_PARCELS = 1_024
MAX_HELD_BYTES = 32 * MIB
"""Parcels that could not be opened, kept in memory to try again when a conversation moves."""

SEEN_PARCEL_SECONDS = 90 * 24 * 3600
"""How long a device knows a parcel again: three times what the server keeps one set aside."""

UNDECRYPTABLE_SECONDS = 30 * 24 * 3600
"""How long the server keeps a parcel that was set aside; after it the device counts it lost."""

KEPT_CHECKPOINTS = 512
"""Accepted checkpoints that a device keeps: three and a half days of heartbeats."""

OUTBOX_HANDOVER_SECONDS = 10
"""After this time whoever receives also sends what another process left in the outbox."""

MAX_COMPARED = 2_000
"""People compared in person whom a user's devices tell each other of, about 60 bytes each."""
