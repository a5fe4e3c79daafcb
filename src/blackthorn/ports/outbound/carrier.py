"""The port to whatever carries mail to other domains: SMTP in service, a fake in tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from blackthorn.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of one recipient: the reply's code, its status (RFC 3463), text and server.

    Replies that we give ourselves, as for a domain without mail, have server "".
    """

    code: int
    status: str
    text: str
    server: str = ""

    @property
    def accepted(self) -> bool:
        return self.code < 300

    @property
    def final(self) -> bool:
        """Whether a later attempt is of no use (5xx)."""
        return self.code >= 500


class CarrierError(UnavailableError):
    """No reply was had, or one for all recipients: `reply` says what to tell of it.

    `unsent`: the connection was lost before the server had answered for the mail at all.
    """

    def __init__(self, reply: Reply, *, unsent: bool = False) -> None:
        super().__init__("mail could not be handed over")
        self.reply = reply
        self.unsent = unsent


class Connection(Protocol):
    """One connection to a server of a domain, for one mail after another."""

    async def send(self, sender: str, recipients: Sequence[str], content: bytes) -> list[Reply]:
        """Hand over one mail, CRLF and without doubled dots; a reply for each recipient.

        Raises CarrierError when there is none: the mail may then have arrived.
        """

    async def close(self) -> None:
        """End the connection; never raises."""


class Carrier(Protocol):
    async def connect(self, domain: str) -> Connection:
        """Raises CarrierError, with a final reply when the domain takes no mail."""
