"""Who writes what to whom: the header of a mail before it is written (RFC 5322, 3.6)."""

from dataclasses import dataclass

from blackthorn.errors import DecodeError, UserError
from blackthorn.mail.compose import limits
from blackthorn.wire.address import domain_of, parse_address


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A person in From, To or Cc: an address, and a name or ""."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail's header. `date` is Unix seconds, `message_id` and its like are with brackets.

    Bcc recipients are not here.
    """

    sender: Mailbox
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    subject: str
    date: int
    message_id: str
    in_reply_to: str = ""
    references: tuple[str, ...] = ()


def mail_address(text: str) -> str:
    """An address to write to; its domain in lower case, its local part as given.

    A local part is its server's own affair (RFC 5321, 2.4). Raises UserError.
    """
    try:
        checked = parse_address(text)
    except DecodeError as error:
        shown = text if len(text) <= limits.MAX_NAME_CHARS else f"{text[: limits.MAX_NAME_CHARS]}…"
        raise UserError(f"{shown}: {error}") from None
    return f"{text.rpartition('@')[0]}@{domain_of(checked)}"


def check_subject(text: str) -> None:
    """Raises UserError for a subject of bytes that are no UTF-8, as a command line can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError("the subject is not UTF-8: type it again") from None


def check_recipients(addresses: list[str]) -> None:
    """Raises UserError for a mail to nobody, or to more than MAX_ADDRESSED."""
    if not addresses:
        raise UserError("the mail has no recipient: name at least one address")
    if len(addresses) > limits.MAX_ADDRESSED:
        raise UserError(
            f"a mail goes to at most {limits.MAX_ADDRESSED} recipients, not {len(addresses)}: "
            "send several"
        )
