"""Parcels in transit, in SQLite (`ports.parcels.ParcelStore`).

A parcel for one device is one row of `mailbox`: one insert when it comes, one delete when it
is acknowledged. A parcel for several lies once in `shared_parcel`, and a trigger removes it
with the last of its mailbox rows, whoever deletes them.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from blackthorn import limits
from blackthorn.ports.parcels import (
    Batch,
    Dropped,
    Parcels,
    Placed,
    Placement,
    SharedParcel,
    Tally,
    Waiting,
)
from blackthorn.ports.writer import Job
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import storing

RESERVE: Final = 1_000_000
"""Numbers reserved at once: one small write a million parcels."""

_COUNT: Final = """
    SELECT set_aside_day IS NOT NULL, count(*), sum(coalesce(length(mailbox.sealed),
        (SELECT length(shared.sealed) FROM shared_parcel AS shared WHERE shared.seq = mailbox.seq)))
    FROM mailbox WHERE device = ? GROUP BY 1
"""
_SIZES: Final = """
    SELECT device, seq, coalesce(length(mailbox.sealed),
        (SELECT length(shared.sealed) FROM shared_parcel AS shared WHERE shared.seq = mailbox.seq))
    FROM mailbox
"""


class SqliteParcels:
    """The parcels over the reading connection `reading`; jobs run on the writer's."""

    def __init__(self, reading: Connection) -> None:
        self._reading = reading

    @storing
    def first_seq(self) -> int:
        """See `ports.parcels.ParcelStore`."""
        reserved: int = self._reading.execute("SELECT reserved FROM parcel_sequence").get
        return reserved

    @storing
    def count(self, device: int) -> Tally:
        """See `ports.parcels.ParcelStore`."""
        rows: list[Any] = self._reading.execute(_COUNT, (device,)).fetchall()
        found = {aside: (number, size) for aside, number, size in rows}
        return Tally(*found.get(0, (0, 0)), *found.get(1, (0, 0)))

    @storing
    def read(
        self, device: int, after: int, *, set_aside: bool, max_parcels: int, max_bytes: int
    ) -> list[Waiting]:
        """See `ports.parcels.ParcelStore`."""
        query = (
            "SELECT seq, sealed, set_aside_day IS NOT NULL FROM mailbox "
            "WHERE device = ? AND seq > ? AND (set_aside_day IS NULL OR ?) ORDER BY seq LIMIT ?"
        )
        found: list[Waiting] = []
        room = max_bytes
        cursor = self._reading.execute(query, (device, after, set_aside, max_parcels))
        for seq, sealed, aside in cursor:
            if sealed is None:
                sealed = self._shared(seq)
            found.append(Waiting(seq, sealed, bool(aside)))
            room -= len(sealed)
            if room <= 0:
                break
        cursor.close(True)
        return found

    def _shared(self, seq: int) -> bytes:
        query = "SELECT sealed FROM shared_parcel WHERE seq = ?"
        sealed: bytes = self._reading.execute(query, (seq,)).get
        return sealed

    def put(self, batch: Batch) -> Job[list[Placed]]:
        """See `ports.parcels.ParcelStore`."""
        return partial(_put, batch)

    def remove(self, acknowledged: Sequence[tuple[int, int]]) -> Job[None]:
        """See `ports.parcels.ParcelStore`."""

        def job(connection: Connection) -> None:
            connection.executemany("DELETE FROM mailbox WHERE device = ? AND seq = ?", acknowledged)

        return job

    def remove_aside(self, acknowledged: Sequence[tuple[int, int]]) -> Job[Dropped]:
        """See `ports.parcels.ParcelStore`."""

        def job(connection: Connection) -> Dropped:
            query = f"{_SIZES} WHERE device = ? AND seq = ?"
            found = [connection.execute(query, entry).fetchone() for entry in acknowledged]
            return _drop(connection, [each for each in found if each is not None])

        return job

    def set_aside(self, entries: Sequence[tuple[int, int]], day: int) -> Job[None]:
        """See `ports.parcels.ParcelStore`."""

        def job(connection: Connection) -> None:
            connection.executemany(
                "UPDATE mailbox SET set_aside_day = coalesce(set_aside_day, ?) "
                "WHERE device = ? AND seq = ?",
                [(day, device, seq) for device, seq in entries],
            )

        return job

    def trim(self, device: int, max_parcels: int, max_bytes: int) -> Job[Dropped]:
        """See `ports.parcels.ParcelStore`."""

        def job(connection: Connection) -> Dropped:
            query = f"{_SIZES} WHERE device = ? AND set_aside_day IS NOT NULL ORDER BY seq DESC"
            found: list[Any] = connection.execute(query, (device,)).fetchall()
            kept, room = 0, max_bytes
            for _, _, size in found[:max_parcels]:
                room -= size
                if room < 0:
                    break
                kept += 1
            return _drop(connection, found[kept:])

        return job

    def expire(self, before_day: int, commits_before_day: int) -> Job[Dropped]:
        """See `ports.parcels.ParcelStore`."""

        def job(connection: Connection) -> Dropped:
            connection.execute(
                "DELETE FROM conversation_order WHERE day < ?", (commits_before_day,)
            )
            query = f"{_SIZES} WHERE set_aside_day < ?"
            return _drop(connection, connection.execute(query, (before_day,)).fetchall())

        return job


