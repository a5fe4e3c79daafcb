"""App passwords: users' devices make, list and revoke them; mail programs log in by them.

Tries are limited for each user and each client. A user that does not exist takes as much time as
one with a single password.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from blackthorn.crypto.passwords import app as app_passwords
from blackthorn.errors import DecodeError, ForbiddenError, InputError, UnavailableError
from blackthorn.ids import Address
from blackthorn.ports.clock import Clock
from blackthorn.ports.enterprise import UserRecord
from blackthorn.ports.outbound.passwords import (
    AppPassword,
    KeepAppPassword,
    ListAppPasswords,
    NoteUse,
    RevokeAppPassword,
)
from blackthorn.ports.store import Done, Reader, Writer, ignore
from blackthorn.ports.waiting import outcome
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.outbound import limits
from blackthorn.server.rate_limiter import Buckets
from blackthorn.wire.address import parse_address

_NOBODY: Final = AppPassword("", bytes(16), bytes(32), 0)
_DAY_MS: Final = 86_400_000


class LoginRefusedError(ForbiddenError):
    """Name or password are wrong; which is not said."""


class TooManyTriesError(UnavailableError):
    """Too many wrong passwords came from the client, or for the user."""


def _tries() -> Buckets[str]:
    per_second = limits.LOGIN_TRIES / limits.LOGIN_TRIES_SECONDS
    return Buckets(limits.LOGIN_TRIES, per_second, limits.MAX_COUNTED_CLIENTS)


@dataclass(kw_only=True, slots=True)
class AppPasswords:
    writer: Writer
    reader: Reader
    clock: Clock
    enterprise: EnterpriseCache
    _tried: Buckets[str] = field(default_factory=_tries)
    _places: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(limits.MAX_LOGINS_AT_ONCE)
    )

    def keep(
        self, user: UserRecord, name: str, salt: bytes, verifier: bytes, done: Done[None]
    ) -> None:
        """Keep a password that a device has made. `done` gets ConflictError, InputError."""
        if not name.isprintable() or not 0 < len(name.strip()) <= limits.MAX_APP_NAME_CHARS:
            done(InputError("an app password needs a short name, such as thunderbird"))
            return
        made = AppPassword(name.strip(), salt, verifier, self.clock.wall_ms())
        command = KeepAppPassword(user.number, made, limits.MAX_APP_PASSWORDS)
        self.writer.submit(command, done)

    def revoke(self, user: UserRecord, name: str, done: Done[bool]) -> None:
        """End a password at once; `done` gets whether there was one."""
        self.writer.submit(RevokeAppPassword(user.number, name), done)

    def listed(self, user: UserRecord, done: Done[list[AppPassword]]) -> None:
        self.reader.ask(ListAppPasswords(user.number), done)

    async def log_in(self, name: str, password: bytes, client: str) -> UserRecord:
        """The user who logs in. Raises LoginRefusedError, TooManyTriesError, StorageError."""
        now = self.clock.monotonic()
        holders = client, f"user {name.lower()[: limits.MAX_LOGIN_NAME_CHARS]}"
        if any(self._tried.wait_seconds(holder, now) > 0 for holder in holders):
            raise TooManyTriesError("too many wrong passwords; try again in some minutes")
        user = await self._user(name)
        known = [] if user is None else await self._known(user)
        async with self._places:
            check = partial(_find, password, known or [_NOBODY])
            found = await asyncio.to_thread(check)
        if user is None or not known or found is None:
            for holder in holders:
                self._tried.spend(holder, 1, now)
            raise LoginRefusedError("the name or the app password is wrong")
        day = self.clock.wall_ms() // _DAY_MS
        if found.used_day != day:
            self.writer.submit(NoteUse(user.number, found.name, day), ignore)
        return user

    async def _user(self, name: str) -> UserRecord | None:
        try:
            address = parse_address(name)
        except DecodeError:
            return None
        load: Callable[[Done[UserRecord | None]], None] = partial(
            self.enterprise.load_user, Address(address)
        )
        return await outcome(load)

    async def _known(self, user: UserRecord) -> list[AppPassword]:
        return await outcome(partial(self.listed, user))


def _find(password: bytes, known: list[AppPassword]) -> AppPassword | None:
    """The one that matches; all are tried, so that the time says nothing."""
    if len(password) > limits.MAX_PASSWORD_BYTES:
        password = b""
    right = [each for each in known if app_passwords.matches(password, each.salt, each.verifier)]
    return right[0] if right else None
