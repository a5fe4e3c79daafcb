"""A device's home folder: its files, unlocking, and the receiver lock.

device.db       the encrypted vault (with its WAL beside it)
unlock.json     salt and cost of the passphrase, and the vault's key, sealed by it
receiver.lock   held by the one process that receives deliveries
"""

import fcntl
import getpass
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blackthorn.crypto.secret import Secret
from blackthorn.device.core import keys as device_keys
from blackthorn.device.core.keys import DeviceKeys, NotActivatedError
from blackthorn.errors import DiskError, UserError, system_error
from blackthorn.ids import Fingerprint
from blackthorn.storage.device import unlock
from blackthorn.storage.device.folder import DeviceFolder
from blackthorn.storage.device.vault import Vault

MAX_PASSPHRASE_ATTEMPTS = 3
"""How often a command asks at the terminal for the passphrase."""

MIN_PASSPHRASE_CHARACTERS = 8

PASSPHRASE_FILE = "BLACKTHORN_PASSPHRASE_FILE"  # noqa: S105 (the name of a variable)


def wall_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """The server's address and its pinned key."""

    host: str
    port: int
    pin: Fingerprint


@dataclass(frozen=True, slots=True)
class Opened:
    """An unlocked, activated device."""

    vault: Vault
    keys: DeviceKeys
    server: ServerAddress
    pin: str


class ReceiverLock:
    """The lock of the receiving process; it is released when the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the lock if it is free; whether this process holds it. Raises DiskError."""
        if self._descriptor is not None:
            return True
        with system_error(DiskError, f"cannot open {self._path}"):
            descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True


@dataclass(frozen=True, slots=True)
class Home:
    """One device's folder; `key_file` unlocks it instead of a passphrase."""

    folder: Path
    key_file: Path | None

    @property
    def _files(self) -> DeviceFolder:
        return DeviceFolder(self.folder)

    def receiver(self) -> ReceiverLock:
        """The lock of the receiving process."""
        return ReceiverLock(self.folder / "receiver.lock")

    def exists(self) -> bool:
        """Whether a device was begun here."""
        return self._files.exists()

    def new_secret(self) -> tuple[str, Secret]:
        """The method and secret of a new device. Asks for a passphrase twice."""
        if self.key_file is not None:
            if not self.key_file.exists():
                self.key_file.parent.mkdir(parents=True, exist_ok=True)
                return "key-file", unlock.make_key_file(self.key_file)
            return "key-file", unlock.read_key_file(self.key_file)
        return "passphrase", _new_passphrase(os.environ.get(PASSPHRASE_FILE))

    def change_passphrase(self, file: Path | None) -> None:
        """Ask for the passphrase and for another one, or read that from the file.

        Raises UserError, NotActivatedError, WrongKeyError, StorageError.
        """
        lock = self._lock()
        if lock.method != "passphrase":
            raise UserError("this device is unlocked by a key file: it has no passphrase")
        key = self._unlocked(lock)
        self._files.change(lock.method, key, _new_passphrase(file, "New passphrase"))

    def _lock(self) -> unlock.Lock:
        if not self.exists():
            raise NotActivatedError(
                f"there is no device in {self.folder}: `blackthorn activate` makes one, or for "
                "another device of yours `blackthorn device link`"
            )
        return unlock.read(self._files.lock)

    def _unlocked(self, lock: unlock.Lock) -> Secret:
        """The vault's key; a wrong passphrase is asked for again. Raises as `unlock.unlock`."""
        typed = lock.method == "passphrase" and not os.environ.get(PASSPHRASE_FILE)
        prompt = "Passphrase"
        for _ in range(MAX_PASSPHRASE_ATTEMPTS - 1 if typed else 0):
            try:
                return unlock.unlock(lock, self._secret(lock, prompt))
            except unlock.WrongKeyError as error:
                prompt = f"{error}. Passphrase"
        return unlock.unlock(lock, self._secret(lock, prompt))

    def _secret(self, lock: unlock.Lock, prompt: str) -> Secret:
        if lock.method == "key-file":
            if self.key_file is None:
                raise UserError("this device is unlocked by a key file: give it with --key-file")
            return unlock.read_key_file(self.key_file)
        path = os.environ.get(PASSPHRASE_FILE)
        if self.key_file is not None and not path:
            raise UserError(
                "this device is unlocked by a passphrase, not by a key file: give neither "
                "--key-file nor BLACKTHORN_KEY_FILE"
            )
        passphrase = first_line(path) if path else _ask(prompt)
        return Secret(passphrase.encode())

    def create(self, method: str, secret: Secret) -> Vault:
        """Create the vault. Raises DiskError."""
        return self._files.create(method, secret)

    def unlock(self) -> Vault:
        """Open the vault; asks for the passphrase if needed."""
        lock = self._lock()
        return self._files.open(self._unlocked(lock))

    def open(self) -> Opened:
        """The activated device. Raises NotActivatedError, WrongKeyError, StorageError."""
        return opened(self.unlock())


