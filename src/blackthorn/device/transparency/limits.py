"""Bounds of `device/transparency`: each with its name, its unit and its reason."""

MAX_ALARMS_PER_CODE = 200
"""Stored alarms of one code: a dishonest server cannot fill the disk."""

MAX_WAITING_GOSSIP = 64
"""Pending checkpoints of peers; beyond them the oldest are dropped."""

LOOKUP_FRESH_SECONDS = 3600
"""Age of a lookup before a first message, by the device's clock and by the witnesses'."""

DIRECTORY_STALE_SECONDS = 24 * 3600
"""Age of the newest cosignatures when only known people are looked up again."""

SILENT_LEDGER_SECONDS = 24 * 3600
"""Without a newer verified epoch for so long no text goes: revocations may be withheld."""

OWN_CHECK_SECONDS = 6 * 3600
"""How often a connected device looks at its own user's entry in the ledger."""

OWN_CHANGE_SECONDS = 60
"""Time in which the ledger shows a change of one's own, unless witnesses are silent."""

PENDING_USER_SECONDS = 2
"""After this time a user who is known and not yet in the ledger is looked up again."""

MAX_REPLAY_USERS = 20_000
REPLAY_SECONDS = 3600
REPLAY_ANSWER_SECONDS = 60
"""Largest directory that devices replay (55 kB a day), the interval, and the answer timeout, which
is the interval as well while an alarm on the ledger's time is open."""

MAX_KEPT_LOG_BYTES = 3_000_000
"""Replayed log entries kept as evidence: in base64 they fit a file of evidence."""

COPY_AGAIN_SECONDS = 30 * 24 * 3600
"""A second copy of this device's folder within this time is a copy in use, not another backup."""

KEPT_HELLOS = 256
"""Hellos kept behind the newest answered one, for processes that connect at once; all after it."""

MAX_CHAIN_TRIES = 3
"""Lookups of one user in a row whose chain was overtaken by the next epoch."""
