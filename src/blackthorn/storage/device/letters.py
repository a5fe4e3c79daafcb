"""Mail that the person writes, in SQL (`ports.device_letters`)."""

from blackthorn.errors import DamageError
from blackthorn.ports.device_letters import CONTENT, LetterRecord
from blackthorn.storage.device.records import Table
from blackthorn.storage.rows import values

_LETTER = "SELECT number, standing, changed_ms, head, why FROM letter"
_MISSING = "a part of a stored mail is missing in this device's database"


class Letters(Table):
    """`ports.device_letters.Letters`."""

    def add(self, standing: str, head: bytes, now_ms: int) -> int:
        row = self._one(
            "INSERT INTO letter (standing, changed_ms, head, why) VALUES (?, ?, ?, '')"
            " RETURNING number",
            (standing, now_ms, head),
        )
        return int(row[0]) if row else 0

    def get(self, number: int) -> LetterRecord | None:
        row = self._one(_LETTER + " WHERE number = ?", (number,))
        return LetterRecord(*row) if row else None

    def all(self) -> list[LetterRecord]:
        """Oldest first."""
        return [LetterRecord(*row) for row in self._run(_LETTER + " ORDER BY number")]

    def update(self, record: LetterRecord) -> None:
        self._run(
            "UPDATE letter SET standing = ?2, changed_ms = ?3, head = ?4, why = ?5"
            " WHERE number = ?1",
            values(record),
        )

    def remove(self, number: int) -> None:
        self._run("DELETE FROM letter WHERE number = ?", (number,))

    def keep(self, standing: str, most: int) -> None:
        self._run(
            "DELETE FROM letter WHERE number IN (SELECT number FROM letter WHERE standing = ?"
            " ORDER BY changed_ms DESC, number DESC LIMIT -1 OFFSET ?)",
            (standing, most),
        )

    def put(self, number: int, copy: int, data: bytes, piece_bytes: int) -> None:
        self._run("DELETE FROM letter_piece WHERE letter = ? AND copy = ?", (number, copy))
        self._run("INSERT OR REPLACE INTO letter_copy VALUES (?, ?, ?)", (number, copy, len(data)))
        view = memoryview(data)
        self._connection.executemany(
            "INSERT INTO letter_piece (letter, copy, place, data) VALUES (?, ?, ?, ?)",
            (
                (number, copy, place, view[place : place + piece_bytes])
                for place in range(0, len(data), piece_bytes)
            ),
        )

    def size(self, number: int, copy: int) -> int:
        query = "SELECT size FROM letter_copy WHERE letter = ? AND copy = ?"
        row = self._one(query, (number, copy))
        return int(row[0]) if row else 0

    def piece(self, number: int, copy: int, place: int) -> bytes:
        row = self._one(
            "SELECT data FROM letter_piece WHERE letter = ? AND copy = ? AND place = ?",
            (number, copy, place),
        )
        return bytes(row[0]) if row else b""

    def read(self, number: int, copy: int) -> bytes:
        rows = self._run(
            "SELECT place, data FROM letter_piece WHERE letter = ? AND copy = ? ORDER BY place",
            (number, copy),
        )
        whole = bytearray()
        for place, data in rows:
            if place != len(whole):
                raise DamageError(_MISSING)
            whole += data
        if len(whole) != self.size(number, copy):
            raise DamageError(_MISSING)
        return bytes(whole)

    def forget_copies(self, number: int, *, content: bool) -> None:
        least = CONTENT if content else CONTENT + 1
        self._run("DELETE FROM letter_piece WHERE letter = ? AND copy >= ?", (number, least))
        self._run("DELETE FROM letter_copy WHERE letter = ? AND copy >= ?", (number, least))
