"""Bounds of `storage`."""

from blackthorn.wire.units import KIB

MAX_REMEMBERED_COMMITS = 256
"""Commits of one conversation whose tokens are kept, to recognise a repetition."""

MAX_REMOVED_PARCELS = 256
"""Parcels that are deleted together with their device; a purge deletes the others in steps."""

MAX_CACHED_DEVICES = 50_000
"""Devices whose market the writer keeps in memory: more than can be connected at once."""

MAX_COSIGNED_HISTORY = 4_096
"""Checkpoints of one log that a witness stores, to detect a fork."""

MAX_WITNESSED_LOGS = 1_024
"""Logs that one witness serves; the state of each is about 1 kB, its history 2 MB at most."""

STATEMENT_PART_BYTES = 256 * KIB
"""A closure's statement is written in parts of this size, so that each is written in 1 ms."""

MAX_CLOSURE_SAMPLE_BYTES = 64 * KIB
"""A mail that is kept as a closure's sample, so that a statement stays small."""

ROWS_OF_A_PIECE = 16
"""A piece of a mail counts as so many rows where a command moves or deletes rows: about 2 ms."""

TRUNCATE_MILLISECONDS = 20
"""How long truncating the write-ahead log waits for readers: every commit waits with it."""
