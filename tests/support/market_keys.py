"""Market keys in memory, for tests that store sealed bytes and need no folder."""

import hashlib
import secrets

from blackthorn.crypto.secret import Secret
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.wrapping import Wrapping


class MemoryKeys:
    """Every market has a key, made of its name and `label`, until it is destroyed."""

    def __init__(self, label: bytes = b"") -> None:
        self.label = label
        self.destroyed: set[str] = set()

    def key(self, market: str) -> Secret | None:
        if market in self.destroyed:
            return None
        return Secret(hashlib.sha256(self.label + market.encode()).digest())


def wrapping() -> Wrapping:
    """A wrapping under keys in memory."""
    return Wrapping(MemoryKeys(), secrets.token_bytes)


def add_people(database: Database, count: int, after: int = 0) -> None:
    """`count` users from number `after` + 1 on, each with the device of their own number."""
    for number in range(after + 1, after + count + 1):
        database.writing.execute(
            "INSERT INTO users (number, address, pin, created_ms) VALUES (?, ?, ?, 0)",
            (number, f"u{number}@acme.example", f"{number:08X}"),
        )
        database.writing.execute(
            "INSERT INTO devices VALUES (?, ?, ?, x'00', 'phone', 'live', 0)",
            (number, number.to_bytes(16, "big"), number),
        )
