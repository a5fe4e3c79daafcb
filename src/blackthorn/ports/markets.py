"""The port to markets: their keys, stored apart from the data, and their users."""

from typing import Protocol

from blackthorn.crypto.secret import Secret
from blackthorn.ids import Address
from blackthorn.ports.governance.exits import NoteAct
from blackthorn.ports.store import Command, Query


class MarketKeys(Protocol):
    """One 32-byte key per market (ISO 3166-1 alpha-2, or ZZ: not stated)."""

    def key(self, market: str) -> Secret | None:
        """The market's key, None once destroyed. Thread-safe.

        Raises StorageError, which names the file, when a key is missing.
        """


class FindMarkets(Query[list[str | None]]):
    """The market of each of a few users, None for an unknown one."""

    addresses: tuple[Address, ...]


class MoveUser(Command[bool]):
    """Rewrap at most `limit` of a user's rows under the key of `market`; True when done.

    The user's market changes in the last step; until then new rows use the old key. Raises
    AbsentError without such a user, StorageError when either key is gone.
    """

    address: Address
    market: str
    limit: int
    note: NoteAct | None = None
    """The move as an act in the old market's exit, recorded when it is done."""


class WrapStored(Command[bool]):
    """Wrap at most `limit` rows from before markets; True when none remains."""

    limit: int
