"""Activation codes and the devices that they activate, in SQLite (`ports.enrolment`)."""

from typing import Final

from blackthorn.crypto.secret import Secret
from blackthorn.errors import AbsentError, ConflictError
from blackthorn.ids import Address, DeviceId
from blackthorn.link.activation.exchange import Verifier
from blackthorn.ports import enrolment as port
from blackthorn.ports.key_packages import PublishKeyPackages
from blackthorn.ports.ledger import StoreChange
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.stores import devices, key_packages
from blackthorn.storage.sqlite.stores.chains import is_stored, store_change
from blackthorn.storage.sqlite.transaction import Table, Transaction

_CODE = (
    "SELECT address, password, public_key, expires_ms, used_by, used_seq FROM activations"
    " JOIN users ON users.number = activations.user WHERE nameplate = ?"
)
_NEXT_MAILBOX = (
    "SELECT device, EXISTS (SELECT 1 FROM devices WHERE number = device) FROM mailbox"
    " WHERE device > ? ORDER BY device LIMIT 1"
)


def _code(connection: Connection, nameplate: str) -> port.OpenCode | None:
    row = connection.execute(_CODE, (nameplate,)).fetchone()
    if row is None:
        return None
    address, password, public_key, expires_ms, used_by, used_seq = row
    known = Verifier(Secret(password), public_key)
    return port.OpenCode(nameplate, Address(address), known, expires_ms, used_by, used_seq)


def _find_code(transaction: Transaction, query: port.FindCode) -> port.OpenCode | None:
    return _code(transaction.connection, query.nameplate)


def _enrol(transaction: Transaction, command: port.EnrolDevice) -> port.Enrolled:
    connection, change = transaction.connection, command.change
    repeated = change is None or is_stored(connection, change)
    enrolled = _activate(connection, command, repeated)
    if enrolled.fresh and change is not None:
        store_change(transaction, StoreChange(change))
        packages = PublishKeyPackages(
            enrolled.number,
            command.key_packages,
            command.last_resort,
            command.room,
            command.not_after,
            command.last_resort_not_after,
        )
        key_packages.COMMANDS[PublishKeyPackages](transaction, packages)
    return enrolled


def _activate(connection: Connection, command: port.EnrolDevice, repeated: bool) -> port.Enrolled:
    row = connection.execute(
        "SELECT users.number, address, pin, used_by, used_seq FROM activations"
        " JOIN users ON users.number = activations.user"
        " WHERE nameplate = ? AND expires_ms > ?",
        (command.nameplate, command.now_ms),
    ).fetchone()
    if row is None:
        raise AbsentError("the code has expired")
    device, (user, address, pin, used_by, used_seq) = command.device, row
    if used_by not in (None, device.id):
        raise ConflictError(port.CODE_USED)
    if used_by is None and repeated:
        raise ConflictError("this device was activated before, by another code")
    removed: tuple[DeviceId, ...] = ()
    if used_by is None:
        if command.seq == 1:
            removed = devices.remove_all_devices(connection, user, device.id)
        devices.insert_device(connection, user, device, command.now_ms)
        used_seq = command.seq
    number = connection.execute("SELECT number FROM devices WHERE id = ?", (device.id,)).get
    if number is None:
        raise AbsentError("this device was removed")
    connection.execute(
        "UPDATE activations SET used_by = ?, used_seq = ? WHERE nameplate = ?",
        (device.id, used_seq, command.nameplate),
    )
    fresh = used_by is None
    return port.Enrolled(number, fresh, device.id, Address(address), pin, used_seq, removed)


def _purge_codes(transaction: Transaction, command: port.PurgeCodes) -> int:
    transaction.connection.execute(
        "DELETE FROM activations WHERE nameplate IN"
        " (SELECT nameplate FROM activations WHERE expires_ms <= ? LIMIT ?)",
        (command.now_ms, command.limit),
    )
    return transaction.connection.changes()


def _purge_orphans(transaction: Transaction, command: port.PurgeOrphans) -> port.OrphanStep:
    connection, after, removed = transaction.connection, command.after, 0
    for _ in range(command.devices):
        row = connection.execute(_NEXT_MAILBOX, (after,)).fetchone()
        if row is None:
            return port.OrphanStep(removed, None)
        device, known = row
        if not known:
            removed += devices.delete_parcels(connection, device, command.parcels - removed)
            if removed >= command.parcels:  # the mailbox may hold more
                return port.OrphanStep(removed, after)
        after = device
    return port.OrphanStep(removed, after)


COMMANDS: Final[Table] = {
    port.EnrolDevice: _enrol,
    port.PurgeCodes: _purge_codes,
    port.PurgeOrphans: _purge_orphans,
}
QUERIES: Final[Table] = {port.FindCode: _find_code}
