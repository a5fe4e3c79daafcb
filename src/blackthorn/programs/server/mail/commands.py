"""`blackthorn alias`, `list` and `mail trace`: other names and traces, from the server's host."""

import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from blackthorn.errors import AbsentError, ConflictError, DecodeError, UserError
from blackthorn.ids import Address
from blackthorn.ports.inbound.aliases import (
    AddAlias,
    AliasKind,
    ListAliases,
    ListedAlias,
    RemoveAlias,
)
from blackthorn.ports.inbound.traces import FindTrace, MailTrace
from blackthorn.programs.server import configuration
from blackthorn.server.mail.limits import MAX_LIST_MEMBERS
from blackthorn.server.mail.recipient_policy import ROLES
from blackthorn.server.mail.recipients import CATCH_ALL
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.engine import Engine, host_store
from blackthorn.wire.address import domain_of, parse_address

_PAGE: Final = 500


@contextmanager
def _store(path: Path) -> Iterator[tuple[Engine, str]]:
    """The store and the domain. Raises UserError, StorageError."""
    settings = configuration.load(path, os.environ)
    with closing(ServerFolder(path).open_database()) as database:
        yield host_store(database), settings.enterprise.domain


def _name(text: str, domain: str, kind: AliasKind) -> tuple[str, Address]:
    """The part before the @, lower case, and the whole address. Raises UserError."""
    if text == CATCH_ALL and kind is AliasKind.ALIAS:
        return CATCH_ALL, Address(f"{CATCH_ALL}@{domain}")
    try:
        address = parse_address(text if "@" in text else f"{text}@{domain}")
    except DecodeError as error:
        raise UserError(f"{text!r}: {error}") from None
    local = address.partition("@")[0]
    if domain_of(address) != domain:
        raise UserError(f"{address} is not of {domain}")
    if local in ROLES:
        raise UserError(f"{local} goes to the postmaster (`blackthorn config postmaster`)")
    return local, address


def _users(texts: tuple[str, ...], domain: str) -> tuple[Address, ...]:
    try:
        return tuple(parse_address(text if "@" in text else f"{text}@{domain}") for text in texts)
    except DecodeError as error:
        raise UserError(f"{' '.join(texts)}: {error}") from None


def add(path: Path, name: str, kind: AliasKind, users: tuple[str, ...]) -> Address:
    """Let users get the mail to a name; returns its address. Raises UserError, StorageError."""
    with _store(path) as (store, domain):
        local, address = _name(name, domain, kind)
        most = 1 if kind is AliasKind.ALIAS else MAX_LIST_MEMBERS
        try:
            store.write(AddAlias(local, address, kind, _users(users, domain), most))
        except (AbsentError, ConflictError) as error:
            raise UserError(str(error)) from None
        return address


def remove(path: Path, name: str, kind: AliasKind, users: tuple[str, ...] = ()) -> Address:
    """Remove a name, or users from it; returns its address. Raises UserError, StorageError."""
    with _store(path) as (store, domain):
        local, address = _name(name, domain, kind)
        try:
            store.write(RemoveAlias(local, kind, _users(users, domain)))
        except AbsentError as error:
            raise UserError(str(error)) from None
        return address


def listed(path: Path, kind: AliasKind) -> list[ListedAlias]:
    """All names of a kind, by name. Raises UserError, StorageError."""
    found: list[ListedAlias] = []
    with _store(path) as (store, _):
        while page := store.read(ListAliases(kind, found[-1].name if found else "", _PAGE)):
            found += page
    return found


def trace(path: Path, id: str) -> MailTrace:
    """What became of a mail. Raises UserError, StorageError."""
    if re.fullmatch(r"[0-9a-f]{16}", id) is None:
        raise UserError(f"{id!r} is no mail's id, which has 16 digits: see the reply to the sender")
    with _store(path) as (store, _):
        found = store.read(FindTrace(id))
    if found is None:
        raise UserError(f"nothing is known of the mail {id}: traces are kept for two weeks")
    return found
