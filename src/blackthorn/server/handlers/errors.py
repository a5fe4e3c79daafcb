"""The table of link codes for errors and refusals."""

from typing import Final

from blackthorn import errors
from blackthorn.link.codes import Code, LinkError
from blackthorn.server.messaging.postings import Reason

CODES: Final[tuple[tuple[type[Exception], Code], ...]] = (
    (errors.InputError, Code.MALFORMED),
    (errors.StorageError, Code.STORAGE),
    (errors.ConflictError, Code.NOT_NOW),
    (errors.AbsentError, Code.RECIPIENT_UNKNOWN),
    (errors.ForbiddenError, Code.NOT_NOW),
    (errors.UnavailableError, Code.BUSY),
)
"""Error → code of the Bye. Any other is a defect: INTERNAL."""

REFUSALS: Final[dict[Reason, Code]] = {
    Reason.STORAGE: Code.STORAGE,
    Reason.RECIPIENT_UNKNOWN: Code.RECIPIENT_UNKNOWN,
    Reason.MAILBOX_FULL: Code.MAILBOX_FULL,
    Reason.MARKET_LEFT: Code.MARKET_LEFT,
    Reason.EPOCH_TAKEN: Code.EPOCH_TAKEN,
    Reason.EPOCH_AHEAD: Code.EPOCH_AHEAD,
}
"""Refusal of a posting → code of its Refused."""


def farewell(error: Exception) -> tuple[Code, str]:
    """Code and text of the Bye for an error; empty text for a defect."""
    if isinstance(error, LinkError):
        return error.code, str(error)
    code = next((code for kind, code in CODES if isinstance(error, kind)), Code.INTERNAL)
    return code, "" if code is Code.INTERNAL else str(error)
