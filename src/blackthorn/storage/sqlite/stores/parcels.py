"""Parcels in transit in SQLite (`ports.parcels`).

A parcel for one device is a row of `mailbox`; one for several is in `shared_parcel` once per
market, and a trigger deletes it with its last mailbox row. All are wrapped under the market key of
the device's user; a parcel for a removed device or a destroyed market is not stored.
"""

import heapq
from collections import deque
from typing import Any, Final

from blackthorn.link.limits import MAX_MISSED_DIGESTS, MISSED_DIGEST_BYTES
from blackthorn.ports import parcels as port
from blackthorn.storage import limits
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.transaction import Table, Transaction
from blackthorn.storage.sqlite.wrapping import MARKET_OF_DEVICE, plain_size

_SIZE: Final = f"""
    CASE WHEN mailbox.sealed IS NOT NULL THEN {plain_size("mailbox.sealed", "mailbox.market")}
    ELSE (SELECT {plain_size("shared.sealed", "shared.market")} FROM shared_parcel AS shared
        WHERE shared.id = mailbox.shared) END
"""  # noqa: S608
_TALLY: Final = f"""
    SELECT set_aside_day IS NOT NULL, seq, sender, {_SIZE}
    FROM mailbox WHERE device = ? AND seq > ? ORDER BY seq LIMIT ?
"""  # noqa: S608
_SIZES: Final = f"SELECT device, seq, {_SIZE} FROM mailbox"  # noqa: S608
_UNDECRYPTABLE: Final = f"""
    SELECT device, seq, {_SIZE}, sender FROM mailbox INDEXED BY mailbox_undecryptable
    WHERE device = ? AND set_aside_day IS NOT NULL ORDER BY seq
"""  # noqa: S608
_EXPIRED: Final = (
    f"{_SIZES} INDEXED BY mailbox_undecryptable_by_day WHERE set_aside_day < ? LIMIT ?"
)

_MISS: Final = "INSERT OR REPLACE INTO missed_commit (device, count, digests) VALUES (?, ?, ?)"

_WAITING: Final = """
    SELECT seq, sealed, market, shared, set_aside_day IS NOT NULL, sender FROM mailbox
    WHERE device = ? AND seq > ? AND (set_aside_day IS NULL OR ?) ORDER BY seq LIMIT ?
"""


def _store_parcels(
    transaction: Transaction, command: port.StoreParcels
) -> list[port.OrderedCommit]:
    connection = transaction.connection
    transaction.device_markets.refresh(connection)
    _insert(transaction, command.free)
    return [
        _order(transaction, position, command.day, parcels) for position, parcels in command.ordered
    ]


def _order(
    transaction: Transaction, position: port.CommitPosition, day: int, parcels: port.Parcels | None
) -> port.OrderedCommit:
    connection = transaction.connection
    if parcels is None:
        return port.OrderedCommit(_look_up(connection, position))
    outcome = _take_place(connection, position, day)
    if outcome is port.CommitOutcome.STORED:
        _insert(transaction, parcels)
    late = outcome is port.CommitOutcome.LATE
    return port.OrderedCommit(outcome, _found(connection, position).digest if late else b"")


def _insert(transaction: Transaction, parcels: port.Parcels) -> None:
    rows = []
    wrap = transaction.wrapping.wrap
    for device, seq, sealed, sender in parcels.single:
        market = _open_market(transaction, device)
        if market is not None:
            rows.append((device, seq, market, wrap(market, sealed), sender))
    transaction.connection.executemany(
        "INSERT INTO mailbox (device, seq, market, sealed, sender) VALUES (?, ?, ?, ?, ?)", rows
    )
    for shared in parcels.shared:
        _insert_shared(transaction, shared)
    for device, digest in parcels.missed:
        if _open_market(transaction, device) is not None:
            before = _missed_by(transaction, device)
            newest = (digest + before.digests)[: MAX_MISSED_DIGESTS * MISSED_DIGEST_BYTES]
            transaction.connection.execute(_MISS, (device, before.commits + 1, newest))


def _insert_shared(transaction: Transaction, shared: port.SharedParcel) -> None:
    markets: dict[str, list[tuple[int, int, int]]] = {}
    for place, sender in zip(shared.places, shared.senders, strict=True):
        market = _open_market(transaction, place[0])
        if market is not None:
            markets.setdefault(market, []).append((*place, sender))
    for market, places in markets.items():
        sealed = transaction.wrapping.wrap(market, shared.sealed)
        transaction.connection.execute(
            "INSERT INTO shared_parcel (id, market, waiting, sealed) VALUES (random(), ?, ?, ?)",
            (market, len(places), sealed),
        )
        number = transaction.connection.last_insert_rowid()
        transaction.connection.executemany(
            "INSERT INTO mailbox (device, seq, market, shared, sender) VALUES (?, ?, ?, ?, ?)",
            [(device, seq, market, number, sender) for device, seq, sender in places],
        )


