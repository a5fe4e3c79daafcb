"""The age of leaves in SQL (`ports.device_store.Leaves`)."""

from dataclasses import replace

from blackthorn.ports.device_groups import LeafRecord, OwnLeaf
from blackthorn.storage.device.records import Row, Table
from blackthorn.storage.device.remembered import remembered
from blackthorn.storage.rows import values

_LEAF = (
    "SELECT conversation, device, renewed_ms, moved_ms, due_day, due_sent, drawn_ms, before_text,"
    " spread FROM leaf"
)
_OWN = (
    "SELECT c.kind, c.name, c.sent, c.epoch, c.id, ?1, ifnull(renewed_ms, 0), ifnull(moved_ms, 0),"
    " ifnull(due_day, 0), ifnull(due_sent, 0), ifnull(drawn_ms, 0), ifnull(before_text, 0),"
    " ifnull(spread, 0)"
    " FROM conversation AS c LEFT JOIN leaf ON conversation = c.id AND device = ?1"
    " WHERE c.standing = ?2 ORDER BY c.rowid"
)


def _leaf(row: Row) -> LeafRecord:
    return replace(LeafRecord(*row), before_text=bool(row[7]), spread=bool(row[8]))


class Leaves(Table):
    """`ports.device_store.Leaves`."""

    def put(self, record: LeafRecord) -> None:
        self._run(
            "INSERT OR REPLACE INTO leaf (conversation, device, renewed_ms, moved_ms, due_day,"
            " due_sent, drawn_ms, before_text, spread) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values(record),
        )

    @remembered("leaf")
    def get(self, conversation: bytes, device: bytes) -> LeafRecord | None:
        row = self._one(_LEAF + " WHERE conversation = ? AND device = ?", (conversation, device))
        return _leaf(row) if row else None

    @remembered("conversation", "leaf")
    def own(self, device: bytes, standing: str) -> list[OwnLeaf]:
        """Of all conversations of that standing, oldest first."""
        rows = self._run(_OWN, (device, standing))
        return [OwnLeaf(row[0], row[1], row[2], row[3], _leaf(row[4:])) for row in rows]

    def renewed_since(self, conversation: bytes, time_ms: int) -> list[bytes]:
        rows = self._run(
            "SELECT device FROM leaf WHERE conversation = ? AND renewed_ms > ?",
            (conversation, time_ms),
        )
        return [bytes(row[0]) for row in rows]

    def mark_before_text(self, device: bytes) -> None:
        """All own leaves are due, and before the next own text."""
        self._run("UPDATE leaf SET before_text = 1 WHERE device = ?", (device,))

    def forget(self, conversation: bytes) -> None:
        self._run("DELETE FROM leaf WHERE conversation = ?", (conversation,))
