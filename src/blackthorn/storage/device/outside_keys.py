"""Pinned certificates of people outside in SQL (`ports.outside.keys`)."""

from blackthorn.ports.outside.keys import OutsideKeyRecord
from blackthorn.storage.device.records import Table
from blackthorn.storage.rows import values

_READ = (
    "SELECT address, source, fingerprint, certificate, since_ms, offered_source,"
    " offered_fingerprint, offered, offered_ms, asked_ms FROM outside_key"
)


class OutsideKeys(Table):
    """`ports.outside.keys.OutsideKeys`."""

    def of(self, address: str) -> OutsideKeyRecord | None:
        row = self._one(_READ + " WHERE address = ?", (address,))
        return OutsideKeyRecord(*row) if row else None

    def put(self, record: OutsideKeyRecord) -> None:
        self._run(
            "INSERT OR REPLACE INTO outside_key (address, source, fingerprint, certificate,"
            " since_ms, offered_source, offered_fingerprint, offered, offered_ms, asked_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values(record),
        )

    def all(self) -> list[OutsideKeyRecord]:
        """By address."""
        rows = self._run(_READ + " ORDER BY address")
        return [OutsideKeyRecord(*row) for row in rows]

    def count(self) -> int:
        row = self._one("SELECT count(*) FROM outside_key", ())
        return int(row[0]) if row else 0

    def forget(self, address: str) -> None:
        self._run("DELETE FROM outside_key WHERE address = ?", (address,))

    def forget_oldest(self, keep: int) -> None:
        self._run(
            "DELETE FROM outside_key WHERE certificate = x'' AND offered = x'' AND address NOT IN"
            " (SELECT address FROM outside_key WHERE certificate = x'' AND offered = x''"
            " ORDER BY asked_ms DESC LIMIT ?)",
            (keep,),
        )
