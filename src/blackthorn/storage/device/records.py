"""Settings, keys, conversations, peers and mail index in SQL (`ports.device_store`)."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import apsw

from blackthorn.ports.device_store import ConversationRecord, MailRecord
from blackthorn.storage.device.remembered import Remembered, remembered
from blackthorn.storage.rows import values

Row = tuple[Any, ...]

_SMALL_BYTES = 1_024
"""Settings of up to so many bytes are read together: more than forty are asked for in a turn."""


class Table:
    def __init__(self, connection: apsw.Connection, memory: Remembered) -> None:
        self._connection = connection
        self.memory = memory

    def _run(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        if not sql.startswith("SELECT"):
            self.memory.written(sql)
        return self._connection.execute(sql, values).fetchall()

    def _many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        self.memory.written(sql)
        self._connection.executemany(sql, rows)

    def _one(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        rows = self._run(sql, values)
        return rows[0] if rows else None


class Settings(Table):
    """`ports.device_store.Settings`. Small values are read together."""

    def get(self, name: str) -> bytes | None:
        known = self._known()
        if name not in known:
            return None
        if known[name] is None:  # a large one
            row = self._one("SELECT value FROM settings WHERE name = ?", (name,))
            known[name] = row[0] if row else None
        return known[name]

    def _known(self) -> dict[str, bytes | None]:
        """All names; None for a large value that was not read yet."""
        reads = self.memory.reads(("settings",))
        if "all" not in reads:
            small = "SELECT name, iif(length(value) <= ?, value, NULL) FROM settings"
            reads["all"] = dict(self._run(small, (_SMALL_BYTES,)))
        known: dict[str, bytes | None] = reads["all"]
        return known

    def put(self, name: str, value: bytes) -> None:
        known = self._known()
        self._run("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, value))
        known[name] = value
        self.memory.reads(("settings",))["all"] = known


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

    def forget_before(self, created_ms: int, last_resort: bool) -> None:
        statement = "DELETE FROM key_package WHERE created_ms < ? AND last_resort = ?"
        self._run(statement, (created_ms, last_resort))

    def met(self, key: bytes, what: bytes, now_ms: int) -> bytes:
        """Record a key's use; returns its first one."""
        self._run(
            "INSERT OR IGNORE INTO used_once (key, what, at_ms) VALUES (?, ?, ?)",
            (key, what, now_ms),
        )
        return self.first_use(key) or what

    def first_use(self, key: bytes) -> bytes | None:
        row = self._one("SELECT what FROM used_once WHERE key = ?", (key,))
        return bytes(row[0]) if row else None

    def forget_met_before(self, time_ms: int) -> None:
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
            values(record),
        )

    @remembered("conversation")
    def get(self, conversation: bytes) -> ConversationRecord | None:
        row = self._one(_CONVERSATION + " WHERE id = ?", (conversation,))
        return ConversationRecord(*row) if row else None

    @remembered("conversation")
    def named(self, kind: str, name: str) -> list[ConversationRecord]:
        rows = self._run(_CONVERSATION + " WHERE kind = ? AND name = ?", (kind, name))
        return [ConversationRecord(*row) for row in rows]

    @remembered("conversation")
    def standing(self, conversation: bytes) -> str | None:
        """Without reading the state."""
        row = self._one("SELECT standing FROM conversation WHERE id = ?", (conversation,))
        return str(row[0]) if row else None

    @remembered("conversation")
    def standings(self, kind: str, name: str) -> list[tuple[bytes, str]]:
        """(id, standing) of those, the newest first, without reading their states."""
        return self._run(
            "SELECT id, standing FROM conversation WHERE kind = ? AND name = ?"
            " ORDER BY created_ms DESC, id DESC",
            (kind, name),
        )

    @remembered("conversation")
    def all(self) -> list[ConversationRecord]:
        """Oldest first."""
        return [ConversationRecord(*row) for row in self._run(_CONVERSATION + " ORDER BY rowid")]

    @remembered("conversation")
    def count(self) -> int:
        """Removed ones included."""
        row = self._one("SELECT count(*) FROM conversation")
        return int(row[0]) if row else 0

    def remove(self, conversation: bytes) -> None:
        self._run("DELETE FROM conversation WHERE id = ?", (conversation,))

    def put_envelope_key(self, conversation: bytes, epoch: int, key: bytes) -> None:
        self._run(
            "INSERT OR REPLACE INTO envelope_key (conversation, epoch, key) VALUES (?, ?, ?)",
            (conversation, epoch, key),
        )

    def envelope_keys(self) -> list[tuple[bytes, int, bytes]]:
        """(conversation, epoch, key), those of present epochs first, then newest epochs first."""
        return self._run(
            "SELECT e.conversation, e.epoch, e.key FROM envelope_key AS e JOIN conversation AS c"
            " ON c.id = e.conversation ORDER BY e.epoch < c.epoch, e.epoch DESC"
        )


