"""Parcels in transit, in SQLite (`ports.parcels.ParcelStore`).

A parcel for one device is one row of `mailbox`: one insert when it comes, one delete when it
is acknowledged. A parcel for several lies once in `shared_parcel`, and a trigger removes it
with the last of its mailbox rows, whoever deletes them.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from blackthorn import limits
from blackthorn.ports.parcels import Batch, Parcels, Placed, Placement, SharedParcel
from blackthorn.ports.writer import Job
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import storing

RESERVE: Final = 1_000_000
"""Numbers reserved at once: one small write a million parcels."""


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
    def count(self, device: int) -> int:
        """See `ports.parcels.ParcelStore`."""
        query = "SELECT count(*) FROM mailbox WHERE device = ?"
        found: int = self._reading.execute(query, (device,)).get
        return found

    @storing
    def read(
        self, device: int, after: int, *, set_aside: bool, max_parcels: int, max_bytes: int
    ) -> list[tuple[int, bytes]]:
        """See `ports.parcels.ParcelStore`."""
        query = (
            "SELECT seq, sealed FROM mailbox WHERE device = ? AND seq > ? "
            "AND (set_aside_day IS NULL OR ?) ORDER BY seq LIMIT ?"
        )
        found: list[tuple[int, bytes]] = []
        room = max_bytes
        cursor = self._reading.execute(query, (device, after, set_aside, max_parcels))
        for seq, sealed in cursor:
            if sealed is None:
                sealed = self._shared(seq)
            found.append((seq, sealed))
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

    def set_aside(self, entries: Sequence[tuple[int, int]], day: int) -> Job[None]:
        """See `ports.parcels.ParcelStore`."""

        def job(connection: Connection) -> None:
            connection.executemany(
                "UPDATE mailbox SET set_aside_day = coalesce(set_aside_day, ?) "
                "WHERE device = ? AND seq = ?",
                [(day, device, seq) for device, seq in entries],
            )

        return job

    def expire(self, before_day: int, commits_before_day: int) -> Job[list[int]]:
        """See `ports.parcels.ParcelStore`."""

        def job(connection: Connection) -> list[int]:
            connection.execute(
                "DELETE FROM conversation_order WHERE day < ?", (commits_before_day,)
            )
            query = "DELETE FROM mailbox WHERE set_aside_day < ? RETURNING device"
            return [device for (device,) in connection.execute(query, (before_day,))]

        return job


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


def _place(connection: Connection, placement: Placement, day: int, parcels: Parcels) -> Placed:
    """The compare-and-set: store the Commit if its conversation stands at its epoch."""
    handle, epoch, token = placement
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
