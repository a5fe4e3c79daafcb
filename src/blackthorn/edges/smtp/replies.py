"""The table of SMTP replies for errors (RFC 5321, 4.2; RFC 3463)."""

import asyncio
from typing import Final

from blackthorn import errors
from blackthorn.mail.errors import MailRefusedError
from blackthorn.server.mail.quota import MailboxBusyError, MailboxFullError
from blackthorn.server.mail.recipient_policy import RecipientRefusedError, Refusal

_FAULT: Final = (451, "4.3.0", "the server failed; try again")

REPLIES: Final[dict[type[Exception], tuple[int, str, str]]] = {
    MailboxFullError: (452, "4.2.2", "the mailbox is full; try again later"),
    MailboxBusyError: (450, "4.2.1", "the mailbox gets too much mail; try again later"),
    errors.StorageError: (452, "4.3.1", "the mail could not be stored; try again later"),
    errors.UnavailableError: (451, "4.3.0", "the mail cannot be taken now; try again later"),
    errors.ConflictError: (451, "4.3.0", "the mail cannot be taken now; try again later"),
    errors.AbsentError: (550, "5.1.1", "there is no such user here"),
    errors.ForbiddenError: (550, "5.7.1", "the mail is not taken for that user"),
    errors.LimitError: (552, "5.3.4", "the mail is too large"),
    errors.InputError: (554, "5.6.0", "the mail cannot be processed"),
    errors.DefectError: _FAULT,
}
"""The nearest class counts; without one it is a fault of ours, without details."""

RECIPIENTS: Final[dict[Refusal, tuple[int, str]]] = {
    Refusal.NOT_RELAYED: (550, "5.7.1"),
    Refusal.UNKNOWN: (550, "5.1.1"),
    Refusal.NO_CERTIFICATE: (450, "4.2.1"),
    Refusal.EXPIRED: (450, "4.2.1"),
    Refusal.UNSEALABLE: (450, "4.2.1"),
    Refusal.REVOKED: (550, "5.2.1"),
    Refusal.MOVED: (551, "5.1.6"),
    Refusal.LEFT: (550, "5.1.6"),
    Refusal.NO_POSTMASTER: (450, "4.2.1"),
}
"""Refusal of a recipient → reply code and status."""


def refusal(error: Exception) -> MailRefusedError:
    """The reply to an error; the event loop's handler logs and counts a defect."""
    if isinstance(error, MailRefusedError):
        return error
    if isinstance(error, RecipientRefusedError):
        return MailRefusedError(*RECIPIENTS[error.refusal], str(error))
    kinds = [kind for kind in type(error).__mro__ if kind in REPLIES]
    if not kinds or kinds[0] is errors.DefectError:
        context = {"message": "SMTP failed", "exception": error, "work": "SMTP"}
        asyncio.get_running_loop().call_exception_handler(context)
    return MailRefusedError(*(REPLIES[kinds[0]] if kinds else _FAULT))
