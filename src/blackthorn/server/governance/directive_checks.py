"""What only the server knows of a directive: which accounts there are, and in which markets.

Full addresses of users of this enterprise, few of them, each by name: a wildcard, a domain or an
empty name is no account.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from blackthorn.errors import DecodeError, InputError
from blackthorn.governance.cases import Cases, Checked
from blackthorn.ids import Address
from blackthorn.ports.enterprise import Enterprise
from blackthorn.wire.address import parse_address


@dataclass(frozen=True, slots=True)
class DirectiveChecks:
    """A check of `decisions.DecisionService`. `market_of` says a user's market, None for nobody."""

    cases: Callable[[], Cases]
    enterprise: Enterprise
    market_of: Callable[[Address], str | None]
    most: int

    def __call__(self, checked: Checked, private: dict[str, Any]) -> None:
        """Raises InputError with a clear line."""
        if checked.move.action != "receive":
            return
        public, names = checked.signed.statement.public, private["accounts"]
        if len(names) != public["accounts"]:
            raise InputError("the number of accounts is not that of the accounts named")
        if public["accounts"] + public["unknown"] > self.most:
            raise InputError(f"a directive names at most {self.most} accounts: ask for another one")
        for name in names:
            self._check_account(name)

    def _check_account(self, name: str) -> None:
        try:
            address = parse_address(name)
        except DecodeError:
            raise InputError(f"{name!r} is no account: a directive names full addresses") from None
        if address != name:
            raise InputError(f"{name!r} is to be written {address}")
        market = self.market_of(address)
        if market is None:
            raise InputError(f"there is no account {address}: count it by --unknown")
        left = self.cases().exit_of(market)
        if left is not None and left.state in ("destroying", "closed"):
            raise InputError(f"{address} was of {market}, which is closed: there is nothing left")
