"""The port to the keys of markets, which lie apart from the data."""

from typing import Protocol

from blackthorn.crypto.secret import Secret


class MarketKeys(Protocol):
    """One 32-byte key for each market (ISO 3166-1 alpha-2, or ZZ when it is not stated)."""

    def key(self, market: str) -> Secret | None:
        """The market's key, None once it was destroyed.

        Raises StorageError, which names the file, when there is none and there should be. May be
        called by the event loop and by the writer's thread at the same time.
        """
        ...
