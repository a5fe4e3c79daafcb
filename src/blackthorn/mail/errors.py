"""What the mail plane refuses, with the SMTP reply (RFC 5321, 4.2; RFC 3463) it is refused by."""

from blackthorn.errors import InputError, SecurityError


class MailRefusedError(InputError):
    """An e-mail that is not accepted. `code` and `status` are its SMTP reply and RFC 3463 status.

    A 4xx code asks the sender to try again later; a 5xx code is final.
    """

    def __init__(self, code: int, status: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.status = status

    @property
    def reply(self) -> str:
        """The reply line without its line end."""
        return f"{self.code} {self.status} {self}"


class SealBrokenError(SecurityError):
    """A stored mail is not what was sealed: altered, damaged, or not sealed to this user."""


def too_large(what: str) -> MailRefusedError:
    """552 5.3.4: larger than a bound in bytes."""
    return MailRefusedError(552, "5.3.4", what)


def too_complex(what: str) -> MailRefusedError:
    """554 5.6.0: more parts, fields or parameters than a bound."""
    return MailRefusedError(554, "5.6.0", what)


def malformed(what: str) -> MailRefusedError:
    """550 5.6.11: bytes that no mail may hold."""
    return MailRefusedError(550, "5.6.11", what)


def looping(what: str) -> MailRefusedError:
    """554 5.4.6: a routing loop."""
    return MailRefusedError(554, "5.4.6", what)
