"""Bounds of `device/operations`: each with its name, its unit and its reason."""

FAILURE_SECONDS = 30 * 24 * 3600
"""Retention of an unseen failure."""

OUTCOME_SECONDS = 24 * 3600
"""How long a device keeps what became of an operation, for the process that waits for it."""

MAX_OUTCOMES = 10_000
"""Outcomes that a device keeps; beyond them the oldest go. A command waits 30 s for its own."""

MAX_FAILURES = 1_000
"""Stored failures; beyond them the oldest are deleted."""

MAX_FAILURE_TEXT_CHARS = 80
"""Characters of a message stored with its failure."""

GONE_DEVICE_SECONDS = 120
"""Wait for the ledger to show the revocation of a device that the server does not know."""

MAX_STATEMENT_TRIES = 8
"""Times that a statement is signed again because the chain has moved on."""

REFUSED_SECONDS = 30
REFUSED_MOST_SECONDS = 3600
"""Wait before a refused statement is stated again: the first, doubled each time; the longest."""

OUTBOX_HANDOVER_SECONDS = 10
"""After this time the receiving process also sends other processes' rows."""

MAX_CLAIM_TRIES = 3
"""Times that a device's key package is claimed when none could be used; then it is left out."""

UNPUBLISHED_SECONDS = 60
"""Wait for the ledger to show a device of which the server has a key package."""
