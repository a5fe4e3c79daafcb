"""Certificates of people outside, as a person sees and decides on them."""

from pathlib import Path

from blackthorn.crypto.openpgp.recipients import RecipientCertificate
from blackthorn.device.mail import limits, outside_keys
from blackthorn.errors import UserError, system_error
from blackthorn.ids import Address
from blackthorn.ports.outside.keys import OutsideKeyRecord
from blackthorn.programs.device.home import wall_ms
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.wire.address import domain_of


def all_keys(device: DeviceProgram) -> list[OutsideKeyRecord]:
    """Addresses with a certificate, or with one that waits."""
    with device.opened.vault.transaction() as records:
        return [key for key in records.outside_keys.all() if key.certificate or key.offered]


def accept(device: DeviceProgram, address: Address) -> OutsideKeyRecord:
    """Pin the certificate that waits. Raises UserError."""
    with device.opened.vault.transaction() as records:
        return outside_keys.accept(records, address, wall_ms())


def read_certificate(device: DeviceProgram, address: Address, file: Path) -> RecipientCertificate:
    """The good certificate of the address in a file. Raises UserError, InputError."""
    with device.opened.vault.transaction() as records:
        chain = records.directory.chain(address)
    own = domain_of(device.opened.keys.address)
    if domain_of(address) == own or (chain is not None and chain.present):
        raise UserError(f"{address} is of your organisation: the ledger shows their key")
    most = limits.MAX_CERTIFICATE_FILE_BYTES
    with system_error(UserError, f"{file} cannot be read"), file.open("rb") as opened:
        data = opened.read(most + 1)
    if len(data) > most:
        raise UserError(f"{file} has more than {most // 1024} KiB: give a file with theirs alone")
    return outside_keys.judge_file(data, address, wall_ms())


def add(device: DeviceProgram, address: Address, found: RecipientCertificate) -> None:
    """Pin a certificate that the person vouches for. Raises UserError."""
    with device.opened.vault.transaction() as records:
        outside_keys.add(records, address, found, wall_ms())


def forget(device: DeviceProgram, address: Address) -> None:
    """Raises UserError when nothing is known of the address."""
    with device.opened.vault.transaction() as records:
        outside_keys.forget(records, address)
