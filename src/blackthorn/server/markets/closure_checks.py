"""What only the server knows of an exit's decisions: who is concerned, what was counted.

A check of `server.governance.decisions.DecisionService`, asked before anything is written.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from blackthorn.errors import InputError
from blackthorn.governance import directives
from blackthorn.governance.cases import Cases, Checked
from blackthorn.ids import Address
from blackthorn.server.markets.closure import Closures

_COUNTED: Final = ("destroy", "close")


@dataclass(frozen=True, slots=True)
class ClosureChecks:
    """`private` says the private part of a case's newest step; `market_of` a user's market."""

    closures: Closures
    cases: Callable[[], Cases]
    private: Callable[[str, str], dict[str, Any]]
    market_of: Callable[[Address], str | None]

    def __call__(self, checked: Checked, private: dict[str, Any]) -> None:
        """Raises InputError with a clear line."""
        statement = checked.signed.statement
        market = statement.case[2:4]
        if statement.case[:2] != "X-":
            return
        if statement.action == "plan":
            self._check_plan(market, statement.public)
        if statement.action in ("prepare", "destroy"):
            self._check_directives(market)
        if statement.action in _COUNTED:
            self._check_counted(market, statement.action, statement.public)

    def _check_plan(self, market: str, public: dict[str, Any]) -> None:
        facts = self.closures.facts(market)
        if facts.users == 0:
            raise InputError(f"there is nobody in {market}: nothing to leave")
        if (public["users"], public["list"]) != (facts.users, facts.list):
            raise InputError(
                f"{market} has {facts.users} users now, and not those of this plan: plan anew"
            )

    def _check_directives(self, market: str) -> None:
        for case in self.cases().directives:
            if case.state not in directives.OPEN:
                continue
            accounts = self.private(case.id, "receive").get("accounts", ())
            if any(self.market_of(Address(each)) == market for each in accounts):
                raise InputError(f"{case.id} is open and names a user of {market}: end it first")

    def _check_counted(self, market: str, action: str, public: dict[str, Any]) -> None:
        fields = self.closures.facts(market).fields
        if not fields:
            raise InputError(f"the closure of {market} is not ready for {action}: wait for it")
        wrong = [name for name, value in fields.items() if public[name] != value]
        if wrong:
            raise InputError(f"{', '.join(wrong)} is not what was counted: look again")