def _open_market(transaction: Transaction, device: int) -> str | None:
    """The market whose key wraps the device's parcels; None: store nothing."""
    market = transaction.device_markets.of(transaction.connection, device)
    return market if market is not None and transaction.wrapping.open(market) else None


def _look_up(connection: Connection, position: port.CommitPosition) -> port.CommitOutcome:
    repeated = _found(connection, position).token == position.token
    return port.CommitOutcome.REPEATED if repeated else port.CommitOutcome.NEW


def _take_place(
    connection: Connection, position: port.CommitPosition, day: int
) -> port.CommitOutcome:
    """Compare-and-set: STORED if the Commit's conversation stands at its epoch."""
    handle, epoch, token, digest = position
    newest = connection.execute(
        "SELECT max(epoch) FROM conversation_order WHERE handle = ?", (handle,)
    ).get
    if newest is not None and epoch != newest + 1:
        if _found(connection, position).token == token:
            return port.CommitOutcome.REPEATED
        return port.CommitOutcome.LATE if epoch <= newest else port.CommitOutcome.AHEAD
    connection.execute(
        "INSERT INTO conversation_order (handle, epoch, token, day, digest) VALUES (?, ?, ?, ?, ?)",
        (handle, epoch, token, day, digest),
    )
    connection.execute(
        "DELETE FROM conversation_order WHERE handle = ? AND epoch <= ?",
        (handle, epoch - limits.MAX_REMEMBERED_COMMITS),
    )
    return port.CommitOutcome.STORED


def _found(connection: Connection, position: port.CommitPosition) -> port.CommitPosition:
    """The Commit that has this handle and epoch; empty token and digest if there is none."""
    found = connection.execute(
        "SELECT token, digest FROM conversation_order WHERE handle = ? AND epoch = ?", position[:2]
    ).fetchone()
    return port.CommitPosition(*position[:2], *(found or (b"", b"")))


def _remove(transaction: Transaction, command: port.RemoveParcels) -> None:
    transaction.connection.executemany(
        "DELETE FROM mailbox WHERE device = ? AND seq = ?", command.places
    )


def _remove_undecryptable(
    transaction: Transaction, command: port.RemoveUndecryptable
) -> list[port.Removal]:
    connection = transaction.connection
    query = f"{_SIZES} WHERE device = ? AND seq = ?"
    found = [connection.execute(query, place).fetchone() for place in command.places]
    return _remove_sized(connection, [row for row in found if row is not None])


def _mark_undecryptable(transaction: Transaction, command: port.MarkUndecryptable) -> None:
    transaction.connection.executemany(
        "UPDATE mailbox SET set_aside_day = coalesce(set_aside_day, ?)"
        " WHERE device = ? AND seq = ?",
        [(command.day, device, seq) for device, seq in command.places],
    )


def _remove_oldest(
    transaction: Transaction, command: port.RemoveOldestUndecryptable
) -> list[port.Removal]:
    connection = transaction.connection
    rows: list[Any] = connection.execute(_UNDECRYPTABLE, (command.device,)).fetchall()
    of_sender: dict[int, deque[Any]] = {}
    sizes: dict[int, int] = {}
    for row in rows:
        of_sender.setdefault(row[3], deque()).append(row)
        sizes[row[3]] = sizes.get(row[3], 0) + row[2]

    def place(sender: int) -> tuple[int, int, int]:
        """The sender's place among those of whom a parcel goes next."""
        kept = len(of_sender[sender]) * command.size + sizes[sender] * command.parcels
        return -kept, of_sender[sender][0][1], sender

    heap = [place(sender) for sender in of_sender]
    heapq.heapify(heap)
    parcels, size, gone = len(rows), sum(sizes.values()), list[Any]()
    while (parcels > command.parcels or size > command.size) and len(gone) < command.limit:
        sender = heapq.heappop(heap)[2]
        row = of_sender[sender].popleft()
        gone.append(row[:3])
        sizes[sender] -= row[2]
        parcels, size = parcels - 1, size - row[2]
        if of_sender[sender]:
            heapq.heappush(heap, place(sender))
    return _remove_sized(connection, gone)


def _expire_undecryptable(
    transaction: Transaction, command: port.ExpireUndecryptable
) -> list[port.Removal]:
    connection = transaction.connection
    rows = connection.execute(_EXPIRED, (command.before_day, command.limit)).fetchall()
    return _remove_sized(connection, rows)


def _remove_sized(connection: Connection, rows: list[Any]) -> list[port.Removal]:
    connection.executemany(
        "DELETE FROM mailbox WHERE device = ? AND seq = ?",
        [(device, seq) for device, seq, _ in rows],
    )
    return [port.Removal(device, size) for device, _, size in rows]


