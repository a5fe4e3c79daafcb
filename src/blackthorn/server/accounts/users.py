"""Administration of users: add one, or make a new activation code.

The caller shows the code once; only its verifier is stored.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from blackthorn.errors import AbsentError, ConflictError, DecodeError, UserError
from blackthorn.ids import Address, Fingerprint
from blackthorn.link.activation import exchange
from blackthorn.link.activation.code import Code, new_code
from blackthorn.ports import users
from blackthorn.ports.randomness import Randomness
from blackthorn.ports.store import BlockingReader, BlockingWriter
from blackthorn.server.accounts import limits
from blackthorn.wire.address import domain_of, parse_address

_LIFE = re.compile(r"([0-9]{1,7})\s*([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}


@dataclass(frozen=True, slots=True)
class Invited:
    """A new code; it expires at `expires_ms`, Unix milliseconds."""

    address: Address
    code: Code
    expires_ms: int


def parse_life(text: str) -> int:
    """Seconds of a life such as `30m`, `24h` or `7d`. Raises UserError outside the range."""
    match = _LIFE.fullmatch(text.strip().lower())
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not limits.ACTIVATION_SECONDS_MIN <= seconds <= limits.ACTIVATION_SECONDS_MAX:
        raise UserError(f"a code lives from 1m to 30d, such as 24h; not {text!r}")
    return seconds


def all_users(store: BlockingReader, now_ms: int) -> Iterator[users.ListedUser]:
    after = ""
    while page := store.read(users.ListUsers(now_ms, after, limits.USERS_PAGE)):
        yield from page
        after = page[-1].address


def add_user(
    store: BlockingWriter,
    address: Address,
    random: Randomness,
    now_ms: int,
    code: users.NewCode,
    home: users.Home = users.NOT_STATED,
) -> None:
    """Add a user with a fresh PIN and a code.

    Raises ConflictError for a taken address, NameTakenError for that of an alias or a list.
    """
    while True:
        pin = random(4).hex().upper()
        try:
            store.write(users.AddUser(address, pin, now_ms, code, home))
        except users.PinTakenError:
            continue
        return


class Store(BlockingReader, BlockingWriter, Protocol):
    """A store for commands on the host."""


@dataclass(frozen=True, slots=True)
class UserAdministration:
    """Users of one enterprise; `fingerprint` is that of its server's TLS key.

    `options` is appended to commands in error texts, such as ` --dir DIR`.
    """

    store: Store
    domain: str
    fingerprint: Fingerprint
    random: Randomness
    options: str = ""

    def add(
        self, text: str, life_seconds: int, now_ms: int, home: users.Home = users.NOT_STATED
    ) -> Invited:
        """A new user and their first code. Raises UserError for a bad or taken address."""
        address = self.check_new(text)
        invited, stored = self._fresh(address, life_seconds, now_ms)
        try:
            add_user(self.store, address, self.random, now_ms, stored, home)
        except users.NameTakenError as error:
            name = address.partition("@")[0]
            command = f"blackthorn {error.kind} remove {name}{self.options}"
            raise UserError(f"{error}: `{command}` makes the address free") from None
        except ConflictError:
            raise self._taken(address) from None
        return invited

    def check_new(self, text: str) -> Address:
        """The address of a user to add. Raises UserError."""
        address = self._address(text)
        if self.store.read(users.FindUser(address)):
            raise self._taken(address)
        return address

    def _taken(self, address: Address) -> UserError:
        command = f"blackthorn user code {address}{self.options}"
        return UserError(f"{address} exists: `{command}` makes a new code")

    def renew(self, text: str, life_seconds: int, now_ms: int) -> Invited:
        """A new code; the unused one ends. Raises UserError.

        For a user with a chain the code asks for a reset: they have lost all devices.
        """
        address = self._address(text)
        invited, stored = self._fresh(address, life_seconds, now_ms)
        try:
            self.store.write(users.RenewCode(address, stored))
        except AbsentError:
            command = f"blackthorn user add {address}{self.options}"
            raise UserError(f"there is no user {address}: `{command}` adds one") from None
        return invited

    def _address(self, text: str) -> Address:
        try:
            address = parse_address(text)
        except DecodeError as error:
            raise UserError(f"{text}: {error}") from None
        if domain_of(address) != self.domain:
            raise UserError(
                f"{address}: this server serves users of {self.domain}, not of that domain"
            )
        return address

    def _fresh(
        self, address: Address, life_seconds: int, now_ms: int
    ) -> tuple[Invited, users.NewCode]:
        code = new_code(self.random)
        while self.store.read(users.NameplateTaken(code.nameplate)):
            code = new_code(self.random)
        expires_ms = now_ms + life_seconds * 1000
        verifier = exchange.verifier(code, self.fingerprint)
        return Invited(address, code, expires_ms), users.NewCode(
            code.nameplate, verifier, expires_ms
        )