def opened(vault: Vault) -> Opened:
    """The activated device of an open vault. Raises NotActivatedError."""
    with vault.transaction() as records:
        keys = device_keys.load(records)
        server = records.settings.get("server")
        pin = records.settings.get("server-pin")
        user_pin = records.settings.get("user-pin")
    if keys is None or not server or not pin:
        raise NotActivatedError(
            "this device's activation was begun and not finished: run `blackthorn activate` again "
            "with the same code, or `blackthorn device link` with a new one"
        )
    host, _, port = server.decode().rpartition(":")
    address = ServerAddress(host, int(port), Fingerprint(pin))
    return Opened(vault, keys, address, (user_pin or b"").decode())


def random(size: int) -> bytes:
    return secrets.token_bytes(size)


def _new_passphrase(file: str | Path | None, what: str = "Passphrase") -> Secret:
    passphrase = first_line(file) if file else _ask_twice(what)
    if len(passphrase) < MIN_PASSPHRASE_CHARACTERS:
        raise UserError(f"a passphrase has at least {MIN_PASSPHRASE_CHARACTERS} characters")
    return Secret(passphrase.encode())


def first_line(path: str | Path) -> str:
    """The passphrase that a file holds. Raises UserError."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise UserError(f"the passphrase file {path} cannot be read") from None
    if not lines or not lines[0]:
        raise UserError(f"the passphrase file {path} is empty")
    return lines[0]


def _ask(prompt: str) -> str:
    if not _has_terminal():
        raise UserError(
            f"a passphrase is needed and there is no terminal: set {PASSPHRASE_FILE} "
            "or use --key-file"
        )
    try:
        with _interruptible():
            return getpass.getpass(f"{prompt}: ")
    except EOFError:
        raise UserError("no passphrase was given") from None


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends a prompt at once; an event loop's own handler would only cancel its task."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _has_terminal() -> bool:
    """Whether getpass can ask: at the controlling terminal, though standard input be a pipe."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return sys.stdin.isatty()
    return True


def _ask_twice(what: str) -> str:
    prompt = f"{what} for this device, at least {MIN_PASSPHRASE_CHARACTERS} characters"
    for _ in range(MAX_PASSPHRASE_ATTEMPTS):
        passphrase = _ask_new(prompt, what)
        if _ask("The same again") == passphrase:
            return passphrase
        prompt = f"The two passphrases differ. {what} for this device"
    raise UserError("the two passphrases differ; nothing was changed")


def _ask_new(prompt: str, what: str) -> str:
    least = MIN_PASSPHRASE_CHARACTERS
    while len(passphrase := _ask(prompt)) < least:
        had = f"that has only {len(passphrase)}" if passphrase else "that line was empty"
        prompt = f"At least {least} characters are needed, {had}. {what} for this device"
    return passphrase