def _expire_commits(transaction: Transaction, command: port.ExpireCommits) -> int:
    transaction.connection.execute(
        "DELETE FROM conversation_order WHERE (handle, epoch) IN"
        " (SELECT handle, epoch FROM conversation_order WHERE day < ? LIMIT ?)",
        (command.before_day, command.limit),
    )
    return transaction.connection.changes()


def _taken(transaction: Transaction, query: port.TakenHandles) -> list[bytes | None]:
    sql = "SELECT digest FROM conversation_order WHERE handle = ? ORDER BY epoch DESC LIMIT 1"
    return [transaction.connection.execute(sql, (one,)).get for one in query.handles]


def _tallies(transaction: Transaction, query: port.MailboxTallies) -> port.TallyPage:
    tallies: list[port.Tally] = []
    keys = [_mailbox_key(transaction, device) for device in query.devices]
    room, after = query.limit, query.after
    for device in query.devices:
        rows: list[Any] = transaction.connection.execute(_TALLY, (device, after, room)).fetchall()
        waiting = [size for undecryptable, _, _, size in rows if not undecryptable]
        others = [size for undecryptable, _, _, size in rows if undecryptable]
        senders: dict[int, list[int]] = {}
        for undecryptable, _, sender, size in rows:
            if sender and not undecryptable:
                senders.setdefault(sender, []).append(size)
        held = tuple((sender, len(found), sum(found)) for sender, found in senders.items())
        newest = rows[-1][1] if rows else 0
        sizes = len(waiting), sum(waiting), len(others), sum(others)
        tallies.append(port.Tally(*sizes, newest, _missed_by(transaction, device).commits, held))
        room, after = room - len(rows), 0
        if room == 0:
            return port.TallyPage(tallies, rows[-1][1], keys[: len(tallies)])
    return port.TallyPage(tallies, 0, keys)


def _missed(transaction: Transaction, query: port.MissedCommits) -> port.Missed:
    return _missed_by(transaction, query.device)


def _missed_by(transaction: Transaction, device: int) -> port.Missed:
    query = "SELECT count, digests FROM missed_commit WHERE device = ?"
    found = transaction.connection.execute(query, (device,)).fetchone()
    return port.Missed(*(found or (0, b"")))


def _forget_missed(transaction: Transaction, command: port.ForgetMissed) -> int:
    connection = transaction.connection
    before = _missed_by(transaction, command.device)
    later = max(0, before.commits - command.count)
    if later:
        kept = before.digests[: later * MISSED_DIGEST_BYTES]
        connection.execute(_MISS, (command.device, later, kept))
    else:
        connection.execute("DELETE FROM missed_commit WHERE device = ?", (command.device,))
    return later


def _mailbox_key(transaction: Transaction, device: int) -> bytes:
    market = transaction.connection.execute(MARKET_OF_DEVICE, (device,)).get
    return transaction.wrapping.mailbox_key(market, device) if market is not None else b""


def waiting_parcels(
    transaction: Transaction, query: port.WaitingParcels
) -> list[port.WaitingParcel]:
    found: list[port.WaitingParcel] = []
    room = query.max_bytes
    parameters = (query.device, query.after, query.undecryptable, query.max_parcels)
    cursor = transaction.connection.execute(_WAITING, parameters)
    for seq, wrapped, market, shared, undecryptable, sender in cursor:
        if wrapped is None:
            wrapped = shared_sealed(transaction.connection, shared)
        sealed = transaction.wrapping.unwrap(market, wrapped)
        found.append(port.WaitingParcel(seq, sealed, bool(undecryptable), sender))
        room -= len(sealed)
        if room <= 0:
            break
    cursor.close(True)
    return found


def shared_sealed(connection: Connection, number: int) -> bytes:
    """The wrapped bytes of a shared parcel, by its id."""
    query = "SELECT sealed FROM shared_parcel WHERE id = ?"
    sealed: bytes = connection.execute(query, (number,)).get
    return sealed


COMMANDS: Final[Table] = {
    port.StoreParcels: _store_parcels,
    port.RemoveParcels: _remove,
    port.RemoveUndecryptable: _remove_undecryptable,
    port.MarkUndecryptable: _mark_undecryptable,
    port.RemoveOldestUndecryptable: _remove_oldest,
    port.ExpireUndecryptable: _expire_undecryptable,
    port.ExpireCommits: _expire_commits,
    port.ForgetMissed: _forget_missed,
}
QUERIES: Final[Table] = {
    port.TakenHandles: _taken,
    port.MailboxTallies: _tallies,
    port.MissedCommits: _missed,
    port.WaitingParcels: waiting_parcels,
}
