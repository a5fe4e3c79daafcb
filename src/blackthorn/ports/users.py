"""The port to the store of users as administrators write it: each call is one transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from blackthorn.ids import Address
from blackthorn.link.activation.exchange import Verifier


@dataclass(frozen=True, slots=True)
class NewCode:
    """A fresh code as it is stored; `expires_ms` is Unix time in milliseconds."""

    nameplate: str
    verifier: Verifier
    expires_ms: int


@dataclass(frozen=True, slots=True)
class ListedUser:
    """One line of `blackthorn user list`.

    `code` is how the user's unused code stands: `open`, `burnt`, `expired`, or empty when there is
    none to wait for. `code_expires_ms` when it is open.
    """

    address: str
    pin: str
    devices: int
    created_ms: int
    code: Literal["open", "burnt", "expired", ""]
    code_expires_ms: int | None
    market: str
    language: str


@dataclass(frozen=True, slots=True)
class Home:
    """Where a user belongs.

    `market` is an ISO 3166-1 alpha-2 code, or ZZ when it is not stated; `language` the BCP 47
    primary tag of the language in which he is given notice.
    """

    market: str = "ZZ"
    language: str = "en"


NOT_STATED: Final = Home()


class UserStore(Protocol):
    """Users and their open codes. Every call raises StorageError when the database fails."""

    def exists(self, address: Address) -> bool:
        """Whether there is such a user."""
        ...

    def add(
        self,
        address: Address,
        random: Callable[[int], bytes],
        now_ms: int,
        code: NewCode,
        home: Home = NOT_STATED,
    ) -> bool:
        """Add a user with a fresh PIN and a code; False when the address is taken."""
        ...

    def renew(self, address: Address, code: NewCode) -> bool:
        """A new code in place of the user's unused one; False when there is no such user."""
        ...

    def nameplate_taken(self, nameplate: str) -> bool:
        """Whether a stored code begins with this number."""
        ...
