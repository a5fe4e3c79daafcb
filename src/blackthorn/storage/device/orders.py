"""The order of Commits as this device knows it, in SQL (`ports.device_groups.CommitOrders`)."""

from blackthorn.storage.device.records import Table


class CommitOrders(Table):
    """`ports.device_groups.CommitOrders`."""

    def put_void(self, conversation: bytes, epoch: int, digest: bytes, most: int) -> None:
        self._run(
            "INSERT INTO commit_order (conversation, epoch, digest, void, place)"
            " VALUES (?, ?, ?, 1, 0)"
            " ON CONFLICT (conversation, epoch, digest) DO UPDATE SET void = 1",
            (conversation, epoch, digest),
        )
        self._run(
            "DELETE FROM commit_order WHERE conversation = ?1 AND epoch = ?2 AND digest IN"
            " (SELECT digest FROM commit_order WHERE conversation = ?1 AND epoch = ?2"
            " AND place = 0 AND digest != ?3 LIMIT -1 OFFSET ?4)",
            (conversation, epoch, digest, most - 1),
        )

    def put_winner(self, conversation: bytes, epoch: int, digest: bytes, now_ms: int) -> None:
        self._run(
            "INSERT INTO commit_order (conversation, epoch, digest, void, place, told_ms)"
            " SELECT ?1, ?2, ?3, 0, 1 + coalesce(max(place), 0), ?4"
            " FROM commit_order WHERE conversation = ?1 AND epoch = ?2"
            " ON CONFLICT (conversation, epoch, digest)"
            " DO UPDATE SET place = excluded.place, told_ms = excluded.told_ms WHERE place = 0",
            (conversation, epoch, digest, now_ms),
        )

    def give_up(self, conversation: bytes, epoch: int, before_ms: int) -> bool:
        before = self._connection.total_changes()
        self._run(
            "UPDATE commit_order SET lost = 1 WHERE conversation = ?1 AND epoch = ?2"
            " AND NOT void AND NOT lost AND told_ms < ?3 AND place ="
            " (SELECT max(place) FROM commit_order WHERE conversation = ?1 AND epoch = ?2)"
            " AND place > 0",
            (conversation, epoch, before_ms),
        )
        return self._connection.total_changes() > before

    def is_passed(self, conversation: bytes, epoch: int, digest: bytes) -> bool:
        query = (
            "SELECT 1 FROM commit_order"
            " WHERE conversation = ? AND epoch = ? AND digest = ? AND (void OR lost)"
        )
        return self._one(query, (conversation, epoch, digest)) is not None

    def passed(self, conversation: bytes, epoch: int) -> bytes:
        row = self._one(
            "SELECT digest FROM commit_order WHERE conversation = ? AND epoch = ?"
            " AND (void OR lost) AND place ORDER BY place DESC LIMIT 1",
            (conversation, epoch),
        )
        return bytes(row[0]) if row else b""

    def given_up(self, conversation: bytes, epoch: int, most: int) -> list[bytes]:
        query = (
            "SELECT digest FROM commit_order WHERE conversation = ? AND epoch = ? AND lost"
            " ORDER BY place DESC LIMIT ?"
        )
        return [bytes(row[0]) for row in self._run(query, (conversation, epoch, most))]

    def missing(self, conversation: bytes, epoch: int) -> bytes:
        row = self._one(
            "SELECT digest FROM commit_order WHERE conversation = ? AND epoch = ?"
            " AND NOT void AND NOT lost AND place ORDER BY place DESC LIMIT 1",
            (conversation, epoch),
        )
        return bytes(row[0]) if row else b""

    def forget_before(self, conversation: bytes, epoch: int) -> None:
        values = (conversation, epoch)
        self._run("DELETE FROM commit_order WHERE conversation = ? AND epoch < ?", values)
