"""MLS states in rows (`ports.device_groups.Groups`): only the changed ones are written."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Final

from blackthorn.ports.device_groups import EndedEpoch, GroupKey
from blackthorn.storage.device.records import Table
from blackthorn.storage.device.remembered import remembered

_KEYS: Final = {
    "epoch": ("epoch",),
    "node": ("node",),
    "secret_node": ("node",),
    "ratchet": ("epoch", "leaf", "kind"),
    "skipped": ("epoch", "leaf", "kind", "generation"),
    "leaf_span": ("leaf", "epoch"),
}
"""The key of each table, after the state's number."""


_PUT: Final = (
    "INSERT INTO group_state (conversation, version, head) VALUES (?, 1, ?) ON CONFLICT"
    " DO UPDATE SET version = version + 1, head = excluded.head RETURNING number, version"
)
_COUNT: Final = (
    "UPDATE group_state SET version = version + 1 WHERE conversation = ? RETURNING number, version"
)


def _where(table: str, length: int) -> str:
    """The rows whose keys begin with as many values."""
    return " WHERE " + " AND ".join(f"{name} = ?" for name in ("state", *_KEYS[table][:length]))


@cache
def _select(table: str, length: int) -> str:
    columns = ", ".join((*_KEYS[table], "value"))
    return f"SELECT {columns} FROM {table}" + _where(table, length)  # noqa: S608 (names above)


@cache
def _delete(table: str, length: int) -> str:
    return f"DELETE FROM {table}" + _where(table, length)  # noqa: S608 (names above)


@cache
def _upsert(table: str) -> str:
    key = ", ".join(("state", *_KEYS[table]))
    marks = ", ".join("?" for _ in range(len(_KEYS[table]) + 2))
    return (
        f"INSERT INTO {table} ({key}, value) VALUES ({marks})"  # noqa: S608 (names above)
        f" ON CONFLICT ({key}) DO UPDATE SET value = excluded.value"
    )


class Groups(Table):
    """`ports.device_groups.Groups`."""

    @remembered("group_state")
    def version(self, conversation: bytes) -> int | None:
        """None: nothing is stored in rows."""
        row = self._one("SELECT version FROM group_state WHERE conversation = ?", (conversation,))
        return int(row[0]) if row else None

    def head(self, conversation: bytes) -> bytes:
        row = self._one("SELECT head FROM group_state WHERE conversation = ?", (conversation,))
        return bytes(row[0]) if row else b""

    def read(self, conversation: bytes, table: str, begin: GroupKey) -> dict[GroupKey, bytes]:
        """The rows whose keys begin so."""
        rows = self._run(_select(table, len(begin)), (self._number(conversation), *begin))
        return {row[:-1]: row[-1] for row in rows}

    def write(
        self,
        conversation: bytes,
        head: bytes | None,
        cleared: Iterable[tuple[str, GroupKey]],
        rows: Mapping[str, Mapping[GroupKey, bytes | None]],
    ) -> int:
        """First delete rows whose keys begin as in `cleared`; None deletes one. The new version.

        Without a `head` that stays.
        """
        if head is None:
            row = self._one(_COUNT, (conversation,))
        else:
            row = self._one(_PUT, (conversation, head))
        number, version = row or (0, 0)
        for table, begin in cleared:
            self._run(_delete(table, len(begin)), (number, *begin))
        for table, changed in rows.items():
            put = [(number, *key, value) for key, value in changed.items() if value is not None]
            gone = [(number, *key) for key, value in changed.items() if value is None]
            if put:
                self._many(_upsert(table), put)
            if gone:
                self._many(_delete(table, len(_KEYS[table])), gone)
        return int(version)

    def end_epochs(self, conversation: bytes, before: int, now_ms: int) -> None:
        """The epochs before that one have ended, now unless they had before."""
        self._run(
            "UPDATE epoch SET ended_ms = ?3, bytes = (SELECT coalesce(sum(length(value)), 0)"
            " FROM ratchet WHERE state = ?1 AND epoch = epoch.epoch)"
            " WHERE state = ?1 AND epoch < ?2 AND ended_ms IS NULL",
            (self._number(conversation), before, now_ms),
        )

    def epochs_with_keys(self, conversation: bytes) -> Iterator[EndedEpoch]:
        """Newest first."""
        number = self._number(conversation)
        sizes = "SELECT epoch, sum(length(value)) FROM skipped WHERE state = ? GROUP BY epoch"
        skipped: dict[int, int] = dict(self._run(sizes, (number,)))
        for epoch, ended_ms, size in self._run(
            "SELECT epoch, ended_ms, bytes FROM epoch WHERE state = ? AND bytes > 0"
            " ORDER BY epoch DESC",
            (number,),
        ):
            yield EndedEpoch(epoch, ended_ms, size + skipped.get(epoch, 0))

    def first_ended(self, conversation: bytes, since_ms: int) -> int | None:
        """The first past epoch that ended at that time or later."""
        row = self._one(
            "SELECT min(epoch) FROM epoch WHERE state = ? AND ended_ms >= ?",
            (self._number(conversation), since_ms),
        )
        return row[0] if row else None

    def forget_keys(self, conversation: bytes, before: int) -> None:
        """Delete the message keys of epochs before that one."""
        number = self._number(conversation)
        self._forget(("ratchet", "skipped"), number, before)
        self._run(
            "UPDATE epoch SET bytes = 0 WHERE state = ? AND epoch < ? AND bytes > 0",
            (number, before),
        )
        self._run("UPDATE group_state SET version = version + 1 WHERE number = ?", (number,))

    def forget_epochs(self, conversation: bytes, before: int) -> None:
        """Delete all of epochs before that one, and members who had left by then."""
        number = self._number(conversation)
        self._forget(("epoch", "ratchet", "skipped"), number, before)
        self._run(
            "DELETE FROM envelope_key WHERE conversation = ? AND epoch < ?", (conversation, before)
        )
        self._run(
            "DELETE FROM leaf_span WHERE state = ?1 AND EXISTS (SELECT 1 FROM leaf_span AS later"
            " WHERE later.state = ?1 AND later.leaf = leaf_span.leaf"
            " AND later.epoch > leaf_span.epoch AND later.epoch <= ?2)",
            (number, before),
        )

    def _forget(self, tables: Iterable[str], number: int, before: int) -> None:
        for table in tables:
            old = f"DELETE FROM {table} WHERE state = ? AND epoch < ?"  # noqa: S608 (names above)
            self._run(old, (number, before))

    @remembered("group_state")
    def _number(self, conversation: bytes) -> int:
        row = self._one("SELECT number FROM group_state WHERE conversation = ?", (conversation,))
        return int(row[0]) if row else 0
