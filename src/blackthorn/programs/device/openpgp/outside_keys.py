"""Certificates of people outside: ask the server to ask their domain, and decide on changes."""

from collections.abc import Iterable
from pathlib import Path

from blackthorn.crypto.openpgp.recipients import RecipientCertificate
from blackthorn.device.mail import limits, outside_keys
from blackthorn.errors import UnavailableError, UserError, system_error
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.ports.outside.keys import OutsideKeyRecord, Source
from blackthorn.programs.device import requests
from blackthorn.programs.device.home import wall_ms
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.wire.address import domain_of


async def look_up(device: DeviceProgram, addresses: Iterable[Address]) -> dict[Address, str]:
    """Ask for the certificates of addresses outside that were not asked for today.

    Call it only for addresses that are not in the ledger, whose chain wins. Returns those that
    could not be asked for, with the reason; what was known before stays. Raises UnavailableError
    when the server cannot be reached.
    """
    with device.opened.vault.transaction() as records:
        due = [
            address
            for address in dict.fromkeys(addresses)
            if outside_keys.is_due(records, address, wall_ms())
        ]
    failed: dict[Address, str] = {}
    if not due:
        return failed
    async with requests.connect(device) as ask:
        for number, address in enumerate(due, 1):
            frame = f.FindCertificates(number, address)
            answer: f.CertificatesFound = await ask(frame, f.CertificatesFound)
            if answer.request != number:
                raise UnavailableError("the server answers another question than was asked")
            if answer.refusal:
                failed[address] = answer.refusal
                continue
            with device.opened.vault.transaction() as records:
                outside_keys.learn(records, address, Source.WKD, answer.certificates, wall_ms())
    return failed


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
