"""Bounds of `server/markets`: each with its name, its unit and its reason."""

MAX_CLOSURE_SAMPLES = 8
"""Wrapped mails that a closure keeps to show that nothing opens them any more."""

CLOSURE_PERSONS = 100
"""Persons in one step of a closure, whose receipts are made between two other commits."""

CLOSURE_ROWS = 50
"""Rows that one step of a closure deletes and overwrites; others' commits wait for it."""
