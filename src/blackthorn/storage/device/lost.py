"""Texts that could not be read, in SQL (`ports.device_healing.LostTexts`)."""

from dataclasses import replace

from blackthorn.ports.device_healing import LostText, Pace, TextReport
from blackthorn.storage.device.records import Table
from blackthorn.storage.device.remembered import remembered
from blackthorn.storage.rows import values


class LostTexts(Table):
    """`ports.device_healing.LostTexts`."""

    def add(
        self, parcel: bytes, conversation: bytes, device: bytes, due_ms: int, most: int
    ) -> None:
        """Note a parcel, unless it is known or there are `most` of the conversation."""
        self._run(
            "INSERT OR IGNORE INTO lost_text SELECT ?1, ?2, ?3, 0, ?4"
            " WHERE (SELECT count(*) FROM lost_text WHERE conversation = ?2) < ?5",
            (parcel, conversation, device, due_ms, most),
        )

    def due(self, now_ms: int, ahead_ms: int, most: int) -> list[LostText]:
        """Those whose next step is due: not later than now, or further ahead than possible."""
        if not self._some():
            return []
        rows = self._run(
            "SELECT conversation, device, parcel, 0, asked FROM lost_text"
            " WHERE due_ms <= ?1 OR due_ms > ?2 UNION ALL"
            " SELECT conversation, device, x'', counter, asked FROM gap"
            " WHERE due_ms <= ?1 OR due_ms > ?2 ORDER BY 1, 2, 4 LIMIT ?3",
            (now_ms, now_ms + ahead_ms, most),
        )
        return [replace(LostText(*row), asked=bool(row[4])) for row in rows]

    @remembered("lost_text", "gap")
    def _some(self) -> bool:
        row = self._one("SELECT EXISTS (SELECT 1 FROM lost_text) OR EXISTS (SELECT 1 FROM gap)")
        return bool(row and row[0])

    def move(self, text: LostText, due_ms: int | None) -> None:
        """Its author was told; the next step is due then, or never."""
        if text.parcel:
            sql = "UPDATE lost_text SET asked = 1, due_ms = ? WHERE parcel = ?"
            self._run(sql, (due_ms, text.parcel))
            return
        self._run(
            "UPDATE gap SET asked = 1, due_ms = ?"
            " WHERE conversation = ? AND device = ? AND counter = ?",
            (due_ms, text.conversation, text.device, text.count),
        )

    def parcels_of(self, conversation: bytes, device: bytes) -> list[bytes]:
        rows = self._run(
            "SELECT parcel FROM lost_text WHERE conversation = ? AND device = ?",
            (conversation, device),
        )
        return [bytes(row[0]) for row in rows]

    def close(self, parcel: bytes) -> None:
        self._run("DELETE FROM lost_text WHERE parcel = ?", (parcel,))

    def reports(self, conversation: bytes, message: bytes) -> list[TextReport]:
        rows = self._run(
            "SELECT conversation, message, device, user, times, at_ms FROM text_report"
            " WHERE conversation = ? AND message = ?",
            (conversation, message),
        )
        return [TextReport(*row) for row in rows]

    def put_report(self, report: TextReport) -> None:
        sql = "INSERT OR REPLACE INTO text_report VALUES (?, ?, ?, ?, ?, ?)"
        self._run(sql, values(report))

    def pace(self, device: bytes, role: int, day: int) -> Pace:
        """Its count is of that day."""
        row = self._one(
            "SELECT iif(day = ?3, count, 0), next_ms FROM report_pace"
            " WHERE device = ?1 AND role = ?2",
            (device, role, day),
        )
        return Pace(day, *row) if row else Pace(day, 0, 0)

    def put_pace(self, device: bytes, role: int, pace: Pace) -> None:
        row = (device, role, *values(pace))
        self._run("INSERT OR REPLACE INTO report_pace VALUES (?, ?, ?, ?, ?)", row)

    def forget_before(self, time_ms: int, day: int) -> None:
        """Forget parcels that the server no longer delivers, old reports, and days before."""
        self._run(
            "DELETE FROM lost_text WHERE due_ms IS NULL"
            " AND parcel NOT IN (SELECT digest FROM set_aside_parcel)"
        )
        self._run("DELETE FROM text_report WHERE at_ms < ?", (time_ms,))
        self._run("DELETE FROM report_pace WHERE day < ?", (day,))
