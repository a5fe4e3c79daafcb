"""Users and devices as rows, for tests of stores."""

from blackthorn.storage.sqlite.database import Database


def add_people(database: Database, count: int, after: int = 0) -> None:
    """`count` users from number `after` + 1 on, each with the device of their own number."""
    for number in range(after + 1, after + count + 1):
        database.writing.execute(
            "INSERT OR IGNORE INTO users (number, address, pin, created_ms) VALUES (?, ?, ?, 0)",
            (number, f"u{number}@acme.example", f"{number:08X}"),
        )
        database.writing.execute(
            "INSERT OR IGNORE INTO devices VALUES (?, ?, ?, x'00', 'phone', 'live', 0)",
            (number, number.to_bytes(16, "big"), number),
        )
