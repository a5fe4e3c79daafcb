"""Bounds of `device/operations`: each with its name, its unit and its reason."""

from blackthorn.wire.units import MIB

OUTCOME_SECONDS = 24 * 3600
"""How long a device keeps what became of an operation, for the process that waits for it."""

MAX_OUTCOMES = 10_000
"""Outcomes that a device keeps; beyond them the oldest go. A command waits 30 s for its own."""

MAX_FAILURE_TEXT_CHARS = 80
"""Characters of a message stored with its failure."""

GONE_DEVICE_SECONDS = 120
"""Wait for the ledger to show the revocation of a device that the server does not know."""

MAX_STATEMENT_TRIES = 8
"""Times that a statement is signed again because the chain has moved on."""

REFUSED_SECONDS = 30
REFUSED_MOST_SECONDS = 3600
"""Wait before a refused statement is stated again: the first, doubled each time; the longest."""

LOOKUP_WAIT_SECONDS = 120
"""How long a Commit that ends what is noted waits for lookups; then noted additions go out."""

OUTBOX_HANDOVER_SECONDS = 10
"""After this time the receiving process also sends other processes' rows."""

REDELIVERY_SECONDS = 60
REDELIVERY_MOST_SECONDS = 6 * 3600
REDELIVERY_DAYS = 14
"""Wait before a device is tried again that the server left out: the first, doubled each time; the
longest; and after how long the person is told that it got nothing: a long holiday."""

MAX_REDELIVERIES = 256
MAX_REDELIVERY_BYTES = 16 * MIB
"""Postings that wait for devices which were left out; beyond either the oldest is given up."""

MAX_ADDED_WITH_PATH = 128
"""Devices added by one Commit with a path, which encrypts to each of the members besides."""

MAX_ADDED_WITHOUT_PATH = 1_400
"""Devices added by one Commit without a path: about 4 MB; more come by further ones."""

MAX_MEMBERS_WITH_TREE = 500
"""Devices of a group whose ratchet tree is in the Welcome: up to 1.4 MB; else it follows."""

MAX_CLAIM_TRIES = 3
"""Times that a device's key package is claimed when none could be used; then it is left out."""

UNPUBLISHED_SECONDS = 60
"""Wait for the ledger to show a device of which the server has a key package."""

PIECES_AHEAD = 4
"""Pieces of a mail sent before the server has answered: 10 MB/s at 100 ms there and back."""
