"""The market's layer between the tables and their users.

A row's `market` names its key, so that a user can be moved to another market row by row while mail
and parcels arrive. An empty market is an unwrapped row from before markets; the server wraps it
after its next start.
"""

import hmac
from collections import deque
from collections.abc import Callable
from typing import Final

from blackthorn.crypto import market_wrap
from blackthorn.crypto.market_wrap import CHUNK_BYTES, PREFIX_BYTES, WRAPPED_CHUNK_BYTES
from blackthorn.crypto.secret import Secret
from blackthorn.errors import DamageError
from blackthorn.ports.markets import MarketKeys
from blackthorn.storage import limits
from blackthorn.storage.sqlite.database import Connection

_DRAWN: Final = 256
"""Prefixes of rows drawn at once: the system is asked once for as many rows."""

_MAILBOX_KEY: Final = b"blackthorn-mailbox-senders-v1\0"

UNWRAPPED: Final = ""
"""The market of a row from before markets."""

MARKET_OF_DEVICE: Final = (
    "SELECT users.market FROM devices JOIN users ON users.number = devices.user"
    " WHERE devices.number = ?"
)


def plain_size(sealed: str, market: str) -> str:
    """SQL for the size of a row's sealed bytes without the market's layer."""
    inner = f"(length({sealed}) - {PREFIX_BYTES})"
    chunks = f"(({inner} + {WRAPPED_CHUNK_BYTES - 1}) / {WRAPPED_CHUNK_BYTES})"
    unwrapped = f"{inner} - {market_wrap.TAG_BYTES} * {chunks}"
    return f"CASE {market} WHEN '' THEN length({sealed}) ELSE {unwrapped} END"


class Wrapping:
    """Wraps and unwraps with `keys`; `random` returns fresh bytes."""

    def __init__(self, keys: MarketKeys, random: Callable[[int], bytes]) -> None:
        self._keys = keys
        self._random = random
        self._prefixes: deque[bytes] = deque()

    def open(self, market: str) -> bool:
        """Whether the market's key was not destroyed. Raises StorageError when it is missing."""
        return self._keys.key(market) is not None

    def mailbox_key(self, market: str, device: int) -> bytes:
        """16 bytes by which the senders of a device's parcels are told apart; b"": destroyed."""
        key = self._keys.key(market)
        if key is None:
            return b""
        return hmac.digest(key.expose(), _MAILBOX_KEY + device.to_bytes(8, "big"), "sha256")[:16]

    def wrap(self, market: str, data: bytes | bytearray | memoryview) -> bytes:
        """Raises StorageError when the market's key is missing or destroyed."""
        return market_wrap.wrap(self._key(market), data, self._prefix())

    def unwrap(self, market: str, wrapped: bytes) -> bytes:
        """Raises StorageError when the key is missing, destroyed, or another."""
        if market == UNWRAPPED:
            return wrapped
        return market_wrap.unwrap(self._key(market), wrapped)

    def read(
        self, market: str, size: int, offset: int, length: int, read: Callable[[int, int], bytes]
    ) -> bytes:
        """At most `length` of `size` wrapped bytes from `offset` on.

        `read(start, count)` returns stored bytes, only of the chunks needed.
        """
        end = min(size, offset + length)
        if market == UNWRAPPED:
            return read(offset, end - offset)
        key = self._key(market)
        first, last = offset // CHUNK_BYTES, max(0, end - 1) // CHUNK_BYTES
        start = PREFIX_BYTES + first * WRAPPED_CHUNK_BYTES
        stop = min(market_wrap.wrapped_size(size), PREFIX_BYTES + (last + 1) * WRAPPED_CHUNK_BYTES)
        ends = last == max(0, size - 1) // CHUNK_BYTES
        prefix, chunks = read(0, PREFIX_BYTES), read(start, stop - start)
        text = market_wrap.unwrap_chunks(key, prefix, chunks, first, last=ends)
        return text[offset - first * CHUNK_BYTES : end - first * CHUNK_BYTES]

    def _prefix(self) -> bytes:
        """Each only once, in any thread: taking one from a deque is atomic."""
        try:
            return self._prefixes.popleft()
        except IndexError:
            drawn = self._random(_DRAWN * PREFIX_BYTES)
            places = range(0, len(drawn), PREFIX_BYTES)
            first, *others = (drawn[place : place + PREFIX_BYTES] for place in places)
            self._prefixes.extend(others)
            return first

    def _key(self, market: str) -> Secret:
        key = self._keys.key(market)
        if key is None:
            raise DamageError(f"the key of market {market} was destroyed")
        return key


class DeviceMarkets:
    """The market of each device in the writer's transaction.

    Cached until any user's market changes, also from another process.
    """

    def __init__(self) -> None:
        self._change: int | None = None
        self._known: dict[int, str] = {}

    def refresh(self, connection: Connection) -> None:
        """Once in each transaction, before `of`."""
        change: int = connection.execute("SELECT number FROM market_change").get
        if change != self._change or len(self._known) >= limits.MAX_CACHED_DEVICES:
            self._known.clear()
            self._change = change

    def of(self, connection: Connection, device: int) -> str | None:
        """The market of the device's user; None for an unknown device."""
        market = self._known.get(device)
        if market is None:
            market = connection.execute(MARKET_OF_DEVICE, (device,)).get
            if market is not None:
                self._known[device] = market
        return market
