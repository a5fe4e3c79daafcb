"""The port to markets: their keys, which lie apart from the data, and whose user is of which."""

from typing import Protocol

from blackthorn.crypto.secret import Secret
from blackthorn.ids import Address
from blackthorn.ports.exits import NoteAct
from blackthorn.ports.store import Command, Query


class MarketKeys(Protocol):
    """One 32-byte key for each market (ISO 3166-1 alpha-2, or ZZ when it is not stated)."""

    def key(self, market: str) -> Secret | None:
        """The market's key, None once it was destroyed.

        Raises StorageError, which names the file, when there is none and there should be. May be
        called by the event loop and by the threads of the store at the same time.
        """


class FindMarkets(Query[list[str | None]]):
    """The market of each of these users, None for who does not exist. For a few at a time."""

    addresses: tuple[Address, ...]


class MoveUser(Command[bool]):
    """Wrap at most `limit` of a user's rows anew under the key of `market`; True when done.

    The user's market changes in the step that finds nothing left; until then what arrives is
    wrapped under the old key. Raises AbsentError when there is no such user, and StorageError
    when either key is gone.
    """

    address: Address
    market: str
    limit: int
    note: NoteAct | None = None
    """The move as an act in the exit of the market before, noted when it is done."""


class WrapStored(Command[bool]):
    """Wrap at most `limit` rows from before markets; True when none is left.

    Rows of a device or user that is gone are deleted.
    """

    limit: int