def _drop(connection: Connection, found: list[Any]) -> Dropped:
    """Delete these (device, seq, size)."""
    connection.executemany(
        "DELETE FROM mailbox WHERE device = ? AND seq = ?",
        [(device, seq) for device, seq, _ in found],
    )
    return [(device, size) for device, _, size in found]


def _put(batch: Batch, connection: Connection) -> list[Placed]:
    connection.execute(
        "UPDATE parcel_sequence SET reserved = ? WHERE reserved < ?",
        (batch.next_seq + RESERVE, batch.next_seq),
    )
    _store(connection, batch.free)
    return [
        _place(connection, placement, batch.day, parcels) for placement, parcels in batch.ordered
    ]


def _store(connection: Connection, parcels: Parcels) -> None:
    if parcels.single:
        connection.executemany(
            "INSERT INTO mailbox (device, seq, sealed) VALUES (?, ?, ?)", parcels.single
        )
    for shared in parcels.shared:
        _store_shared(connection, shared)


def _store_shared(connection: Connection, shared: SharedParcel) -> None:
    connection.execute(
        "INSERT INTO shared_parcel (seq, waiting, sealed) VALUES (?, ?, ?)",
        (shared.seq, len(shared.devices), shared.sealed),
    )
    connection.executemany(
        "INSERT INTO mailbox (device, seq) VALUES (?, ?)",
        [(device, shared.seq) for device in shared.devices],
    )


def _place(
    connection: Connection, placement: Placement, day: int, parcels: Parcels | None
) -> Placed:
    """The compare-and-set: store the Commit if its conversation stands at its epoch."""
    handle, epoch, token = placement
    if parcels is None:
        found = connection.execute(
            "SELECT token FROM conversation_order WHERE handle = ? AND epoch = ?", (handle, epoch)
        ).get
        return Placed.REPEATED if found == token else Placed.NEW
    newest = connection.execute(
        "SELECT max(epoch) FROM conversation_order WHERE handle = ?", (handle,)
    ).get
    if newest is not None and epoch != newest + 1:
        taken = connection.execute(
            "SELECT token FROM conversation_order WHERE handle = ? AND epoch = ?", (handle, epoch)
        ).get
        if taken == token:
            return Placed.REPEATED
        return Placed.LATE if epoch <= newest else Placed.AHEAD
    connection.execute("INSERT INTO conversation_order VALUES (?, ?, ?, ?)", (*placement, day))
    connection.execute(
        "DELETE FROM conversation_order WHERE handle = ? AND epoch <= ?",
        (handle, epoch - limits.MAX_REMEMBERED_COMMITS),
    )
    _store(connection, parcels)
    return Placed.STORED
