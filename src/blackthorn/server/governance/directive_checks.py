"""Checks of a directive against the server's accounts and markets.

Accounts are full addresses of users of this enterprise; a wildcard or a domain is none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from blackthorn.errors import DecodeError, InputError
from blackthorn.governance.cases import Cases, Checked
from blackthorn.ids import Address
from blackthorn.ports.markets import FindMarkets
from blackthorn.ports.store import Done, Reader, unless_failed
from blackthorn.wire.address import parse_address


@dataclass(frozen=True, slots=True)
class DirectiveChecks:
    """A check of `decisions.DecisionService`; `most` bounds a directive's accounts."""

    cases: Callable[[], Cases]
    reader: Reader
    most: int

    def __call__(self, checked: Checked, private: dict[str, Any], done: Done[None]) -> None:
        """`done` gets InputError when the directive is refused."""
        if checked.move.action != "receive":
            done(None)
            return
        try:
            addresses = self._addresses(checked.signed.statement.public, private["accounts"])
        except InputError as error:
            done(error)
            return

        def found(markets: list[str | None]) -> None:
            done(self._refusal(addresses, markets))

        self.reader.ask(FindMarkets(tuple(addresses)), unless_failed(done, found))

    def _addresses(self, public: dict[str, Any], names: Sequence[str]) -> list[Address]:
        if len(names) != public["accounts"]:
            raise InputError("the number of accounts differs from the accounts named")
        if public["accounts"] + public["unknown"] > self.most:
            raise InputError(f"a directive names at most {self.most} accounts: ask for another one")
        return [_address(name) for name in names]

    def _refusal(
        self, addresses: Sequence[Address], markets: Sequence[str | None]
    ) -> InputError | None:
        for address, market in zip(addresses, markets, strict=True):
            if market is None:
                return InputError(f"there is no account {address}: count it by --unknown")
            case = self.cases().exit_of(market)
            if case is not None and case.state in ("destroying", "closed"):
                return InputError(f"{address} was of {market}, which is closed: no data remains")
        return None


def _address(name: str) -> Address:
    try:
        address = parse_address(name)
    except DecodeError:
        raise InputError(f"{name!r} is not an account: give its full address") from None
    if address != name:
        raise InputError(f"write {name!r} as {address}")
    return address
