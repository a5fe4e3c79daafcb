"""Bounds of `device/operations`: each with its name, its unit and its reason."""

FAILURE_SECONDS = 30 * 24 * 3600
"""How long a device keeps why an operation was given up, unless its person has seen it earlier."""

MAX_FAILURES = 1_000
"""Given-up operations that a device keeps for its person to see; beyond them the oldest go."""

MAX_FAILURE_TEXT_CHARS = 80
"""Characters of a message that are kept with why it was given up, to know it again."""

GONE_DEVICE_SECONDS = 120
"""How long an operation waits until the ledger shows that a device which the server does not know
was revoked."""

MAX_STATEMENT_TRIES = 8
"""How often a statement is made again because the user's chain has moved on meanwhile."""

OUTBOX_HANDOVER_SECONDS = 10
"""After this time the receiving process also sends what another process left in the outbox."""
