"""The key of the database from a passphrase or a key file, and the side file for it.

The side file has a salt, the cost of Argon2id and a check value, by which a wrong passphrase
differs from a damaged database. Guessing with it is no faster than with the database itself.
"""

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from blackthorn.crypto.aead import CHACHA20_POLY1305, OpenError
from blackthorn.crypto.argon2 import INTERACTIVE, Argon2Parameters, argon2id
from blackthorn.crypto.secret import Secret
from blackthorn.errors import ConflictError, DamageError, DiskError, UserError, system_error
from blackthorn.storage.files import atomic

KEY_BYTES = 32
"""Length of a key file and of the database key."""

_LABEL = b"blackthorn-device-v1"

_NONCE = bytes(CHACHA20_POLY1305.nonce_size)
"""Each salt gives another key, which seals once."""


class WrongKeyError(UserError):
    """Another passphrase or key file than this device's."""


class Lock(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The side file. `method` is "passphrase" or "key-file"; `sealed` is empty in version 1."""

    version: int
    method: str
    salt: Annotated[bytes, Meta(min_length=16, max_length=64)]
    check: Annotated[bytes, Meta(min_length=16, max_length=16)]
    memory: Annotated[int, Meta(ge=8, le=4 * 1024 * 1024)] = INTERACTIVE.memory
    passes: Annotated[int, Meta(ge=1, le=100)] = INTERACTIVE.passes
    lanes: Annotated[int, Meta(ge=1, le=64)] = INTERACTIVE.lanes
    sealed: Annotated[bytes, Meta(max_length=64)] = b""


def _derive(lock: Lock, given: Secret) -> Secret:
    if lock.method == "passphrase":
        cost = Argon2Parameters(lock.memory, lock.passes, lock.lanes)
        return argon2id(given.expose(), lock.salt, KEY_BYTES, cost)
    return Secret(hmac.digest(given.expose(), _LABEL + lock.salt, "sha256"))


def _check(key: Secret) -> bytes:
    return hashlib.sha256(_LABEL + b" check" + key.expose()).digest()[:16]


def lock_for(method: str, given: Secret, key: Secret) -> bytes:
    """The side file that derives the database `key` from the given secret."""
    lock = Lock(version=2, method=method, salt=secrets.token_bytes(32), check=bytes(16))
    derived = _derive(lock, given)
    lock.check = _check(derived)
    lock.sealed = CHACHA20_POLY1305.seal(derived.expose(), _NONCE, key.expose(), _LABEL)
    return msgspec.json.encode(lock) + b"\n"


def read(path: Path) -> Lock:
    """The side file. Raises DamageError when it is missing or damaged."""
    try:
        lock = msgspec.json.decode(path.read_bytes(), type=Lock)
    except (OSError, msgspec.DecodeError):
        raise DamageError(f"{path} is missing or damaged: the device cannot be unlocked") from None
    known = lock.version == (2 if lock.sealed else 1)
    if not known or lock.method not in ("passphrase", "key-file"):
        raise DamageError(f"{path} was written by another version of Blackthorn")
    return lock


def unlock(lock: Lock, given: Secret) -> Secret:
    """The database key. Raises WrongKeyError; DamageError when `sealed` was changed."""
    derived = _derive(lock, given)
    if not hmac.compare_digest(_check(derived), lock.check):
        wrong = "passphrase" if lock.method == "passphrase" else "key file"
        raise WrongKeyError(f"this is not the {wrong} of this device")
    if not lock.sealed:
        return derived
    try:
        return Secret(CHACHA20_POLY1305.open(derived.expose(), _NONCE, lock.sealed, _LABEL))
    except OpenError:
        raise DamageError("the device's unlock.json is damaged: put back the one before") from None


def read_key_file(path: Path) -> Secret:
    """The 32 bytes of a key file. Raises UserError when it is not one, or open to others."""
    with system_error(UserError, f"the key file {path} cannot be read"):
        mode, data = path.stat().st_mode, path.read_bytes()
    if len(data) != KEY_BYTES:
        raise UserError(f"the key file {path} has {len(data)} bytes, not {KEY_BYTES}")
    if mode & 0o077:
        raise UserError(f"the key file {path} is open to others: run chmod 600 {path}")
    return Secret(data)


def make_key_file(path: Path) -> Secret:
    """Write a new key file (0600), never over one; returns the key."""
    key = Secret(secrets.token_bytes(KEY_BYTES))
    write_private(path, key.expose())
    return key


def write_private(path: Path, data: bytes) -> None:
    """Write a new file (0600) durably; it has its name only once complete.

    Raises DiskError, or ConflictError: an existing file is not replaced.
    """
    with system_error(DiskError, f"{path} cannot be written"):
        try:
            atomic.link_new(path, data)
        except FileExistsError:
            raise ConflictError(f"{path} exists already") from None
