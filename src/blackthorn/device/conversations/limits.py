"""Bounds of `device/conversations`: each with its name, its unit and its reason."""

from blackthorn.device.limits import MAX_MESSAGE_BYTES
from blackthorn.link.limits import MAX_RECIPIENTS
from blackthorn.wire.units import KIB, MIB

MAX_HELD_PARCELS = 1_024
MAX_HELD_BYTES = 32 * MIB
"""Parcels that could not be opened, kept in memory to try again when a conversation moves."""

SEEN_PARCEL_SECONDS = 90 * 24 * 3600
"""How long a device knows a parcel again: three times what the server keeps one."""

UNDECRYPTABLE_SECONDS = 30 * 24 * 3600
"""How long the server keeps an undecryptable parcel; then the device counts it as lost."""

MAX_CONTENT_BYTES = MAX_MESSAGE_BYTES + 8 * KIB
"""The MIMI content of one message: the largest text and what stands round it."""

MAX_CONTENT_DEPTH = 8
"""Nested containers in MIMI content; a plain text needs three."""

KEY_PACKAGE_STOCK = 100
"""One-time key packages that a device publishes: so many new conversations while off line."""

KEY_PACKAGE_STOCK_LOW = 50
"""Unclaimed key packages below which a device publishes more."""

MAX_CLOCK_AHEAD_SECONDS = 24 * 3600
"""How far ahead the time on a message may lie; a later one is shown as this."""

MAX_UNKNOWN_DEVICES = 2 * MAX_RECIPIENTS
"""Unknown devices that a device remembers to ask the ledger for."""

MAX_COUNTED_GAP = 1_000
"""Missing messages of one sender that are counted one by one; a larger jump counts as this."""

MAX_CONVERSATIONS = 2_000
"""Conversations of one device; a parcel that fits none costs a hash for each of their epochs."""

MAX_MAIL_KEYS = 64
"""OpenPGP keys that a user's devices tell each other of: one more for each device revoked."""
