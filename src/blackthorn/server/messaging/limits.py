"""Bounds of `server/messaging`."""

from blackthorn.wire.units import MIB

MAX_MAILBOX_PARCELS = 100_000
MAX_MAILBOX_BYTES = 256 * MIB
"""Parcels that wait for one device, without undecryptable ones; a full mailbox refuses more."""

OPEN_PERCENT = 70
KNOWN_PERCENT = 95
"""Of a mailbox: what anybody may fill, and what those whom its user knows may fill; the rest is for
Commits."""

SENDER_SHARE = 8
"""One sender holds at most an eighth of what others leave free: eight of them leave a third."""

UNSHARED = 13
"""Below a thirteenth of a mailbox nobody can hold more than their share, so it is not looked up."""

MAX_CACHED_TAGS = 1_024
"""Senders whose tag in a mailbox is kept in memory, 200 bytes each."""

MAX_PLACES_PER_FRAME = 16_384
"""Rows of mailboxes that one Send frame makes, or one posting: some 20 ms of the loop. Without a
bound 4,096 postings to 5,000 devices are 20 million rows. The rest is asked for again."""

MAX_UNDECRYPTABLE_PARCELS = 2_048
MAX_UNDECRYPTABLE_BYTES = 64 * MIB
"""Parcels that one device has set aside; beyond it a quarter goes, the oldest first."""

MIN_CHARGED_BYTES = 256
"""What the smallest parcel or frame is counted as: about what it costs in memory besides."""

MAX_MISSING_NAMED = 20_000
"""Devices that do not exist, named over one link: each costs a look into the database."""

MAX_FANOUTS = 100_000
"""Fan-out lists the server keeps in memory before it forgets the least used."""

MAX_DELIVER_BYTES = 1 * MIB
"""Parcels in one Deliver frame, and read from disk at once for one device; or one parcel."""

MAX_READ_PARCELS = 256
"""Parcels read from disk at once for one device, so that the reader is soon free for another."""

MAX_REMOVED_BYTES = 8 * MIB
"""Acknowledged parcels that one command deletes, or one parcel: overwriting them takes as much of
the write-ahead log, and must be possible on a disk that is nearly full."""

USER_GROUP_ROWS = 64
"""Rows of one user in a group commit, before the next user's turn."""

GROUP_ROWS = 512
GROUP_BYTES = 1 * MIB
"""A group of so many rows or bytes, some 8 ms of the writer, takes no second part of any user, so
that what comes meanwhile waits for one part of each."""

MAX_GROUP_ROWS = 2_048
MAX_GROUP_BYTES = 4 * MIB
"""The largest group, or one posting."""

MAX_UNSTORED_BYTES = 256 * MIB
"""Parcels of all devices on their way to the disk; beyond it senders must wait."""

MAX_FANOUT_DEVICES = 2_000_000
"""Devices in all fan-out lists in memory, 8 bytes each."""

COMMIT_DAYS = 180
"""Days that the order of a Commit is kept. A device that was off line for longer, and changed a
conversation meanwhile, may have to join it anew; far beyond any leave from work."""

UNDECRYPTABLE_DAYS = 30
"""Days that a parcel is kept which its device could not open."""

MAX_DAILY_CLAIMS = 5
"""One-time key packages of one device that one user gets a day; then its last-resort one, so that
nobody uses up another's. Five new conversations with one person are a busy day."""

RESERVED_KEY_PACKAGES = 20
"""One-time key packages left to those whom their user knows; others get the last-resort one."""

CLAIMS_BURST = 6_000
CLAIMS_PER_SECOND = 10
"""Devices, and users without one, of whom one user may ask key packages: the largest group at once.
Beyond it, a user who tries all names of an enterprise waits."""

LOOK_AFTER_CLAIMS = 10
LOW_KEY_PACKAGES = 50
"""A device on line is told when fewer are left; its stock is looked at after so many claims."""

MAX_COUNTED_CLAIMS = 100_000
"""Pairs of a claiming user and a device whose claims of the day are counted, 200 bytes each."""

MAX_CLAIM_BYTES = 6 * MIB
"""Key packages in one answer, which must fit a frame; the device asks again for the rest."""
