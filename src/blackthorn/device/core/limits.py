"""Bounds of `device/core`: each with its name, its unit and its reason."""

from blackthorn.wire.units import MIB

MAX_CACHED_LEAVES = 8_192
"""Leaves of all groups that a process keeps in memory, about 10 kB each; one may be larger."""

MESSAGE_KEY_SECONDS = 3 * 24 * 3600
"""Message keys of a past epoch, for texts that were on their way while the group went on."""

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
