"""Bounds of `device/core`: each with its name, its unit and its reason."""

from blackthorn.wire.units import MIB

MAX_CACHED_LEAVES = 8_192
"""Leaves of all groups that a process keeps in memory, about 10 kB each; one may be larger."""

MESSAGE_KEY_DAYS = 3
"""Message keys of a past epoch, for texts that were on their way while the group went on, unless
the device's user has set other days."""

LEAST_MESSAGE_KEY_DAYS = 1
MOST_MESSAGE_KEY_DAYS = 30
"""Bounds of that setting: a text waits for a night at least, and beyond KEPT_EPOCH_SECONDS the
envelope key is gone."""

RENEWAL_DAYS = 7
RENEWAL_MESSAGES = 1_000
"""Days of use and own messages after which a leaf gets new keys, unless the device's user has set
others; with over 1,000 devices in a conversation more days, in proportion."""

LEAST_RENEWAL_DAYS = 1
LEAST_RENEWAL_MESSAGES = 100
"""Lower bounds of these settings: every member follows each renewal, of up to 26 kB among 1,000."""

MOST_RENEWAL_DAYS = 30
MOST_RENEWAL_MESSAGES = 10_000
"""Upper bounds: who was away for 30 days renews in any case, and no stolen copy reads for ever."""

MIN_KEPT_EPOCHS = 5
"""Newest past epochs whose keys stay however old they are."""

MAX_EPOCHS_WITH_KEYS = 1_024
MAX_KEPT_KEY_BYTES = 4 * MIB
"""Message keys of a conversation's past epochs: 87 epochs of 1,000 members."""

KEPT_EPOCH_SECONDS = 30 * 24 * 3600
"""Envelope key and sender data secret of a past epoch: whose message cannot be read any more."""

MAX_KEPT_EPOCHS = 8_192
"""Past epochs of a conversation, about 330 bytes each: 30 days of one among 1,000 have 4,100."""

MAX_WHOLE_BYTES = 4 * MIB - 64
"""One MLS message in one parcel of 4 MiB with its envelope; a larger one is in two parts."""

MAX_PARTED_BYTES = 7_500_000
"""One MLS message in two parcels: the first Commit with a path among 5,000 devices has 6.6 MB."""

MAX_WAITING_PARTS = 8
"""Parts of messages whose other part has not come, of 4 MiB at most; the oldest go first."""

MAX_TREE_PARTS = 4
MAX_TREE_PART_BYTES = 3_670_016
"""Parts of one tree and bytes of one, 3.5 MiB: a filled tree of 5,000 devices has 13.6 MB."""

MAX_TREE_USERS = 8
"""Members whom a Welcome names to be asked if a part of its tree never comes."""

MAX_EXPECTED_TREES = 256
MAX_WAITING_TREE_PARTS = 16
"""Welcomes whose tree is still to come, and parts kept for them; the oldest go first."""

FAILURE_SECONDS = 30 * 24 * 3600
"""Retention of an unseen failure."""

MAX_FAILURES = 1_000
"""Stored failures; beyond them the oldest are deleted."""
