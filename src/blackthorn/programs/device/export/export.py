"""The source of an export: a device's vault, and the server for its mail."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blackthorn.crypto.openpgp_keys import lock_secret_keys
from blackthorn.crypto.secret import Secret
from blackthorn.device.core import groups
from blackthorn.device.core.members import addresses
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.core.verified_chains import logged_of
from blackthorn.device.export import export, history, messages, vcard
from blackthorn.device.export.manifest import Counts, Problem, encode_chain
from blackthorn.device.mail import keys as mail_keys
from blackthorn.errors import InputError, UserError
from blackthorn.identity.keys import SigningKeys
from blackthorn.programs.device.export import limits
from blackthorn.programs.device.export.folder import FolderSink
from blackthorn.programs.device.export.mail import ServerMail
from blackthorn.programs.device.home import wall_ms
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.programs.event_loop import run

WITHOUT_MAIL: Final = "left on the server, as --without-mail asks"

ExportProgress = Callable[[str, int, int], None]
"""Called with the kind of item, the number written, and the total (0: unknown)."""


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """The contents and the place of an export."""

    folder: Path
    address: str
    counts: Counts
    problems: list[Problem]


def run_export(
    program: DeviceProgram,
    folder: Path,
    passphrase: Secret,
    progress: ExportProgress,
    *,
    mail: bool = True,
) -> ExportSummary:
    """Export everything into a new folder. The server learns nothing of it.

    With `mail` false it does not connect, and lists the mail as missing.

    Raises UserError (the folder exists, the passphrase is short, the device is not live),
    UnavailableError, StorageError; then there is no such folder.
    """
    check_passphrase(passphrase)
    with FolderSink(folder) as sink:
        if mail:
            run(program.fetch())  # what another process receives meanwhile is in the vault as well
        with program.device.unit(wall_ms()) as unit:
            source = _VaultSource(program, unit, passphrase, mail=mail)

        def show(what: str, done: int) -> None:
            progress(what, done, source.total(what))

        manifest = export.build(source, sink, show)
    return ExportSummary(folder, manifest.address, manifest.counts, manifest.problems)


def check_passphrase(passphrase: Secret) -> None:
    """Raises UserError when it is too short."""
    least = limits.MIN_EXPORT_PASSPHRASE_CHARACTERS
    if len(passphrase.expose().decode("utf-8", "replace")) < least:
        raise UserError(f"a passphrase for exported keys has at least {least} characters")


class _VaultSource:
    """`export.ExportSource` of one device; it reads the vault once, at the beginning."""

    def __init__(
        self, program: DeviceProgram, unit: UnitOfWork, passphrase: Secret, *, mail: bool
    ) -> None:
        records = unit.records
        self.address = program.opened.keys.address
        self.created_ms = unit.now_ms
        self.signing: SigningKeys = program.opened.keys.signing
        self.chain = _chain(unit)
        keys = mail_keys.secrets(records)
        self.locked_keys = lock_secret_keys(keys[::-1], passphrase)  # who keeps one has the newest
        self._mail = ServerMail(program, keys) if mail else None
        self._contacts = _contacts(unit)
        lines = records.history.latest(limits.MAX_EXPORT_MESSAGES)
        self._messages = len(lines)
        self._conversations = history.conversations(
            lines,
            records.conversations.all(),
            lambda record: addresses(groups.members(records, record)),
        )
        self._problems = [
            Problem(f"message {parcel.digest.hex()[:16]}", parcel.reason)
            for parcel in records.parcels.all_undecryptable()
        ]
        if not mail:
            self._problems.append(Problem("mail", WITHOUT_MAIL))

    def total(self, what: str) -> int:
        if what != "mails":
            return self._messages
        return self._mail.total if self._mail else 0

    def mails(self) -> Iterable[export.ExportMail]:
        return self._mail.mails() if self._mail else ()

    def conversations(self) -> Iterable[messages.ExportConversation]:
        return self._conversations

    def contacts(self) -> Iterable[vcard.ExportContact]:
        return self._contacts

    def problems(self) -> Iterable[Problem]:
        return self._problems


def _chain(unit: UnitOfWork) -> bytes:
    """The published own chain. Raises UserError when this device is not in it."""
    chain, record = unit.chains.of(unit.me.address), unit.records.directory.chain(unit.me.address)
    if chain is None or record is None:
        raise UserError("the ledger does not show your identity yet: try again in a minute")
    if chain.device(unit.me.device) is None:
        raise UserError("this device is not one of yours (any more): export from another one")
    terms = unit.chains.terms(chain.now_ms, logged_of(record))
    return encode_chain(chain.label, chain.statements, terms)


def _contacts(unit: UnitOfWork) -> list[vcard.ExportContact]:
    found = [
        vcard.ExportContact(chain.address, chain.verified_ms > 0, _certificate(chain.certificate))
        for chain in unit.records.directory.chains()
        if chain.present and chain.address != unit.me.address
    ]
    return sorted(found, key=lambda contact: contact.address)


def _certificate(data: bytes) -> bytes:
    """The certificate, or b"" when other programs cannot read it."""
    from blackthorn.crypto.openpgp_seal import parse_certificate

    try:
        parse_certificate(data)
    except InputError:
        return b""
    return data