class Peers(Table):
    """`ports.device_store.Peers`."""

    def found(self, address: str, devices: Iterable[bytes]) -> bool:
        """The user's chain has these devices; whether any device of the user was unknown."""
        unknown = self._one("SELECT 1 FROM stranger WHERE address = ?", (address,))
        self._many(
            "DELETE FROM stranger WHERE device = ? AND address = ?",
            [(device, address) for device in devices],
        )
        return unknown is not None

    def ask_for(self, devices: Iterable[tuple[bytes, str]], now_ms: int, most: int) -> None:
        """Store unknown devices; recorded ones stay. Beyond `most` the oldest go."""
        self._many(
            "INSERT OR IGNORE INTO stranger (device, address, asked, since_ms) VALUES (?, ?, 0, ?)",
            [(device, address, now_ms) for device, address in devices],
        )
        self._run(
            "DELETE FROM stranger WHERE (device, address) IN (SELECT device, address FROM stranger"
            " ORDER BY asked, since_ms DESC LIMIT -1 OFFSET ?)",
            (most,),
        )

    @remembered("stranger")
    def to_ask(self) -> list[str]:
        """The addresses of unknown devices for which the ledger was not asked, each once."""
        rows = self._run("SELECT DISTINCT address FROM stranger WHERE NOT asked ORDER BY address")
        return [str(row[0]) for row in rows]

    def set_asked(self, addresses: Iterable[str]) -> None:
        """The ledger has answered for these: it does not have the devices that remain."""
        self._many(
            "UPDATE stranger SET asked = 1 WHERE address = ?", [(each,) for each in addresses]
        )

    def ask_again(self) -> bool:
        """Ask for all unknown devices again; whether one was unanswered."""
        unanswered = bool(self.to_ask())
        self._run("UPDATE stranger SET asked = 0")
        return unanswered

    def forget_unknown_devices_before(self, time_ms: int) -> None:
        """Forget those whose parcels the server no longer stores."""
        self._run("DELETE FROM stranger WHERE since_ms < ?", (time_ms,))

    def tally(self, conversation: bytes, device: bytes) -> int | None:
        """The highest message count of that device, or None."""
        row = self._one(
            "SELECT highest FROM tally WHERE conversation = ? AND device = ?",
            (conversation, device),
        )
        return int(row[0]) if row else None

    def tallies(self, conversation: bytes, most: int) -> list[tuple[bytes, int]]:
        """Devices with their highest message counts."""
        return self._run(
            "SELECT device, highest FROM tally WHERE conversation = ? LIMIT ?", (conversation, most)
        )

    def set_tally(self, conversation: bytes, device: bytes, highest: int) -> None:
        self._run(
            "INSERT OR REPLACE INTO tally (conversation, device, highest) VALUES (?, ?, ?)",
            (conversation, device, highest),
        )

    def add_gaps(
        self, conversation: bytes, device: bytes, counters: Iterable[int], due_ms: int
    ) -> None:
        """Record skipped counts, whose author is told then."""
        self._many(
            "INSERT OR IGNORE INTO gap (conversation, device, counter, due_ms) VALUES (?, ?, ?, ?)",
            [(conversation, device, counter, due_ms) for counter in counters],
        )

    def close_gap(self, conversation: bytes, device: bytes, counter: int) -> None:
        self._run(
            "DELETE FROM gap WHERE conversation = ? AND device = ? AND counter = ?",
            (conversation, device, counter),
        )

    @remembered("gap")
    def count_gaps(self) -> int:
        """Skipped counts that have not arrived, in all conversations."""
        row = self._one("SELECT count(*) FROM gap")
        return int(row[0]) if row else 0

    def gaps_to_ask(self, most: int) -> list[tuple[bytes, bytes, int]]:
        """(conversation, device, count) of gaps that were here at the call before, each once."""
        rows = self._run(
            "UPDATE gap SET own_asked = 2 WHERE (conversation, device, counter) IN"
            " (SELECT conversation, device, counter FROM gap WHERE own_asked = 1 LIMIT ?)"
            " RETURNING conversation, device, counter",
            (most,),
        )
        self._run("UPDATE gap SET own_asked = 1 WHERE own_asked = 0")
        return sorted(rows)

    def forget_counts(self, conversation: bytes) -> None:
        """Restart the counts: messages sent while this device was out are no gap."""
        self._run("DELETE FROM tally WHERE conversation = ?", (conversation,))
        self._run("DELETE FROM gap WHERE conversation = ?", (conversation,))


class MailIndex(Table):
    """`ports.device_store.Mail`."""

    def put(self, record: MailRecord) -> None:
        self._run(
            "INSERT OR REPLACE INTO mail"
            " (uid, size, received_ms, sender, subject, date, readable, junk, tried)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values(record),
        )

    def remove(self, uid: int) -> None:
        self._run("DELETE FROM mail WHERE uid = ?", (uid,))

    def all(self) -> list[MailRecord]:
        """Oldest first."""
        rows = self._run(
            "SELECT uid, size, received_ms, sender, subject, date, readable, junk, tried FROM mail"
            " ORDER BY uid"
        )
        return [replace(MailRecord(*row), readable=bool(row[6]), junk=bool(row[7])) for row in rows]


@contextmanager
def savepoint(connection: apsw.Connection) -> Iterator[None]:
    """A nested part of a transaction, rolled back alone when its block raises."""
    connection.execute("SAVEPOINT attempt")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK TO attempt")
        connection.execute("RELEASE attempt")
        raise
    connection.execute("RELEASE attempt")
