"""Bounds of `mls`: each with its name, its unit and its reason."""

from blackthorn.wire.units import MIB

MLS_MAX_MESSAGE_BYTES = 16 * MIB
"""One MLS message: a Commit that adds 5,000 devices under X-Wing; the link carries less."""

MLS_LIFETIME_SECONDS = 90 * 24 * 3600
"""Default lifetime of a key package; after it no member adds its owner with it."""

MLS_MAX_LIFETIME_SECONDS = 400 * 24 * 3600
"""The longest lifetime a key package may claim (RFC 9420, 7.2): a year and its margins."""

MLS_CLOCK_SKEW_SECONDS = 24 * 3600
"""How far `not_before` lies back, so that a peer whose clock is late accepts it at once."""

MLS_MAX_FORWARD = 2_048
"""Generations a sender may be ahead in one step: bounds the work of one message."""

MLS_MAX_SKIPPED = 2_048
"""Keys kept for messages that were overtaken, per sender and kind; the oldest go first."""

MLS_PAST_EPOCHS = 5
"""Epochs behind the present one whose application messages can still be read."""

MLS_MAX_PROPOSALS = 1_024
"""Proposals that wait for a Commit in one epoch, and proposals of one Commit by reference."""

MLS_DRIVER_MAX_LINE_BYTES = 64 * MIB
"""One line of the driver's protocol: the largest MLS message in hex, and as much again."""
