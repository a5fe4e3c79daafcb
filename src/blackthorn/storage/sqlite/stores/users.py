"""Users and their activation codes as an administrator writes them, in one transaction each.

Run by commands in a process of their own while the server serves: each call takes the write
lock, waits for it if the server holds it, and commits. All parameters are bound.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from blackthorn.ids import Address
from blackthorn.ports.users import NOT_STATED, Home, ListedUser, NewCode
from blackthorn.server.accounts import limits
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import storing


class UserTable:
    """What administrators do with users, over a connection in autocommit mode."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @storing
    def exists(self, address: Address) -> bool:
        """Whether there is such a user."""
        return self._number(address) is not None

    @storing
    def add(
        self,
        address: Address,
        random: Callable[[int], bytes],
        now_ms: int,
        code: NewCode,
        home: Home = NOT_STATED,
    ) -> bool:
        """Add a user with a fresh PIN and a code; False when the address is taken."""
        with self._transaction():
            if self._number(address) is not None:
                return False
            self._connection.execute(
                "INSERT INTO users (address, pin, created_ms, market, language)"
                " VALUES (?, ?, ?, ?, ?)",
                (address, self._free_pin(random), now_ms, home.market, home.language),
            )
            self._store(self._connection.last_insert_rowid(), code)
            return True

    @storing
    def renew(self, address: Address, code: NewCode) -> bool:
        """A new code in place of the user's unused one; False when there is no such user."""
        with self._transaction():
            number = self._number(address)
            if number is None:
                return False
            self._connection.execute(
                "DELETE FROM activations WHERE user = ? AND used_by IS NULL", (number,)
            )
            self._store(number, code)
            return True

    @storing
    def nameplate_taken(self, nameplate: str) -> bool:
        """Whether a stored code begins with this number."""
        query = "SELECT 1 FROM activations WHERE nameplate = ?"
        return self._connection.execute(query, (nameplate,)).fetchone() is not None

    @storing
    def list(self, now_ms: int) -> list[ListedUser]:
        """All users by address."""
        rows = self._connection.execute(
            "SELECT address, pin, (SELECT count(*) FROM devices WHERE user = users.number),"
            " created_ms, market, language, max(expires_ms), tries FROM users"
            " LEFT JOIN activations ON user = users.number AND used_by IS NULL"
            " GROUP BY users.number ORDER BY address"
        )
        return [_listed(now_ms, *row) for row in rows]

    def _number(self, address: Address) -> int | None:
        query = "SELECT number FROM users WHERE address = ?"
        row = self._connection.execute(query, (address,)).fetchone()
        return None if row is None else int(row[0])

    def _free_pin(self, random: Callable[[int], bytes]) -> str:
        while True:
            pin = random(4).hex().upper()
            query = "SELECT 1 FROM users WHERE pin = ?"
            if self._connection.execute(query, (pin,)).fetchone() is None:
                return pin

    def _store(self, user: int, code: NewCode) -> None:
        self._connection.execute(
            "INSERT INTO activations"
            " (nameplate, user, password, public_key, expires_ms, tries, used_by)"
            " VALUES (?, ?, ?, ?, ?, 0, NULL)",
            (
                code.nameplate,
                user,
                code.verifier.password.expose(),
                code.verifier.public_key,
                code.expires_ms,
            ),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """The write lock, then a commit; nothing is kept when anything fails."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise


def _listed(
    now_ms: int,
    address: str,
    pin: str,
    devices: int,
    created_ms: int,
    market: str,
    language: str,
    expires_ms: int | None,
    tries: int | None,
) -> ListedUser:
    state: Literal["open", "burnt", "expired", ""] = "open"
    if expires_ms is None or expires_ms <= now_ms:
        # Expired codes are deleted. A user without a device was given one.
        state = "" if devices else "expired"
    elif (tries or 0) >= limits.ACTIVATION_TRIES:
        state = "burnt"
    until = expires_ms if state == "open" else None
    return ListedUser(address, pin, devices, created_ms, state, until, market, language)
