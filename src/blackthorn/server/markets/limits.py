"""Bounds of `server/markets`."""

MAX_CLOSURE_SAMPLES = 8
"""Wrapped mails that a closure keeps to show that nothing opens them any more."""

CLOSURE_PERSONS = 100
"""Persons in one step of a closure, whose receipts are made between two other commits."""

CLOSURE_ROWS = 50
"""Rows that one step of a closure deletes and overwrites; others' commits wait for it."""

NOTICE_PAGE = 256
"""Users of a market in one search for people without a notice: about 1 ms."""

LEAF_PAGE = 512
"""Leaf hashes of receipts that are added to their tree in one turn of the event loop: 1 ms."""

ADDRESS_PAGE = 1_000
"""Users of a market that one query reads for an exit's facts: 1 ms."""

MAX_CACHED_TREES = 2
"""Trees over the receipts of closures kept in memory: 6.4 MB each at 100,000 persons."""
