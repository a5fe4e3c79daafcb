"""The records of a device, in SQL over one connection (`ports.device_store`)."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, replace
from typing import Any

import apsw

from blackthorn.ports.device_store import ConversationRecord, MailRecord

Row = tuple[Any, ...]


class Table:
    """What the classes below share: the connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def _run(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        return self._connection.execute(sql, values).fetchall()

    def _one(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        rows = self._run(sql, values)
        return rows[0] if rows else None


class Settings(Table):
    """`ports.device_store.Settings`."""

    def get(self, name: str) -> bytes | None:
        row = self._one("SELECT value FROM settings WHERE name = ?", (name,))
        return row[0] if row else None

    def put(self, name: str, value: bytes) -> None:
        self._run("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, value))


class KeyPackagePrivates(Table):
    """`ports.device_store.KeyPackagePrivates`."""

    def add(self, reference: bytes, private: bytes, last_resort: bool, created_ms: int) -> None:
        self._run(
            "INSERT INTO key_package (reference, private, last_resort, created_ms)"
            " VALUES (?, ?, ?, ?)",
            (reference, private, last_resort, created_ms),
        )

    def find(self, reference: bytes) -> tuple[bytes, bool] | None:
        """The private half and whether it is a last-resort one, or None."""
        row = self._one(
            "SELECT private, last_resort FROM key_package WHERE reference = ?", (reference,)
        )
        return (row[0], bool(row[1])) if row else None

    def remove(self, reference: bytes) -> None:
        self._run("DELETE FROM key_package WHERE reference = ?", (reference,))

    def count(self) -> int:
        row = self._one("SELECT count(*) FROM key_package")
        return int(row[0]) if row else 0

    def forget_before(self, created_ms: int) -> None:
        """Forget what has been expired for long."""
        self._run("DELETE FROM key_package WHERE created_ms < ?", (created_ms,))

    def met(self, key: bytes, what: bytes, now_ms: int) -> bytes:
        """Note what a key was used for; what it was used for at the first time."""
        self._run(
            "INSERT OR IGNORE INTO used_once (key, what, at_ms) VALUES (?, ?, ?)",
            (key, what, now_ms),
        )
        return self.first_use(key) or what

    def first_use(self, key: bytes) -> bytes | None:
        """What a key was used for at the first time."""
        row = self._one("SELECT what FROM used_once WHERE key = ?", (key,))
        return bytes(row[0]) if row else None

    def forget_met_before(self, time_ms: int) -> None:
        """Forget uses of what has expired since."""
        self._run("DELETE FROM used_once WHERE at_ms < ?", (time_ms,))


_CONVERSATION = "SELECT id, kind, name, created_ms, standing, epoch, sent, state FROM conversation"


class Conversations(Table):
    """`ports.device_store.Conversations`."""

    def put(self, record: ConversationRecord) -> None:
        self._run(
            "INSERT INTO conversation (id, kind, name, created_ms, standing, epoch, sent, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " kind = excluded.kind, name = excluded.name, created_ms = excluded.created_ms,"
            " standing = excluded.standing, epoch = excluded.epoch, sent = excluded.sent,"
            " state = excluded.state",
            astuple(record),
        )

    def get(self, conversation: bytes) -> ConversationRecord | None:
        """The one of that group id, or None."""
        row = self._one(_CONVERSATION + " WHERE id = ?", (conversation,))
        return ConversationRecord(*row) if row else None

    def named(self, kind: str, name: str) -> list[ConversationRecord]:
        """All of that kind and name."""
        rows = self._run(_CONVERSATION + " WHERE kind = ? AND name = ?", (kind, name))
        return [ConversationRecord(*row) for row in rows]

    def all(self) -> list[ConversationRecord]:
        """All, oldest first."""
        return [ConversationRecord(*row) for row in self._run(_CONVERSATION + " ORDER BY rowid")]

    def count(self) -> int:
        """How many there are, those left behind included."""
        row = self._one("SELECT count(*) FROM conversation")
        return int(row[0]) if row else 0

    def remove(self, conversation: bytes) -> None:
        """Forget one and its envelope keys."""
        self._run("DELETE FROM conversation WHERE id = ?", (conversation,))

    def put_envelope_key(self, conversation: bytes, epoch: int, key: bytes, keep: int) -> None:
        """Keep the key of an epoch, and those of the `keep` epochs before it only."""
        self._run(
            "INSERT OR REPLACE INTO envelope_key (conversation, epoch, key) VALUES (?, ?, ?)",
            (conversation, epoch, key),
        )
        self._run(
            "DELETE FROM envelope_key WHERE conversation = ? AND epoch < ?",
            (conversation, epoch - keep),
        )

    def envelope_keys(self) -> list[tuple[bytes, int, bytes]]:
        """(conversation, epoch, key) of all, the newest epochs first."""
        return self._run("SELECT conversation, epoch, key FROM envelope_key ORDER BY epoch DESC")


class Peers(Table):
    """`ports.device_store.Peers`."""

    def found(self, address: str, devices: Iterable[bytes]) -> bool:
        """The chain of that user has these devices; whether any of them was unknown."""
        before = self._connection.total_changes()
        self._connection.executemany(
            "DELETE FROM stranger WHERE device = ? AND address = ?",
            [(device, address) for device in devices],
        )
        return self._connection.total_changes() > before

    def ask_for(self, devices: Iterable[tuple[bytes, str]], now_ms: int, most: int) -> None:
        """Unknown devices; those recorded before stay as they are. Beyond `most` the oldest go."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO stranger (device, address, asked, since_ms) VALUES (?, ?, 0, ?)",
            [(device, address, now_ms) for device, address in devices],
        )
        self._run(
            "DELETE FROM stranger WHERE (device, address) IN (SELECT device, address FROM stranger"
            " ORDER BY asked, since_ms DESC LIMIT -1 OFFSET ?)",
            (most,),
        )

    def to_ask(self) -> list[str]:
        """The addresses of unknown devices for which the ledger was not asked, each once."""
        rows = self._run("SELECT DISTINCT address FROM stranger WHERE NOT asked ORDER BY address")
        return [str(row[0]) for row in rows]

    def set_asked(self, addresses: Iterable[str]) -> None:
        """The ledger has answered for these: it does not have the devices that remain."""
        self._connection.executemany(
            "UPDATE stranger SET asked = 1 WHERE address = ?", [(each,) for each in addresses]
        )

    def ask_again(self) -> bool:
        """Ask for all unknown devices anew; whether one had not been answered for."""
        unanswered = bool(self.to_ask())
        self._run("UPDATE stranger SET asked = 0")
        return unanswered

    def forget_unknown_devices_before(self, time_ms: int) -> None:
        """Forget those whose parcels the server no longer keeps."""
        self._run("DELETE FROM stranger WHERE since_ms < ?", (time_ms,))

    def tally(self, conversation: bytes, device: bytes) -> int | None:
        """The highest count seen of that device's messages, or None when none was seen."""
        row = self._one(
            "SELECT highest FROM tally WHERE conversation = ? AND device = ?",
            (conversation, device),
        )
        return int(row[0]) if row else None

    def set_tally(self, conversation: bytes, device: bytes, highest: int) -> None:
        self._run(
            "INSERT OR REPLACE INTO tally (conversation, device, highest) VALUES (?, ?, ?)",
            (conversation, device, highest),
        )

    def add_gaps(self, conversation: bytes, device: bytes, counters: Iterable[int]) -> None:
        """Note counts that were passed over."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO gap (conversation, device, counter) VALUES (?, ?, ?)",
            [(conversation, device, counter) for counter in counters],
        )

    def close_gap(self, conversation: bytes, device: bytes, counter: int) -> None:
        """A count that was passed over has come."""
        self._run(
            "DELETE FROM gap WHERE conversation = ? AND device = ? AND counter = ?",
            (conversation, device, counter),
        )

    def count_gaps(self) -> int:
        """How many counts were passed over and have not come, in all conversations."""
        row = self._one("SELECT count(*) FROM gap")
        return int(row[0]) if row else 0

    def forget_counts(self, conversation: bytes) -> None:
        """Count a conversation anew: what was sent while this device was out is no gap."""
        self._run("DELETE FROM tally WHERE conversation = ?", (conversation,))
        self._run("DELETE FROM gap WHERE conversation = ?", (conversation,))


class MailIndex(Table):
    """`ports.device_store.Mail`."""

    def put(self, record: MailRecord) -> None:
        self._run(
            "INSERT OR REPLACE INTO mail (uid, size, received_ms, sender, subject, date, readable)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            astuple(record),
        )

    def get(self, uid: int) -> MailRecord | None:
        found = [record for record in self.all() if record.uid == uid]
        return found[0] if found else None

    def all(self) -> list[MailRecord]:
        """All, oldest first."""
        rows = self._run(
            "SELECT uid, size, received_ms, sender, subject, date, readable FROM mail ORDER BY uid"
        )
        return [replace(MailRecord(*row), readable=bool(row[6])) for row in rows]


@contextmanager
def savepoint(connection: apsw.Connection) -> Iterator[None]:
    """A part of a transaction that is undone alone when its block raises."""
    connection.execute("SAVEPOINT attempt")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK TO attempt")
        connection.execute("RELEASE attempt")
        raise
    connection.execute("RELEASE attempt")
