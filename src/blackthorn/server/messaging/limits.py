"""Bounds of `server/messaging`: each with its name, its unit and its reason."""

from blackthorn.wire.units import KIB, MIB

MAX_MAILBOX_PARCELS = 100_000
MAX_MAILBOX_BYTES = 256 * MIB
"""Parcels that wait for one device, those set aside not among them; beyond it it takes none."""

MAX_UNDECRYPTABLE_PARCELS = 2_048
MAX_UNDECRYPTABLE_BYTES = 64 * MIB
"""Parcels that one device has set aside; beyond it a quarter goes, the oldest first."""

MIN_CHARGED_BYTES = 256
"""What the smallest parcel or frame is counted as: about what it costs in memory besides."""

MAX_QUEUED_BYTES = 16 * MIB
"""Frames of one peer that came before it was made to wait; two full read buffers."""

MAX_LINKS_PER_DEVICE = 8
"""Open links of one device; the oldest is ended for a new one."""

MAX_OPENING_PER_CLIENT = 200
MAX_CONNECTIONS_PER_CLIENT = 5_000
"""Links from one address, before and after hello: a whole office may stand behind one."""

MAX_OPENING_FRAME_BYTES = 64 * KIB
"""One frame before the device is known, but for the payload of an activation."""

MAX_MISSING_NAMED = 20_000
"""Devices that do not exist, named over one link: each costs a look into the database."""

MAX_FANOUTS = 100_000
"""Fan-out lists the server keeps in memory before it forgets the least used."""

LINK_WRITE_SECONDS = 30
"""Time in which a peer must take what it was sent; one that stops reading is cut."""

MAX_DELIVER_BYTES = 1 * MIB
"""Parcels in one Deliver frame, and read from disk at once for one device; or one parcel."""

MAX_UNANSWERED_BYTES = 8 * MIB
"""Parcels of one device on their way to the disk; beyond it the server stops reading from it."""

MAX_UNSTORED_BYTES = 256 * MIB
"""Parcels of all devices on their way to the disk; beyond it whoever sends is made to wait."""

MAX_FANOUT_DEVICES = 2_000_000
"""Devices in all fan-out lists in memory, 8 bytes each."""

COMMIT_DAYS = 180
"""Days that the order of a Commit is kept. A device that was off line for longer, and changed a
conversation meanwhile, may have to join it anew; far beyond any leave from work."""

UNDECRYPTABLE_DAYS = 30
"""Days that a parcel is kept which its device could not open."""

MAX_CLAIM_BYTES = 6 * MIB
"""Key packages in one answer, which must fit a frame; the device asks again for the rest."""
