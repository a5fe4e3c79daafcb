"""Bounds of `governance`: each with its name, its unit and its reason."""

from blackthorn.wire.units import KIB, MIB

MAX_CASE_STATEMENTS = 256
"""Decisions in one case; a gag that is extended monthly for ten years makes 120."""

MAX_DIRECTIVE_ACCOUNTS = 25
"""Accounts that one directive may name, whatever the settings say: a person reads each name."""

MAX_OFFICERS = 64
"""Officers of one enterprise at a time."""

MAX_GAG_MS = 366 * 24 * 3_600_000
"""The longest gag without a new decision, in milliseconds: a year."""

MAX_CANARY_MS = 400 * 24 * 3_600_000
"""The longest that a statement of what was never done holds, in milliseconds."""

MAX_PACKAGE_FILES = 250_000
"""Files of one production package: their names and hashes are in memory, about 300 bytes each."""

MAX_PACKAGE_BYTES = 64 * 1024 * MIB
"""All files of one production package; a check that reads more is being kept busy."""

MAX_PACKAGE_TAG_BYTES = 64 * MIB
"""One file of a package beside its payload: the lines of 250,000 names and hashes."""

MAX_PACKAGE_NAME_BYTES = 240
"""A name in a package, without its top folder: what a ustar header holds, and file systems take."""

MAX_TAR_EXTENSION_BYTES = 64 * KIB
"""A pax header or long name in a repacked package, held in memory: names, times, attributes."""

MAX_CLOSURE_BYTES = 128 * MIB
"""A closure's published statement: a line of 77 bytes for each person, of a million at most."""

MAX_LEDGER_LAG_MS = 3_600_000
"""Milliseconds by which an event that an officer enters may be later than the ledger's time: the
time of an idle ledger is that of its last heartbeat."""
