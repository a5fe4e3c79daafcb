"""History, outbox and parcels in SQL (`ports.device_store`)."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from blackthorn.ports import device_store
from blackthorn.ports.device_history import Authored
from blackthorn.storage.device.records import Row, Table
from blackthorn.storage.device.remembered import remembered
from blackthorn.storage.rows import values

_HISTORY = (
    "SELECT message, conversation, kind, name, sender, sort, text, sent_ms, received_ms, standing,"
    " shown, number, mark, device, count, handed, before, why FROM history"
)


def _line(row: Row) -> device_store.HistoryRecord:
    line = device_store.HistoryRecord(*row)
    return replace(line, shown=bool(line.shown), handed=bool(line.handed))


def _place(line: device_store.HistoryRecord) -> tuple[int, bool, int]:
    """Where a line stands: before the line of the number `before`, or by its own number."""
    return line.before or line.number, not line.before, line.number


_COUNT = "SELECT count(*) FROM history"
_SELECTED = (
    " WHERE (NOT ?1 OR standing = 'received')"
    " AND (?2 IS NULL OR hex(conversation) || name IN (SELECT value FROM json_each(?2)))"
    " AND NOT (?3 AND handed)"
)
_SHOWN = " WHERE sort = 'text' AND standing IN ('received', 'accepted')"
_AUTHORED = (
    "SELECT iif(before, before, number) AS at, device, conversation, kind, name, count, sent_ms"
    " FROM history WHERE sort = 'text' AND standing IN ('received', 'accepted', 'waiting')"
    " AND hex(device) IN (SELECT value FROM json_each(?)) ORDER BY at"
)


def _bound(query: device_store.HistoryQuery) -> tuple[bool, str | None, bool]:
    if query.places is None:
        return query.received, None, query.opened
    keys = [place.conversation.hex().upper() + place.name for place in query.places]
    return query.received, msgspec.json.encode(keys).decode(), query.opened


class History(Table):
    """`ports.device_store.History`."""

    def add(self, record: device_store.HistoryRecord) -> int:
        """Returns its number. A given number is kept: below 0 is before all others."""
        row = self._one(
            "INSERT INTO history (message, conversation, kind, name, sender, sort, text, sent_ms,"
            " received_ms, standing, shown, number, mark, device, count, handed, before, why)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0), ?, ?, ?, ?, ?, ?)"
            " RETURNING number",
            values(record),
        )
        return int(row[0]) if row else 0

    def known(self, message: bytes) -> bool:
        return self._one("SELECT 1 FROM history WHERE message = ?", (message,)) is not None

    def get(self, message: bytes) -> device_store.HistoryRecord | None:
        row = self._one(_HISTORY + " WHERE message = ?", (message,))
        return _line(row) if row else None

    def set_standing(self, message: bytes, standing: str, why: str = "") -> None:
        """Standing of a message of this device, and why it failed."""
        sql = "UPDATE history SET standing = ?, why = ? WHERE message = ?"
        self._run(sql, (standing, why, message))

    def rename(self, message: bytes, renamed: bytes, conversation: bytes, count: int) -> None:
        """Set the final id, conversation and count of a message of this device."""
        self._run(
            "UPDATE history SET message = ?, conversation = ?, count = ? WHERE message = ?",
            (renamed, conversation, count, message),
        )

    def standing(self, message: bytes) -> str | None:
        row = self._one("SELECT standing FROM history WHERE message = ?", (message,))
        return str(row[0]) if row else None

    def set_shown(self, numbers: Sequence[int]) -> None:
        self._many(
            "UPDATE history SET shown = 1 WHERE number = ?", [(number,) for number in numbers]
        )

    def unshown(self, limit: int) -> list[device_store.HistoryRecord]:
        """Oldest first."""
        sql = _HISTORY + " WHERE shown = 0 ORDER BY number LIMIT ?"
        return [_line(row) for row in self._run(sql, (limit,))]

    def latest(
        self, limit: int, query: device_store.HistoryQuery = device_store.ALL_LINES
    ) -> list[device_store.HistoryRecord]:
        """The newest lines that the query selects, oldest first; all for a `limit` of -1."""
        sql, bound = _HISTORY + _SELECTED, (*_bound(query), limit)
        lines = self._run(sql + " AND before = 0 ORDER BY number DESC LIMIT ?4", bound)
        # Lines that stand before others are found by an index of their own.
        moved = self._run(
            sql + " AND before != 0 ORDER BY before DESC, number DESC LIMIT ?4", bound
        )
        found = sorted(map(_line, lines + moved), key=_place)
        return found if limit < 0 else found[len(found) - min(limit, len(found)) :]

    def count(self, query: device_store.HistoryQuery) -> int:
        row = self._one(_COUNT + _SELECTED, _bound(query))
        return int(row[0]) if row else 0

    def places(self) -> list[device_store.Place]:
        """All conversations, of which there are lines or not."""
        rows = self._run(
            "SELECT id, kind, name FROM conversation UNION"
            " SELECT conversation, kind, name FROM history"
        )
        return [device_store.Place(*row) for row in rows]

    def texts_since(
        self, conversation: bytes, ms: int, most: int
    ) -> list[device_store.HistoryRecord]:
        """The newest texts received or written since then, oldest first; b"": of all."""
        sql = _HISTORY + _SHOWN + " AND received_ms >= ? AND ? IN (x'', conversation)"
        rows = self._run(sql + " ORDER BY number DESC LIMIT ?", (ms, conversation, most))
        return [_line(row) for row in reversed(rows)]

    def counted(
        self, conversation: bytes, device: bytes, counts: Sequence[int]
    ) -> list[device_store.HistoryRecord]:
        """The texts of a device in a conversation that have these counts."""
        sql = _HISTORY + _SHOWN + " AND conversation = ? AND device = ?"
        sql += " AND count IN (SELECT value FROM json_each(?)) ORDER BY count"
        values = (conversation, device, msgspec.json.encode(list(counts)).decode())
        return [_line(row) for row in self._run(sql, values)]

    def authored(self, devices: Sequence[bytes]) -> list[Authored]:
        """Where the texts of these devices stand, or will, in order."""
        rows = self._run(
            _AUTHORED,
            (msgspec.json.encode([device.hex().upper() for device in devices]).decode(),),
        )
        return [Authored(*row) for row in rows]


_OUTBOX = (
    "SELECT number, target, created_ms, intent, posting, packages, prepared, problem FROM outbox"
)


class Outbox(Table):
    """`ports.device_store.Outbox`."""

    def add(self, target: bytes, operation: bytes, created_ms: int) -> int:
        row = self._one(
            "INSERT INTO outbox (target, intent, created_ms) VALUES (?, ?, ?) RETURNING number",
            (target, operation, created_ms),
        )
        return int(row[0]) if row else 0

    @remembered("outbox")
    def get(self, number: int) -> device_store.OutboxRecord | None:
        row = self._one(_OUTBOX + " WHERE number = ?", (number,))
        return device_store.OutboxRecord(*row) if row else None

    @remembered("outbox")
    def by_posting(self, posting: bytes) -> device_store.OutboxRecord | None:
        row = self._one(_OUTBOX + " WHERE posting = ?", (posting,))
        return device_store.OutboxRecord(*row) if row else None

    @remembered("outbox")
    def all(self) -> list[device_store.OutboxRecord]:
        """Oldest first."""
        return [device_store.OutboxRecord(*row) for row in self._run(_OUTBOX + " ORDER BY number")]

    def update(self, record: device_store.OutboxRecord) -> None:
        """Replace all but number and time."""
        self._run(
            "UPDATE outbox SET target = ?2, intent = ?4, posting = ?5, packages = ?6,"
            " prepared = ?7, problem = ?8 WHERE number = ?1",
            values(record),
        )

    def finish(self, outcome: device_store.OutcomeRecord, keep: int) -> None:
        """Delete one and store its outcome, of which the `keep` newest stay."""
        self._run("DELETE FROM outbox WHERE number = ?", (outcome.number,))
        self._run(
            "INSERT INTO outcome (number, message, error, at_ms) VALUES (?, ?, ?, ?)",
            values(outcome),
        )
        newest = self._connection.last_insert_rowid()
        self._run("DELETE FROM outcome WHERE place <= ?", (newest - keep,))

    def outcome(self, number: int) -> device_store.OutcomeRecord | None:
        """The outcome of one, or None when it waits or was deleted."""
        row = self._one(
            "SELECT number, message, error, at_ms FROM outcome WHERE number = ?", (number,)
        )
        return device_store.OutcomeRecord(*row) if row else None

    def forget_outcomes_before(self, time_ms: int) -> None:
        self._run("DELETE FROM outcome WHERE at_ms < ?", (time_ms,))


_ASIDE = "SELECT digest, seq, reason, since_ms, moment, holder FROM set_aside_parcel"


class Parcels(Table):
    """`ports.device_store.Parcels`."""

    def seen(self, digest: bytes) -> bool:
        return self._one("SELECT 1 FROM seen_parcel WHERE digest = ?", (digest,)) is not None

    def seen_one(self, beginning: bytes) -> bool:
        """Whether one was seen whose digest begins so."""
        sql = "SELECT 1 FROM seen_parcel WHERE digest BETWEEN ? AND ?"
        return self._one(sql, (beginning, beginning.ljust(32, b"\xff"))) is not None

    def mark_seen(self, digest: bytes, now_ms: int) -> None:
        """The parcel is saved; it is undecryptable no longer."""
        self._run(
            "INSERT OR REPLACE INTO seen_parcel (digest, at_ms) VALUES (?, ?)", (digest, now_ms)
        )
        self._run("DELETE FROM set_aside_parcel WHERE digest = ?", (digest,))

    def forget_seen_before(self, time_ms: int) -> None:
        """Forget digests older than any repetition."""
        self._run("DELETE FROM seen_parcel WHERE at_ms < ?", (time_ms,))

    def set_aside(self, record: device_store.UndecryptableRecord) -> None:
        """Mark undecryptable; time and moment of the first attempt stay."""
        self._run(
            "INSERT INTO set_aside_parcel (digest, seq, reason, since_ms, moment, holder)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE"
            " SET seq = excluded.seq, reason = excluded.reason, holder = excluded.holder",
            values(record),
        )

    @remembered("set_aside_parcel")
    def undecryptable(self, digest: bytes) -> device_store.UndecryptableRecord | None:
        row = self._one(_ASIDE + " WHERE digest = ?", (digest,))
        return device_store.UndecryptableRecord(*row) if row else None

    @remembered("set_aside_parcel")
    def all_undecryptable(self) -> list[device_store.UndecryptableRecord]:
        """Oldest first."""
        rows = self._run(_ASIDE + " ORDER BY since_ms, seq")
        return [device_store.UndecryptableRecord(*row) for row in rows]

    def keep_undecryptable(self, most: int) -> int:
        """Forget some of whom most are, the oldest first, if there are more; how many."""
        row = self._one("SELECT count(*) FROM set_aside_parcel")
        if row is None or row[0] <= most:
            return 0
        ((holder, count),) = self._run(
            "SELECT holder, count(*) FROM set_aside_parcel"
            " GROUP BY holder ORDER BY count(*) DESC, holder LIMIT 1"
        )
        gone = min(count, row[0] - most + most // 8)
        self._run(
            "DELETE FROM set_aside_parcel WHERE digest IN (SELECT digest FROM set_aside_parcel"
            " WHERE holder = ? ORDER BY since_ms, seq LIMIT ?)",
            (holder, gone),
        )
        return int(gone)

    def forget_undecryptable_before(self, time_ms: int) -> None:
        self._run("DELETE FROM set_aside_parcel WHERE since_ms < ?", (time_ms,))

    def parts(self, kind: str, name: bytes) -> dict[int, bytes]:
        """By place."""
        sql = "SELECT place, sealed FROM parcel_part WHERE kind = ? AND name = ?"
        return dict(self._run(sql, (kind, name)))

    def put_part(self, kind: str, name: bytes, place: int, sealed: bytes, now_ms: int) -> None:
        """Instead of an earlier one of that place."""
        sql = "INSERT OR REPLACE INTO parcel_part (kind, name, place, sealed, at_ms)"
        self._run(sql + " VALUES (?, ?, ?, ?, ?)", (kind, name, place, sealed, now_ms))

    def keep_parts(self, kind: str, most: int) -> None:
        """Delete the oldest beyond so many."""
        self._run(
            "DELETE FROM parcel_part WHERE rowid IN (SELECT rowid FROM parcel_part"
            " WHERE kind = ? ORDER BY rowid DESC LIMIT -1 OFFSET ?)",
            (kind, most),
        )

    def forget_parts(self, kind: str, name: bytes) -> None:
        self._run("DELETE FROM parcel_part WHERE kind = ? AND name = ?", (kind, name))

    def forget_parts_before(self, time_ms: int) -> None:
        self._run("DELETE FROM parcel_part WHERE at_ms < ?", (time_ms,))
