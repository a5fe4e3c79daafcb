"""Notices in SQLite (`ports.notices.NoticeStore`)."""

from blackthorn.ids import Address
from blackthorn.ports.notices import Addressee
from blackthorn.ports.writer import Job
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import storing

_UNTOLD = (
    "SELECT number, address, market, language FROM users WHERE market = ? AND NOT EXISTS"
    " (SELECT 1 FROM case_notice WHERE case_id = ? AND seq = ? AND user = users.number)"
    " AND (? OR EXISTS (SELECT 1 FROM case_notice WHERE user = users.number AND case_id = ?))"
    " ORDER BY number LIMIT ?"
)
"""Who has read it on a device before the mail was left needs none any more."""


class SqliteNotices:
    """The notices over the reading connection; jobs run on the writer's."""

    def __init__(self, reading: Connection) -> None:
        self._reading = reading

    @storing
    def addressee(self, address: Address) -> Addressee | None:
        """See `ports.notices.NoticeStore`."""
        query = "SELECT number, address, market, language FROM users WHERE address = ?"
        row = self._reading.execute(query, (address,)).fetchone()
        return None if row is None else Addressee(*row)

    @storing
    def untold(
        self, case: str, seq: int, market: str, limit: int, *, met: bool = False
    ) -> list[Addressee]:
        """See `ports.notices.NoticeStore`."""
        rows = self._reading.execute(_UNTOLD, (market, case, seq, not met, case, limit))
        return [Addressee(*row) for row in rows]

    @storing
    def met(self, case: str, user: int) -> bool:
        """See `ports.notices.NoticeStore`."""
        query = "SELECT 1 FROM case_notice WHERE user = ? AND case_id = ?"
        return self._reading.execute(query, (user, case)).fetchone() is not None

    @storing
    def told(self, case: str, seq: int, user: int) -> bool:
        """See `ports.notices.NoticeStore`."""
        query = "SELECT 1 FROM case_notice WHERE case_id = ? AND seq = ? AND user = ?"
        return self._reading.execute(query, (case, seq, user)).fetchone() is not None

    @storing
    def was_read(self, case: str, seq: int, user: int) -> bool:
        """See `ports.notices.NoticeStore`."""
        query = (
            "SELECT read_ms IS NOT NULL FROM case_notice WHERE case_id = ? AND seq = ? AND user = ?"
        )
        return bool(self._reading.execute(query, (case, seq, user)).get)

    @storing
    def unread_directives(self, user: int) -> list[str]:
        """See `ports.notices.NoticeStore`."""
        query = (
            "SELECT case_id FROM case_notice WHERE user = ? AND seq = 0 AND read_ms IS NULL"
            " ORDER BY case_id LIMIT 16"
        )
        return [case for (case,) in self._reading.execute(query, (user,))]

    @storing
    def undisclosed(self) -> set[str]:
        """See `ports.notices.NoticeStore`."""
        query = "SELECT DISTINCT case_id FROM decision WHERE sealed = 1"
        return {case for (case,) in self._reading.execute(query)}

    def leave(self, case: str, seq: int, user: int, sent_ms: int | None) -> Job[None]:
        """See `ports.notices.NoticeStore`."""

        def job(connection: Connection) -> None:
            connection.execute(
                "INSERT INTO case_notice (case_id, seq, user, sent_ms) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET sent_ms = coalesce(sent_ms, excluded.sent_ms)",
                (case, seq, user, sent_ms),
            )

        return job

    def read(self, case: str, seq: int, user: int, now_ms: int) -> Job[None]:
        """See `ports.notices.NoticeStore`."""

        def job(connection: Connection) -> None:
            connection.execute(
                "INSERT INTO case_notice (case_id, seq, user, read_ms) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET read_ms = coalesce(read_ms, excluded.read_ms)",
                (case, seq, user, now_ms),
            )

        return job
