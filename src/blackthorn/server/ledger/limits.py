"""Bounds of `server/ledger`."""

from blackthorn.wire.units import MIB

MAX_STATEMENTS_PER_HOUR = 30
"""Statements of one user in an hour; by what takes rights back it may be passed."""

MAX_SUBMISSIONS_PER_HOUR = 120
"""Statements that one device submits in an hour, refused ones too: each costs a millisecond."""

RESERVED_STATEMENTS = 16
"""The last places of a chain, kept for cancels, revocations, resets and recovery."""

MAX_CACHED_CHAINS = 2_000
"""Verified chains that the server keeps in memory, 10 to 30 kB each."""

MAX_EPOCH_CHANGES = 2_000
"""Statements and typed entries in one epoch; more wait for the next. About 0.2 s of work."""

MAX_ENTRIES_BYTES = 2 * MIB
"""Entries of the log in one answer to a device; it asks again for the rest."""

MAX_CHAIN_PART_BYTES = 2 * MIB
"""Statements in one part of a chain; the device asks again for the rest."""

MAX_CACHED_ABSENCES = 10_000
"""Addresses of no user whose place in the map is remembered, 200 bytes each."""

LEDGER_RETRY_MS = 1_000
"""Pause before an epoch that the disk refused is stored again, as it was made."""

HEAD_AHEAD_MS = 60_000
"""How far a head's time may be ahead of the last cosignature and the monotonic time since."""

WITNESS_SILENT_MS = 60_000
"""A checkpoint that waits for its witnesses for longer makes the server not ready."""

WAITING_PAGE = 64
"""Statements that wait for an epoch, read in one query: 64 KiB each at most, 6 kB as a rule."""

LEAVES_PAGE = 128
"""Leaves of a published epoch read in one query, whose older certificates go in one command."""

RESETS_PAGE = 16
"""Pending resets looked at together after an epoch: each costs the reading of a chain."""
