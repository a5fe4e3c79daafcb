"""What heals conversations, in SQL (`ports.device_healing.Healing`)."""

from collections.abc import Sequence

import msgspec

from blackthorn.ports.device_healing import SentText
from blackthorn.storage.device.records import Table
from blackthorn.storage.device.remembered import remembered

_SENT = (
    "SELECT message, conversation, salt, count, sent_ms, accepted_ms, epoch, digests FROM sent_text"
)


class Healing(Table):
    """`ports.device_healing.Healing`."""

    @remembered("healing")
    def get(self, conversation: bytes) -> bytes | None:
        row = self._one("SELECT state FROM healing WHERE conversation = ?", (conversation,))
        return bytes(row[0]) if row else None

    def put(self, conversation: bytes, state: bytes, *, busy: bool) -> None:
        values = (conversation, busy, state)
        self._run("INSERT OR REPLACE INTO healing VALUES (?, ?, ?)", values)

    def restless(self, calm: Sequence[str]) -> list[bytes]:
        """Conversations that are busy, or of another standing than these."""
        return self._restless(tuple(calm))

    @remembered("conversation", "healing")
    def _restless(self, calm: tuple[str, ...]) -> list[bytes]:
        rows = self._run(
            "SELECT id FROM conversation WHERE standing NOT IN (SELECT value FROM json_each(?))"
            " UNION SELECT conversation FROM healing WHERE busy",
            (msgspec.json.encode(list(calm)).decode(),),
        )
        return [bytes(row[0]) for row in rows]

    def put_branch(self, conversation: bytes, epoch: int, secret: bytes, now_ms: int) -> None:
        values = (conversation, epoch, secret, now_ms)
        self._run("INSERT OR REPLACE INTO branch VALUES (?, ?, ?, ?, x'', x'')", values)

    def branch(self, conversation: bytes, epoch: int) -> tuple[bytes, int] | None:
        """The secret of an epoch, and when it began here, in Unix milliseconds."""
        row = self._one(
            "SELECT secret, begun_ms FROM branch WHERE conversation = ? AND epoch = ?",
            (conversation, epoch),
        )
        return (bytes(row[0]), int(row[1])) if row else None

    def end_branch(self, conversation: bytes, epoch: int, digest: bytes, committer: bytes) -> None:
        """The Commit of that digest, by that device, has ended the epoch."""
        self._run(
            "UPDATE branch SET ended_by = ?, committer = ? WHERE conversation = ? AND epoch = ?",
            (digest, committer, conversation, epoch),
        )

    def ended_by(self, conversation: bytes, epoch: int) -> bytes:
        """The digest of the Commit that ended the epoch, empty if that is not known."""
        query = "SELECT ended_by FROM branch WHERE conversation = ? AND epoch = ?"
        row = self._one(query, (conversation, epoch))
        return bytes(row[0]) if row else b""

    def committer(self, conversation: bytes, epoch: int) -> bytes:
        """The identity of who ended the epoch, empty if that is not known."""
        query = "SELECT committer FROM branch WHERE conversation = ? AND epoch = ?"
        row = self._one(query, (conversation, epoch))
        return bytes(row[0]) if row else b""

    def trail(self, conversation: bytes, before: int, most: int) -> list[tuple[int, bytes]]:
        """The last epochs before that one that are kept, with their secrets, newest first."""
        rows = self._run(
            "SELECT epoch, secret FROM branch WHERE conversation = ? AND epoch < ?"
            " ORDER BY epoch DESC LIMIT ?",
            (conversation, before, most),
        )
        return [(int(row[0]), bytes(row[1])) for row in rows]

    def followed_ms(self, conversation: bytes, me: bytes) -> int:
        """When the last Commit of another device than `me` was merged, Unix milliseconds."""
        row = self._one(
            "SELECT max(begun.begun_ms) FROM branch AS ended JOIN branch AS begun"
            " ON begun.conversation = ended.conversation AND begun.epoch = ended.epoch + 1"
            " WHERE ended.conversation = ? AND ended.committer NOT IN (x'', ?)",
            (conversation, me),
        )
        return int(row[0] or 0) if row else 0

    def keep_commit(
        self, conversation: bytes, digest: bytes, parcels: bytes, now_ms: int, most: int
    ) -> None:
        """Keep a Commit; beyond `most` of its conversation the oldest go."""
        values = (conversation, digest, parcels, now_ms)
        self._run("INSERT OR REPLACE INTO kept_commit VALUES (?, ?, ?, ?)", values)
        self._run(
            "DELETE FROM kept_commit WHERE conversation = ?1 AND digest IN"
            " (SELECT digest FROM kept_commit WHERE conversation = ?1"
            " ORDER BY digest = ?2 DESC, kept_ms DESC LIMIT -1 OFFSET ?3)",
            (conversation, digest, most),
        )

    def kept_commit(self, conversation: bytes, digest: bytes) -> bytes | None:
        query = "SELECT parcels FROM kept_commit WHERE conversation = ? AND digest = ?"
        row = self._one(query, (conversation, digest))
        return bytes(row[0]) if row else None

    def keep_group(self, conversation: bytes, state: bytes, now_ms: int) -> None:
        values = (conversation, state, now_ms)
        self._run("INSERT OR REPLACE INTO kept_group VALUES (?, ?, ?)", values)

    def kept_group(self, conversation: bytes) -> bytes | None:
        query = "SELECT state FROM kept_group WHERE conversation = ?"
        row = self._one(query, (conversation,))
        return bytes(row[0]) if row else None

    def forget_group(self, conversation: bytes) -> None:
        self._run("DELETE FROM kept_group WHERE conversation = ?", (conversation,))

    def forget_groups_before(self, time_ms: int) -> None:
        """Forget groups, and Commits, that were kept before."""
        self._run("DELETE FROM kept_group WHERE kept_ms < ?", (time_ms,))
        self._run("DELETE FROM kept_commit WHERE kept_ms < ?", (time_ms,))

    def forget_branches_before(self, time_ms: int) -> None:
        """Forget past epochs; the newest of each conversation stays."""
        self._run(
            "DELETE FROM branch WHERE begun_ms < ? AND epoch < (SELECT max(epoch) FROM branch AS"
            " newer WHERE newer.conversation = branch.conversation)",
            (time_ms,),
        )

    def forget_branches_after(self, conversation: bytes, epoch: int) -> None:
        """Forget the epochs of a branch that this device has left."""
        values = (conversation, epoch)
        self._run("DELETE FROM branch WHERE conversation = ? AND epoch > ?", values)

    def hear(self, message: bytes, most: int) -> None:
        """Keep a message to work off; beyond `most` the oldest go."""
        self._run("INSERT INTO heard (message) VALUES (?)", (message,))
        self._run(
            "DELETE FROM heard WHERE number NOT IN"
            " (SELECT number FROM heard ORDER BY number DESC LIMIT ?)",
            (most,),
        )

    def take_heard(self) -> list[bytes]:
        """All messages to work off, oldest first; they are kept no longer."""
        messages = self._heard()
        if messages:
            self._run("DELETE FROM heard")
        return messages

    @remembered("heard")
    def _heard(self) -> list[bytes]:
        return [bytes(row[0]) for row in self._run("SELECT message FROM heard ORDER BY number")]

    def put_sent(self, text: SentText) -> None:
        values = (
            text.conversation,
            text.message,
            text.salt,
            text.count,
            text.sent_ms,
            text.accepted_ms,
            text.epoch,
            text.digests,
        )
        self._run("INSERT OR REPLACE INTO sent_text VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def sent_since(self, conversation: bytes, time_ms: int, most: int) -> list[SentText]:
        """The newest own texts accepted at that time or later, oldest first."""
        rows = self._run(
            _SENT + " WHERE conversation = ? AND accepted_ms >= ? AND count > 0"
            " ORDER BY accepted_ms DESC, count DESC LIMIT ?",
            (conversation, time_ms, most),
        )
        return [SentText(*row) for row in reversed(rows)]

    def sent_in(self, conversation: bytes) -> list[SentText]:
        """Own texts and messages about healing there, in the order of their counts."""
        sql = _SENT + " WHERE conversation = ? ORDER BY count, accepted_ms"
        return [SentText(*row) for row in self._run(sql, (conversation,))]

    def accepted_since(self, time_ms: int) -> list[SentText]:
        sql = _SENT + " WHERE accepted_ms >= ? AND count > 0 ORDER BY accepted_ms, count"
        return [SentText(*row) for row in self._run(sql, (time_ms,))]

    def forget_sent_before(self, time_ms: int) -> None:
        self._run("DELETE FROM sent_text WHERE accepted_ms < ?", (time_ms,))
