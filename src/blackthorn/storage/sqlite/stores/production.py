"""The rows that a directive can get (`governance.package.build.ProductionRows`), and no others.

Queries are built from `READS`, so an unnamed column cannot be produced. Each named one is marked
`producible: yes` in the migrations, which tests compare. Sealed bytes come through the stores of
mail and parcels, without the market's layer, as a device gets them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from blackthorn.errors import DamageError
from blackthorn.governance.package import layout
from blackthorn.governance.package.build import Rows, SealedItem
from blackthorn.ids import Address
from blackthorn.ports.mail import ListMail, MailHead, MailPart, ReadMail
from blackthorn.ports.parcels import WaitingParcels
from blackthorn.storage.sqlite.failure import storing
from blackthorn.storage.sqlite.stores import mail
from blackthorn.storage.sqlite.stores.parcels import waiting_parcels
from blackthorn.storage.sqlite.transaction import Transaction, user_number
from blackthorn.wire.units import MIB

_OF_USER: Final = "WHERE user = ?"


@dataclass(frozen=True, slots=True)
class Read:
    """The columns, rows and order read of one table for an account."""

    table: str
    columns: tuple[str, ...]
    where: str = _OF_USER
    order: str = ""

    @property
    def query(self) -> str:
        """The statement; its parameter is the user's number."""
        order = f" ORDER BY {self.order}" if self.order else ""
        return f"SELECT {', '.join(self.columns)} FROM {self.table} {self.where}{order}"  # noqa: S608


READS: Final[dict[str, tuple[Read, ...]]] = {
    layout.ACCOUNT_FACTS: (
        Read("users", ("address", "pin", "created_ms", "market", "language"), "WHERE number = ?"),
        Read(
            "devices",
            ("id", "identity_key", "name", "standing", "activated_ms"),
            order="activated_ms, id",
        ),
        Read("user_certificate", ("seq", "certificate"), order="seq"),
        Read("compatible_certificate", ("seq", "certificate", "copies"), order="seq"),
        Read(
            "activations",
            ("expires_ms", "used_by", "used_seq"),
            order="expires_ms, nameplate",
        ),
        Read("mail_uid", ("last",)),
        Read("app_password", ("name", "created_ms", "used_day"), order="name"),
        Read("alias", ("name", "kind"), order="name"),
    ),
    layout.IDENTITY_CHAIN: (
        Read(
            "chain_statement", ("seq", "head", "kind", "flags", "statement", "place"), order="seq"
        ),
    ),
    layout.LEDGER_ENTRIES: (
        Read("ledger_label", ("map_index", "vrf_proof")),
        Read("ledger_leaf", ("version", "head", "seq", "flags", "place"), order="version"),
        Read(
            "ledger_entry",
            ("place", "entry"),
            "WHERE place IN (SELECT place FROM ledger_leaf WHERE user = ?)",
            "place",
        ),
    ),
}
"""Category → reads."""

SEALED_READS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    layout.SEALED_MAIL: {
        "mail": ("uid", "received_ms", "sealed"),
        "mail_piece": ("sealed",),
    },
    layout.WAITING_PARCELS: {
        "mailbox": ("seq", "set_aside_day", "sealed"),
        "shared_parcel": ("sealed",),
    },
}
"""Category → columns by table, read in pieces through the stores of mail and parcels."""

COUNTED: Final[dict[tuple[str, str], str]] = {
    ("key_package", "device"): "says whose packages are counted; the device's id says it instead",
    ("key_package", "last_resort"): "counted apart",
    ("key_package", "not_after"): "the lifetime of what is counted",
}
"""Columns used for counts only."""

_LEAVING: Final = "of mail on its way out, which is seldom there for more than seconds"

LEFT_OUT: Final[dict[tuple[str, str], str]] = {
    ("key_package", "id"): "a row number",
    ("key_package", "package"): "public keys for one use each; how many wait is said",
    ("device_hello", "number"): "the device's count of its own connections, for itself alone",
    ("device_hello", "hello"): "a signature over hashes, for the device itself alone",
    ("devices", "user"): "the account's folder says whose it is",
    ("activations", "user"): "the account's folder says whose it is",
    ("mail_uid", "user"): "the account's folder says whose it is",
    ("mail", "user"): "the account's folder says whose it is",
    ("mail", "size"): "the size of the file",
    ("mail_piece", "user"): "the account's folder says whose it is",
    ("ledger_label", "user"): "the account's folder says whose it is",
    ("ledger_leaf", "user"): "the account's folder says whose it is",
    ("chain_statement", "user"): "the account's folder says whose it is",
    ("chain_statement", "number"): "the order among all users; the statement's seq is given",
    ("alias", "user"): "the account's folder says whose it is",
    ("user_certificate", "user"): "the account's folder says whose it is",
    ("compatible_certificate", "user"): "the account's folder says whose it is",
    ("mail", "compatible"): "says only to which of the account's certificates a copy is sealed",
    ("missed_commit", "device"): "a row number",
    ("missed_commit", "count"): "of changes of conversations, which are not named",
    ("missed_commit", "digests"): "of sealed parcels that the server does not keep",
    ("mailbox", "device"): "a row number; the device's id is given instead",
    ("outbound_mail", "id"): "a random number",
    ("outbound_mail", "user"): "the account's folder says whose it is",
    ("outbound_mail", "queued_ms"): _LEAVING,
    ("outbound_mail", "size"): _LEAVING,
    ("outbound_mail", "sealed"): _LEAVING,
    ("outbound_delivery", "mail"): "a random number",
    ("outbound_delivery", "domain"): _LEAVING,
    ("outbound_delivery", "envelope"): _LEAVING,
    ("app_password", "user"): "the account's folder says whose it is",
    ("submission", "user"): "the account's folder says whose it is",
    ("submission", "day"): "a day on which a device sent mail, kept for a week",
    ("shared_parcel", "waiting"): "counts the devices of people whom the directive does not name",
}
"""Producible columns that are in no package, and why."""

