"""What a device has verified of the ledger, in SQL over one connection (`ports.device_store`)."""

from dataclasses import astuple, replace

from blackthorn.ports import device_store
from blackthorn.storage.device.records import Row, Table

_CHAIN = (
    "SELECT address, version, head, seq, flags, statements, logged, certificate, checked_ms,"
    " verified_ms, present, checked_size, as_of_ms, devices FROM chain"
)
_CHECKPOINT = "SELECT size, root, note, epoch, unix_ms, quorum_s, users FROM checkpoint"


def _chain(row: Row) -> device_store.ChainRecord:
    return replace(device_store.ChainRecord(*row), present=bool(row[10]))


class Directory(Table):
    """`ports.device_store.Directory`."""

    def chain(self, address: str) -> device_store.ChainRecord | None:
        """What is known of a user, or None when nobody ever looked."""
        row = self._one(_CHAIN + " WHERE address = ?", (address,))
        return _chain(row) if row else None

    def put_chain(self, record: device_store.ChainRecord) -> None:
        """Set or replace what is known of a user."""
        self._run(
            "INSERT OR REPLACE INTO chain (address, version, head, seq, flags, statements,"
            " logged, certificate, checked_ms, verified_ms, present, checked_size, as_of_ms,"
            " devices) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            astuple(record),
        )

    def chains(self) -> list[device_store.ChainRecord]:
        """All users that were looked up, by address."""
        return [_chain(row) for row in self._run(_CHAIN + " ORDER BY address")]

    def devices(self, address: str) -> bytes | None:
        """A user's live devices alone; None for somebody whom the ledger is not known to have."""
        row = self._one("SELECT devices FROM chain WHERE address = ? AND present", (address,))
        return bytes(row[0]) if row else None

    def newest(self) -> device_store.CheckpointRecord | None:
        """The checkpoint accepted last."""
        row = self._one(_CHECKPOINT + " ORDER BY size DESC LIMIT 1")
        return device_store.CheckpointRecord(*row) if row else None

    def checkpoint(self, size: int) -> device_store.CheckpointRecord | None:
        """The accepted checkpoint of that size, if it is still kept."""
        row = self._one(_CHECKPOINT + " WHERE size = ?", (size,))
        return device_store.CheckpointRecord(*row) if row else None

    def put_checkpoint(self, record: device_store.CheckpointRecord, keep: int) -> None:
        """Keep a checkpoint, and the `keep` newest only; the same size again is replaced."""
        self._run(
            "INSERT OR REPLACE INTO checkpoint (size, root, note, epoch, unix_ms, quorum_s, users)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            astuple(record),
        )
        self._run(
            "DELETE FROM checkpoint WHERE size NOT IN"
            " (SELECT size FROM checkpoint ORDER BY size DESC LIMIT ?)",
            (keep,),
        )

    def alarms(self) -> list[device_store.AlarmRecord]:
        """All, oldest first."""
        rows = self._run(
            "SELECT code, address, text, at_ms, evidence, accepted, number, fact FROM alarm"
            " ORDER BY number"
        )
        return [replace(device_store.AlarmRecord(*row), accepted=bool(row[5])) for row in rows]

    def add_alarm(self, record: device_store.AlarmRecord) -> int:
        """Keep one; its number."""
        self._run(
            "INSERT INTO alarm (code, address, text, at_ms, evidence, accepted, fact)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?8)",
            astuple(record),
        )
        return self._connection.last_insert_rowid()

    def update_alarm(self, record: device_store.AlarmRecord) -> None:
        """Its text, its evidence, and whether the person has said to go on."""
        self._run(
            "UPDATE alarm SET text = ?, evidence = ?, accepted = ? WHERE number = ?",
            (record.text, record.evidence, record.accepted, record.number),
        )

    def entries(self) -> list[tuple[int, bytes]]:
        """What was replayed of the log: from which index on, and the entries as given."""
        rows = self._run("SELECT start, entries FROM ledger_entries ORDER BY start")
        return [(start, entries) for start, entries in rows]

    def add_entries(self, start: int, entries: bytes) -> None:
        """Keep entries of the log from an index on."""
        self._run(
            "INSERT OR REPLACE INTO ledger_entries (start, entries) VALUES (?, ?)", (start, entries)
        )

    def forget_entries(self, start: int) -> None:
        """Forget those from an index on."""
        self._run("DELETE FROM ledger_entries WHERE start >= ?", (start,))


class MailKeys(Table):
    """`ports.device_store.MailKeys`."""

    def put(self, record: device_store.MailKeyRecord) -> None:
        """Keep one; one that is kept already stays as it is."""
        self._run(
            "INSERT OR IGNORE INTO mail_key (fingerprint, secret, certificate, since_ms)"
            " VALUES (?, ?, ?, ?)",
            astuple(record),
        )

    def all(self) -> list[device_store.MailKeyRecord]:
        """All, the newest first."""
        rows = self._run(
            "SELECT fingerprint, secret, certificate, since_ms FROM mail_key"
            " ORDER BY since_ms DESC, fingerprint"
        )
        return [device_store.MailKeyRecord(*row) for row in rows]
