"""Bounds of `device/conversations`: each with its name, its unit and its reason."""

from blackthorn.device.limits import MAX_MESSAGE_BYTES
from blackthorn.link.limits import MAX_RECIPIENTS
from blackthorn.wire.units import KIB, MIB

MAX_HELD_PARCELS = 1_024
MAX_HELD_BYTES = 32 * MIB
"""Undecryptable parcels kept in memory for a retry; the oldest go first of whom most bytes are."""

MAX_UNDECRYPTABLE = 4_096
"""Undecryptable parcels that a device remembers, about 200 bytes each: twice what the server keeps
for it. Beyond it an eighth goes, the oldest of whom most are."""

SEEN_PARCEL_SECONDS = 90 * 24 * 3600
"""How long a device remembers a parcel: three times the server's retention."""

UNDECRYPTABLE_SECONDS = 30 * 24 * 3600
"""The server's retention of an undecryptable parcel; then it counts as lost."""

MAX_CONTENT_BYTES = MAX_MESSAGE_BYTES + 8 * KIB
"""The MIMI content of one message: the largest text and its fields."""

MAX_CONTENT_DEPTH = 8
"""Nested containers in MIMI content; a plain text needs three."""

KEY_PACKAGE_STOCK = 100
"""Published one-time key packages: the number of new conversations while offline."""

KEY_PACKAGE_STOCK_LOW = 50
"""Unclaimed key packages below which a device publishes more."""

REFILL_SECONDS = 3600
"""Least time between two refills of a low stock: the server counts it, and may lie for ever."""

MAX_KEPT_KEY_PACKAGES = 8_192
"""Private halves, 2.8 kB each, of key packages that no Welcome has used: beyond it a low stock is
not refilled. 58 days of weekly sets are 900; 100 an hour come to it in three days."""

DRAINED_SECONDS = 7 * 24 * 3600
"""How long the person is told that others took the key packages of this device."""

KEY_PACKAGE_LIFETIME_SECONDS = 28 * 24 * 3600
"""A one-time key package: a thief of device keys cannot join by an older one."""

LAST_RESORT_LIFETIME_SECONDS = 398 * 24 * 3600
"""A last-resort key package: a device that is away for a year can still be written to."""

KEY_PACKAGE_SET_SECONDS = 7 * 24 * 3600
"""Age at which a new set replaces the published one-time key packages."""

LAST_RESORT_SET_SECONDS = 28 * 24 * 3600
"""Age at which a new last-resort key package replaces the published one."""

KEY_PACKAGE_KEPT_SECONDS = 30 * 24 * 3600
"""Private keys kept after their lifetime, for a Welcome that waits or was sent late."""

ABSENCE_DAYS = 30
"""After this absence a device renews its leaves before it sends."""

OLD_PACKAGE_DAYS = 8
"""Age of a key package from which its leaf is renewed before the first own text."""

COMMIT_PAUSE_SECONDS = 10
"""Least time between a Commit of a conversation and a renewal."""

MAX_LEFT_OUT = 1_000
LEFT_OUT_SECONDS = 30 * 24 * 3600
"""Users whom a device adds to a conversation later, and how long it tries."""

COPIED_HANDSHAKES = 64
"""Handshakes in one epoch that a copy of this device may have sent: their keys are used up."""

MAX_CLOCK_AHEAD_SECONDS = 24 * 3600
"""Largest lead of a message's time over this device's clock; a later time is cut to it."""

MAX_UNKNOWN_DEVICES = 2 * MAX_RECIPIENTS
"""Unknown devices whose users a device remembers to look up."""

MAX_COUNTED_GAP = 1_000
"""Missing messages counted for one jump of a sender's count."""

LOST_COMMIT_SECONDS = 72 * 3600
"""Age of an accepted Commit that nobody can follow at which it is given up: a long week-end."""

MAX_LOST_COMMITS = 8
"""Given up Commits of one epoch that the next Commit names, 32 bytes each: one takes three days."""

MAX_VOID_COMMITS = 1_024
"""Void Commits of one epoch that a device remembers beside those that the server accepted."""

MAX_EPOCH = 2**62
"""Of a Welcome: the vault counts epochs to 2**63 - 1, and RFC 9420 to 2**64 - 1."""

MAX_NAMED_MEMBERS = 100
"""Members whom the line names by which a person learns of a group."""

MAX_CONVERSATIONS = 2_000
"""Conversations of one device; an unknown parcel costs one hash per stored epoch."""

MAX_MAIL_KEYS = 64
"""OpenPGP keys shared between a user's devices: one more for each revoked device."""

MAX_NOTED_COMMITS = 16
"""Commits of one conversation that are judged one by one while something is noted."""

WELCOME_WAIT_SECONDS = 7 * 24 * 3600
"""How long a Welcome waits for a member whom the ledger has never listed."""