_COUNTS: Final = (
    "SELECT id, (SELECT count(*) FROM key_package WHERE device = devices.number AND"
    " last_resort = 0), (SELECT count(*) FROM key_package WHERE device = devices.number AND"
    " last_resort = 1) FROM devices WHERE user = ? ORDER BY id"
)
_WAITING: Final = (
    "SELECT shared, seq, device, id, set_aside_day"
    " FROM mailbox JOIN devices ON devices.number = device WHERE user = ? ORDER BY id, seq"
)
_PAGE: Final = 1_024
_PIECE_BYTES: Final = 8 * MIB
"""Large, since SQLite walks a mail from its beginning for each piece."""


class SqliteProduction:
    """Reads over a connection in a read transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._connection = transaction.connection

    def exists(self, address: str) -> bool:
        return self._number(address) is not None

    @storing
    def tables(self, address: str, category: str) -> Rows:
        user = self._number(address)
        found: Rows = {}
        for read in READS[category]:
            rows: list[Any] = self._connection.execute(read.query, (user,)).fetchall()
            found[read.table] = [dict(zip(read.columns, row, strict=True)) for row in rows]
        if category == layout.ACCOUNT_FACTS:
            counts = self._connection.execute(_COUNTS, (user,))
            names = ("device", "single_use", "last_resort")
            found["key_package"] = [dict(zip(names, row, strict=True)) for row in counts]
        return found

    def sealed(self, address: str, category: str, from_ms: int, to_ms: int) -> Iterator[SealedItem]:
        user = self._number(address)
        if user is None:
            return iter(())
        if category == layout.SEALED_MAIL:
            return self._mails(user, from_ms, to_ms)
        return iter(self._waiting(user))

    def pieces(self, category: str, place: tuple[int, ...]) -> Iterator[bytes]:
        one, number = place
        if category == layout.SEALED_MAIL:
            return self._mail_pieces(one, number)
        return iter((self._parcel(one, number),))

    def _mails(self, user: int, from_ms: int, to_ms: int) -> Iterator[SealedItem]:
        after = 0
        while heads := self._list_mail(ListMail(user, after, _PAGE)):
            for head in heads:
                if from_ms <= head.received_ms and (not to_ms or head.received_ms <= to_ms):
                    facts = {"uid": head.uid, "received_ms": head.received_ms}
                    yield SealedItem(head.uid, (user, head.uid), facts)
            after = heads[-1].uid

    def _mail_pieces(self, user: int, uid: int) -> Iterator[bytes]:
        offset, size = 0, 1
        while offset < size:
            found = self._read_mail(ReadMail(user, uid, offset, _PIECE_BYTES))
            if found is None or (not found.data and found.size):
                raise DamageError(f"mail {uid} went while the package was made: make it again")
            size = found.size
            offset += len(found.data)
            yield found.data

    @storing
    def _list_mail(self, query: ListMail) -> list[MailHead]:
        return mail.list_mail(self._transaction, query)

    @storing
    def _read_mail(self, query: ReadMail) -> MailPart | None:
        return mail.read(self._transaction, query)

    @storing
    def _waiting(self, user: int) -> list[SealedItem]:
        """One item per parcel, for all the user's devices."""
        found: dict[object, SealedItem] = {}
        for shared, seq, device, identifier, day in self._connection.execute(_WAITING, (user,)):
            place = (device, seq)
            key = place if shared is None else shared
            item = found.setdefault(key, SealedItem(len(found) + 1, place, {"devices": []}))
            item.facts["devices"].append({"id": identifier, "seq": seq, "set_aside_day": day})
        return list(found.values())

    @storing
    def _parcel(self, device: int, seq: int) -> bytes:
        query = WaitingParcels(device, seq - 1, undecryptable=True, max_parcels=1, max_bytes=1)
        found = waiting_parcels(self._transaction, query)
        if not found or found[0].seq != seq:
            raise DamageError(f"parcel {seq} went while the package was made: make it again")
        return found[0].sealed

    @storing
    def _number(self, address: str) -> int | None:
        return user_number(self._connection, Address(address))
