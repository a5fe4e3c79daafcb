"""Bounds of `device`: each with its name, its unit and its reason."""

from blackthorn.wire.units import MIB

MAX_MESSAGE_BYTES = 1 * MIB
"""Text of one message before sealing; larger things are attachments."""

MAX_GROUP_NAME_BYTES = 256
"""UTF-8 bytes of a conversation's name."""

KEPT_CHECKPOINTS = 512
"""Accepted checkpoints that a device keeps: three and a half days of heartbeats."""

MAX_COMPARED = 2_000
"""People compared in person whom a user's devices tell each other of, about 60 bytes each."""
