"""Verified ledger, chains, alarms and mail keys in SQL (`ports.device_store`)."""

from dataclasses import replace

from blackthorn.ports import device_store
from blackthorn.storage.device.records import Row, Table
from blackthorn.storage.device.remembered import remembered
from blackthorn.storage.rows import values

_CHAIN = (
    "SELECT address, version, head, seq, flags, statements, logged, certificate, checked_ms,"
    " verified_ms, present, checked_size, as_of_ms, devices, place, asked, compatible FROM chain"
)
_CHECKPOINT = "SELECT size, root, note, epoch, unix_ms, quorum_s, users FROM checkpoint"


def _chain(row: Row) -> device_store.ChainRecord:
    return replace(device_store.ChainRecord(*row), present=bool(row[10]))


class Directory(Table):
    """`ports.device_store.Directory`."""

    @remembered("chain")
    def chain(self, address: str) -> device_store.ChainRecord | None:
        row = self._one(_CHAIN + " WHERE address = ?", (address,))
        return _chain(row) if row else None

    def put_chain(self, record: device_store.ChainRecord) -> None:
        self._run(
            "INSERT OR REPLACE INTO chain (address, version, head, seq, flags, statements,"
            " logged, certificate, checked_ms, verified_ms, present, checked_size, as_of_ms,"
            " devices, place, asked, compatible)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values(record),
        )

    @remembered("chain")
    def chains(self) -> list[device_store.ChainRecord]:
        """All looked-up users, by address."""
        return [_chain(row) for row in self._run(_CHAIN + " ORDER BY address")]

    @remembered("chain")
    def devices(self, address: str) -> bytes | None:
        """A user's live devices; None for a user not known to the ledger."""
        row = self._one("SELECT devices FROM chain WHERE address = ? AND present", (address,))
        return bytes(row[0]) if row else None

    @remembered("chain")
    def places(self) -> list[tuple[str, bytes, int]]:
        """All users in the ledger: address, place, and the tree's size at the last lookup."""
        rows = self._run("SELECT address, place, checked_size FROM chain WHERE present")
        return [(str(address), bytes(place), int(size)) for address, place, size in rows]

    @remembered("chain")
    def asked(self, address: str) -> int:
        """The moment at which the last verified lookup was begun; 0 before any."""
        row = self._one("SELECT asked FROM chain WHERE address = ?", (address,))
        return int(row[0]) if row else 0

    @remembered("checkpoint")
    def newest(self) -> device_store.CheckpointRecord | None:
        row = self._one(_CHECKPOINT + " ORDER BY size DESC LIMIT 1")
        return device_store.CheckpointRecord(*row) if row else None

    @remembered("checkpoint")
    def checkpoint(self, size: int) -> device_store.CheckpointRecord | None:
        """The accepted checkpoint of that size, if still stored."""
        row = self._one(_CHECKPOINT + " WHERE size = ?", (size,))
        return device_store.CheckpointRecord(*row) if row else None

    @remembered("checkpoint")
    def checkpoint_until(self, epoch: int) -> device_store.CheckpointRecord | None:
        """The newest accepted checkpoint of that epoch or an earlier one, if still stored."""
        query = _CHECKPOINT + " WHERE epoch <= ? ORDER BY size DESC LIMIT 1"
        row = self._one(query, (epoch,))
        return device_store.CheckpointRecord(*row) if row else None

    def put_checkpoint(self, record: device_store.CheckpointRecord, keep: int) -> None:
        """Store or replace a checkpoint; keep the `keep` newest."""
        self._run(
            "INSERT OR REPLACE INTO checkpoint (size, root, note, epoch, unix_ms, quorum_s, users)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            values(record),
        )
        self._run(
            "DELETE FROM checkpoint WHERE size NOT IN"
            " (SELECT size FROM checkpoint ORDER BY size DESC LIMIT ?)",
            (keep,),
        )

    @remembered("alarm")
    def alarms(self) -> list[device_store.AlarmRecord]:
        """Oldest first."""
        rows = self._run(
            "SELECT code, address, text, at_ms, evidence, accepted, number, fact, ended_ms"
            " FROM alarm"
            " ORDER BY number"
        )
        return [replace(device_store.AlarmRecord(*row), accepted=bool(row[5])) for row in rows]

    def add_alarm(self, record: device_store.AlarmRecord) -> int:
        """Returns its number."""
        self._run(
            "INSERT INTO alarm (code, address, text, at_ms, evidence, accepted, fact, ended_ms)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?8, ?9)",
            values(record),
        )
        return self._connection.last_insert_rowid()

    def update_alarm(self, record: device_store.AlarmRecord) -> None:
        """Its text, evidence, acceptance and end."""
        self._run(
            "UPDATE alarm SET text = ?, evidence = ?, accepted = ?, ended_ms = ? WHERE number = ?",
            (record.text, record.evidence, record.accepted, record.ended_ms, record.number),
        )

    def entries(self) -> list[tuple[int, bytes]]:
        """Replayed parts of the log: first index, entries."""
        rows = self._run("SELECT start, entries FROM ledger_entries ORDER BY start")
        return [(start, entries) for start, entries in rows]

    def add_entries(self, start: int, entries: bytes) -> None:
        self._run(
            "INSERT OR REPLACE INTO ledger_entries (start, entries) VALUES (?, ?)", (start, entries)
        )

    def forget_entries(self, start: int) -> None:
        """Forget parts from an index on."""
        self._run("DELETE FROM ledger_entries WHERE start >= ?", (start,))


class MailKeys(Table):
    """`ports.device_store.MailKeys`."""

    def put(self, record: device_store.MailKeyRecord) -> None:
        """A stored key stays as it is."""
        self._run(
            "INSERT OR IGNORE INTO mail_key (fingerprint, secret, certificate, since_ms)"
            " VALUES (?, ?, ?, ?)",
            values(record),
        )

    @remembered("mail_key")
    def all(self) -> list[device_store.MailKeyRecord]:
        """Newest first."""
        rows = self._run(
            "SELECT fingerprint, secret, certificate, since_ms FROM mail_key"
            " ORDER BY since_ms DESC, fingerprint"
        )
        return [device_store.MailKeyRecord(*row) for row in rows]


class Hellos(Table):
    """`ports.device_store.Hellos`."""

    def add(self, number: int, digest: bytes, since: int) -> None:
        self._run("INSERT OR IGNORE INTO hello VALUES (?, ?, ?)", (number, digest, since))

    def since(self, number: int) -> int | None:
        row = self._one("SELECT max(since) FROM hello WHERE number = ?", (number,))
        return None if row is None else row[0]

    def known(self, number: int, digest: bytes) -> bool:
        query = "SELECT 1 FROM hello WHERE number = ? AND digest = ?"
        return self._one(query, (number, digest)) is not None

    def newest(self) -> tuple[int, bytes] | None:
        """Number and digest."""
        row = self._one("SELECT number, digest FROM hello ORDER BY number DESC LIMIT 1")
        return None if row is None else (row[0], row[1])

    def forget_before(self, number: int) -> None:
        self._run("DELETE FROM hello WHERE number < ?", (number,))
