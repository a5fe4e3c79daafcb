"""What the server says of the user's mail, checked against bounds and its own word as it comes."""

from collections.abc import Mapping
from typing import Final

from blackthorn.device.mail import limits
from blackthorn.errors import OverrunError
from blackthorn.link import frames as f

_KEPT: Final = "this device keeps the list that it has; tell your administrator"


class Listing:
    """The mail with a uid above `after`, page by page."""

    def __init__(self, after: int) -> None:
        self.entries: list[f.MailEntry] = []
        self.last = after
        """The uid after which the next page begins."""

    def add(self, page: f.MailListing) -> bool:
        """Keep a page; whether another one follows. Raises OverrunError."""
        for entry in page.entries:
            if entry.uid <= self.last:
                raise OverrunError(f"the server lists mail in another order than it came; {_KEPT}")
            if entry.size > limits.MAX_SEALED_BYTES:
                raise OverrunError(f"the server lists a mail that is larger than any; {_KEPT}")
            self.last = entry.uid
        if page.more and not page.entries:
            raise OverrunError(f"the server says that more mail follows and lists none; {_KEPT}")
        if len(self.entries) + len(page.entries) > limits.MAX_LISTED_MAILS:
            most = limits.MAX_LISTED_MAILS
            raise OverrunError(f"the server lists more than {most} mails; {_KEPT}")
        self.entries += page.entries
        return page.more


class Pieces:
    """The pieces of one mail, which has the size that was listed."""

    def __init__(self, entry: f.MailEntry) -> None:
        self._entry = entry
        self._data = bytearray()

    @property
    def offset(self) -> int:
        """Where the next piece begins."""
        return len(self._data)

    def add(self, chunk: f.MailChunk) -> bytes | None:
        """The whole mail, or None while pieces are missing. Raises OverrunError."""
        entry, end = self._entry, len(self._data) + len(chunk.data)
        if chunk.total != entry.size or end > entry.size:
            raise OverrunError(f"the server gives mail {entry.uid} in another size than it listed")
        if end < entry.size and not chunk.data:
            raise OverrunError(f"the server gives only a part of mail {entry.uid}")
        self._data += chunk.data
        return bytes(self._data) if end == entry.size else None


def check_asked(chunk: f.MailChunk, asked: Mapping[int, int]) -> None:
    """Raises OverrunError for an answer to a request that does not wait. `asked`: uids."""
    if asked.get(chunk.request) != chunk.uid:
        raise OverrunError("the server sends pieces of mail that were not asked for")
