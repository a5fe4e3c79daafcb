"""Parcels in transit, in SQLite (`ports.parcels.ParcelStore`).

A parcel for one device is one row of `mailbox`: one insert when it comes, one delete when it
is acknowledged. A parcel for several lies in `shared_parcel`, once for each market of theirs, and
a trigger removes it with the last of its mailbox rows, whoever deletes them. All are wrapped under
the key of the market of the device's user. A parcel for a device that is gone, or whose market's
key was destroyed, is not stored: nobody could ever open it.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

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
from blackthorn.storage import limits
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import storing
from blackthorn.storage.sqlite.wrapping import DeviceMarkets, Wrapping, plain_size

RESERVE: Final = 1_000_000
"""Numbers reserved at once: one small write a million parcels."""

_SIZE: Final = f"""
    CASE WHEN mailbox.sealed IS NOT NULL THEN {plain_size("mailbox.sealed", "mailbox.market")}
    ELSE (SELECT {plain_size("shared.sealed", "shared.market")} FROM shared_parcel AS shared
        WHERE shared.seq = mailbox.seq AND shared.market = mailbox.market) END
"""  # noqa: S608
_COUNT: Final = f"""
    SELECT set_aside_day IS NOT NULL, count(*), sum({_SIZE})
    FROM mailbox WHERE device = ? GROUP BY 1
"""  # noqa: S608
_SIZES: Final = f"SELECT device, seq, {_SIZE} FROM mailbox"  # noqa: S608


class SqliteParcels:
    """The parcels over the reading connection `reading`; jobs run on the writer's."""

    def __init__(self, reading: Connection, wrapping: Wrapping) -> None:
        self._reading = reading
        self._wrapping = wrapping
        self._markets = DeviceMarkets()

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
            "SELECT seq, sealed, market, set_aside_day IS NOT NULL FROM mailbox "
            "WHERE device = ? AND seq > ? AND (set_aside_day IS NULL OR ?) ORDER BY seq LIMIT ?"
        )
        found: list[Waiting] = []
        room = max_bytes
        cursor = self._reading.execute(query, (device, after, set_aside, max_parcels))
        for seq, wrapped, market, aside in cursor:
            if wrapped is None:
                wrapped = self._shared(seq, market)
            sealed = self._wrapping.unwrap(market, wrapped)
            found.append(Waiting(seq, sealed, bool(aside)))
            room -= len(sealed)
            if room <= 0:
                break
        cursor.close(True)
        return found

    def _shared(self, seq: int, market: str) -> bytes:
        query = "SELECT sealed FROM shared_parcel WHERE seq = ? AND market = ?"
        sealed: bytes = self._reading.execute(query, (seq, market)).get
        return sealed

    def put(self, batch: Batch) -> Job[list[Placed]]:
        """See `ports.parcels.ParcelStore`."""
        return partial(self._put, batch)

    def _put(self, batch: Batch, connection: Connection) -> list[Placed]:
        connection.execute(
            "UPDATE parcel_sequence SET reserved = ? WHERE reserved < ?",
            (batch.next_seq + RESERVE, batch.next_seq),
        )
        self._markets.refresh(connection)
        self._store(connection, batch.free)
        return [
            self._place(connection, placement, batch.day, parcels)
            for placement, parcels in batch.ordered
        ]

    def _place(
        self, connection: Connection, placement: Placement, day: int, parcels: Parcels | None
    ) -> Placed:
        if parcels is None:
            return _asked_for(connection, placement)
        placed = _place(connection, placement, day)
        if placed is Placed.STORED:
            self._store(connection, parcels)
        return placed

    def _store(self, connection: Connection, parcels: Parcels) -> None:
        rows = []
        wrap = self._wrapping.wrap
        for device, seq, sealed in parcels.single:
            market = self._market(connection, device)
            if market is not None:
                rows.append((device, seq, market, wrap(market, sealed)))
        connection.executemany(
            "INSERT INTO mailbox (device, seq, market, sealed) VALUES (?, ?, ?, ?)", rows
        )
        for shared in parcels.shared:
            self._store_shared(connection, shared)

    def _store_shared(self, connection: Connection, shared: SharedParcel) -> None:
        markets: dict[str, list[int]] = {}
        for device in shared.devices:
            market = self._market(connection, device)
            if market is not None:
                markets.setdefault(market, []).append(device)
        for market, devices in markets.items():
            connection.execute(
                "INSERT INTO shared_parcel (seq, market, waiting, sealed) VALUES (?, ?, ?, ?)",
                (shared.seq, market, len(devices), self._wrapping.wrap(market, shared.sealed)),
            )
            connection.executemany(
                "INSERT INTO mailbox (device, seq, market) VALUES (?, ?, ?)",
                [(device, shared.seq, market) for device in devices],
            )

    def _market(self, connection: Connection, device: int) -> str | None:
        """Under which market's key to store for the device; None when it is not to be stored."""
        market = self._markets.of(connection, device)
        return market if market is not None and self._wrapping.open(market) else None

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


def _asked_for(connection: Connection, placement: Placement) -> Placed:
    handle, epoch, token = placement
    found = connection.execute(
        "SELECT token FROM conversation_order WHERE handle = ? AND epoch = ?", (handle, epoch)
    ).get
    return Placed.REPEATED if found == token else Placed.NEW


def _place(connection: Connection, placement: Placement, day: int) -> Placed:
    """The compare-and-set: STORED if the Commit's conversation stands at its epoch."""
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
    return Placed.STORED
