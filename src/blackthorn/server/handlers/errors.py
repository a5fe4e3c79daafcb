"""Which code of the link each kind of error and each refusal has: the one table."""

from typing import Final

from blackthorn.errors import (
    AbsentError,
    ConflictError,
    ForbiddenError,
    InputError,
    StorageError,
    UnavailableError,
)
from blackthorn.link.codes import Code, LinkError
from blackthorn.server.messaging.postings import Reason

CODES: Final[tuple[tuple[type[Exception], Code], ...]] = (
    (InputError, Code.MALFORMED),
    (StorageError, Code.STORAGE),
    (ConflictError, Code.NOT_NOW),
    (AbsentError, Code.RECIPIENT_UNKNOWN),
    (ForbiddenError, Code.NOT_NOW),
    (UnavailableError, Code.BUSY),
)
"""Kind of error → code of the Bye that ends the link. Any other is a defect: INTERNAL."""

REFUSALS: Final[dict[Reason, Code]] = {
    Reason.STORAGE: Code.STORAGE,
    Reason.RECIPIENT_UNKNOWN: Code.RECIPIENT_UNKNOWN,
    Reason.MAILBOX_FULL: Code.MAILBOX_FULL,
    Reason.MARKET_LEFT: Code.MARKET_LEFT,
    Reason.EPOCH_TAKEN: Code.EPOCH_TAKEN,
    Reason.EPOCH_AHEAD: Code.EPOCH_AHEAD,
}
"""Why a posting was refused → the code of its Refused."""


def farewell(error: Exception) -> tuple[Code, str]:
    """The code and text of the Bye for an error; of a defect the peer is told no more."""
    if isinstance(error, LinkError):
        return error.code, str(error)
    code = next((code for kind, code in CODES if isinstance(error, kind)), Code.INTERNAL)
    return code, "" if code is Code.INTERNAL else str(error)
