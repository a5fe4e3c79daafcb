"""Bounds of `server/budgets`."""

from blackthorn.wire.units import MIB

MAX_SLICE_SECONDS = 0.003
MIN_SLICE_SECONDS = 0.0005
MAX_TURN_SECONDS = 0.010
"""Time of one user in one turn of the loop, and of all users that have queued frames: 20 of them
make the shortest slices, beyond which a turn is longer for them."""

URGENT_SECONDS = 0.001
"""Time that is left in a turn for acknowledgements, revocations and vetoes beyond the slice."""

USER_DEVICES = 2
"""A user has the budgets of so many devices, so that a new device brings no new burst."""

MAX_PAUSE_SECONDS = 2
"""A device whose debt is paid within this is only read later; else it is told to wait."""

MAX_IGNORED = 10
"""Frames that a device told to wait may send meanwhile; then its link ends."""

FORGIVEN_SECONDS = 10
"""After so long without a frame to refuse, the count of ignored ones begins again: older devices
try every 30 seconds."""

MAX_SHUT_SECONDS = 60
"""How long a device whose link ended so is refused at hello."""

MAX_HOLDERS = 100_000
"""Devices and users whose spending is remembered, 300 bytes each; those without debt go first."""

ROWS_BURST = 200_000
ROWS_PER_SECOND = 250
"""Rows of mailboxes: 200 texts to 1,000 devices at once, and 20 a second to 12."""

BYTES_BURST = 16 * MIB
BYTES_PER_SECOND = 6 * 1024
"""Stored bytes, shared ones once: 10,000 texts at once. With rows 63 MiB in the first hour."""

COPIED_BURST = 2_048 * MIB
COPIED_PER_SECOND = 2 * MIB
"""Bytes times recipients, which fill mailboxes: 100 MiB to 20 devices at once."""

ORDERS_BURST = 600
ORDERS_PER_HOUR = 120
"""Order rows of Commits, which are kept for 180 days."""
