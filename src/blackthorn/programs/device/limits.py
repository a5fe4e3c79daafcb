"""Bounds of `programs/device`: each with its name, its unit and its reason."""

CLOCK_APART_SECONDS = 300
"""Difference between the device's clock and the ledger's time from which the person is told."""

MAX_DECISIONS = 131_072
"""Decisions that a device replays: 10,000 directives are 70,000 of them, about 8 kB each."""

MAX_WORD_ATTEMPTS = 3
"""Times that `recovery create` asks for one word again: a slip of the finger voids no paper."""
