"""Refusals of the mail plane with their SMTP replies (RFC 5321, 4.2; RFC 3463)."""

from blackthorn.errors import InputError, SecurityError


class MailRefusedError(InputError):
    """A refused e-mail: `code` 4xx to try again later, 5xx final; `status` of RFC 3463."""

    def __init__(self, code: int, status: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.status = status

    @property
    def reply(self) -> str:
        """The reply line without its line end."""
        return f"{self.code} {self.status} {self}"


class SealBrokenError(SecurityError):
    """A stored mail was altered, is damaged, or is not sealed to this user."""


def too_large(what: str) -> MailRefusedError:
    """552 5.3.4: above a size bound."""
    return MailRefusedError(552, "5.3.4", what)


def too_complex(what: str) -> MailRefusedError:
    """554 5.6.0: above a bound on parts, fields or parameters."""
    return MailRefusedError(554, "5.6.0", what)


def malformed(what: str) -> MailRefusedError:
    """550 5.6.11: forbidden bytes."""
    return MailRefusedError(550, "5.6.11", what)


def looping(what: str) -> MailRefusedError:
    """554 5.4.6: a routing loop."""
    return MailRefusedError(554, "5.4.6", what)
