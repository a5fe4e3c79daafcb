"""`blackthorn init` and `ledger init`: a server's folder, an earlier one's ledger."""

import dataclasses
import datetime
import json
import re
import secrets
import shlex
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from blackthorn.crypto import tls_keys
from blackthorn.errors import ConflictError, DecodeError, UserError, system_error
from blackthorn.ids import Address
from blackthorn.ports.ledger import ReadCheckpoints
from blackthorn.ports.users import FindUser
from blackthorn.programs.server import configuration
from blackthorn.programs.server.certificates import sources
from blackthorn.programs.server.configuration import Configuration
from blackthorn.programs.server.market_start import check_key
from blackthorn.storage.files import atomic, ledger
from blackthorn.storage.files.certificates import CertificateFiles
from blackthorn.storage.files.folder import new_folder
from blackthorn.storage.files.server import SETTINGS, ServerFolder
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import host_store
from blackthorn.storage.sqlite.stores import markets
from blackthorn.wire.address import parse_address, parse_domain


def initialise(path: Path, domain: str, chosen: Mapping[tuple[str, str], Any]) -> ServerFolder:
    """Create a server's folder. Raises UserError.

    `chosen` are settings by section and key besides the domain.
    """
    try:
        domain = parse_domain(domain)
    except DecodeError as error:
        raise UserError(f"--domain {domain!r}: {error}") from None
    text = render_template({("enterprise", "domain"): domain, **chosen})
    settings = configuration.parse(text, {})
    try:
        with (
            system_error(UserError, f"{path} cannot be made"),
            new_folder(path, SETTINGS, ServerFolder.HOLDER) as stage,
        ):
            fresh = ServerFolder(stage)
            key = tls_keys.make_key(secrets.token_bytes)
            now = datetime.datetime.now(datetime.UTC)
            certificate = tls_keys.make_certificate(key, domain, secrets.token_bytes, now)
            atomic.write_new(fresh.key, key.expose())
            atomic.write_new(fresh.certificate, certificate)
            sources.make_own(stage, settings.tls.names(domain), now)
            Database.open(fresh.database).close()
            ledger.initialise(stage, domain, embedded=settings.ledger.witness == "embedded")
            atomic.write_new(fresh.settings, text.encode())
    except ConflictError as error:
        raise UserError(f"{path} cannot be made: {error}") from None
    return ServerFolder(path)


def check_files(path: Path, settings: Configuration) -> None:
    """Raises UserError for a file that is missing, or that others than the owner can use.

    Also when a market's key is missing or another: StorageError.
    """
    folder = ServerFolder(path)
    needed = [folder.key, folder.certificate, folder.database, folder.ledger.policy]
    if settings.ledger.witness == "embedded":
        needed += [folder.ledger.witness.key, folder.ledger.witness.database]
    missing = [str(file) for file in needed if not file.is_file()]
    if missing:
        raise UserError(f"missing, to be restored from a backup: {', '.join(missing)}")
    folder.ledger.read_keys()
    _check_modes(folder, settings)
    keys = folder.market_keys(settings.enterprise.market_keys)
    with closing(folder.open_database()) as database:
        for market, known in markets.markets(database.reading).items():
            check_key(keys, market, known)


def _check_modes(folder: ServerFolder, settings: Configuration) -> None:
    path = folder.path
    keys = folder.market_keys(settings.enterprise.market_keys).path
    files = [folder.settings, folder.key, folder.ledger.keys, *path.glob("blackthorn.db*")]
    tls = CertificateFiles(path).path
    folders = (folder.ledger.witness.path, tls, folder.dkim.path)
    others = [file for each in folders for file in each.glob("*")]
    for file in (*files, *keys.glob("*.key"), *others):
        if file.exists() and file.stat().st_uid != path.stat().st_uid:
            raise UserError(f"{file} has another owner than {path}: chown it to the server's user")
        if file.exists() and file.stat().st_mode & 0o077:
            raise UserError(f"others than its owner can use {file}: chmod go-rwx {file}")


def set_postmaster(path: Path, address: str, environment: Mapping[str, str]) -> None:
    """Set the user who gets mail to postmaster and abuse, from the next start on.

    Raises UserError for an address that is no user's of this server, StorageError.
    """
    configuration.load(path, environment)
    user = _address(address)
    file, line = path / SETTINGS, f"postmaster = {toml_value(user)}"
    text = file.read_text("utf-8")
    for pattern, kept in ((r"(# *)?postmaster *=.*", ""), (r"\[enterprise\].*", r"\g<0>\n")):
        text, found = re.subn(f"(?m)^{pattern}$", kept + line, text, count=1)
        if found:
            break
    if not configuration.parse(text, {}).enterprise.postmaster:
        raise UserError(f"{file} has no line [enterprise]: write it, and {line} below it")
    with closing(ServerFolder(path).open_database()) as database:
        if not host_store(database).read(FindUser(user)):
            command = f"blackthorn user add {user} --dir {shlex.quote(str(path))}"
            raise UserError(f"there is no user {user}: `{command}` adds one")
    with system_error(UserError, f"{file} cannot be written"):
        atomic.replace(file, text.encode())


def make_ledger(path: Path, environment: dict[str, str]) -> str:
    """Create the missing ledger of an earlier version's folder; returns the log's public key.

    Refused when the database has a ledger, whose keys are lost: new ones would be another log under
    the same name. Raises UserError, StorageError.
    """
    folder = ServerFolder(path)
    settings = configuration.load(path, environment)
    if folder.ledger.keys.exists():
        raise UserError(f"{folder.ledger.keys} exists already: nothing was changed")
    folder.lock()
    with closing(folder.open_database()) as database:
        if host_store(database).read(ReadCheckpoints()):
            raise UserError(
                f"{folder.ledger.keys} is missing, and the database holds the ledger that it "
                "belongs to: restore it from a backup"
            )
    embedded = settings.ledger.witness == "embedded"
    with system_error(UserError, f"{path} cannot be written"):
        keys = ledger.initialise(path, settings.enterprise.domain, embedded=embedded)
    return keys.log_vkey


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except DecodeError as error:
        raise UserError(f"{text!r}: {error}") from None


def toml_value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def render_template(chosen: Mapping[tuple[str, str], Any]) -> str:
    """The file of `init`: `chosen` settings set, others as comments."""
    lines = ["# Blackthorn's settings. What is commented out is the default.", ""]
    for name, kind in configuration.SECTIONS.items():
        lines += [f"# {kind.__doc__}", f"[{name}]"]
        for each in dataclasses.fields(kind):
            lines.append(f"# {each.metadata['doc']}")
            if (name, each.name) in chosen:
                lines.append(f"{each.name} = {toml_value(chosen[name, each.name])}")
            else:
                lines.append(f"# {each.name} = {toml_value(each.default)}")
        lines.append("")
    return "\n".join(lines)
