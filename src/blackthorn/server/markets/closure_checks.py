"""Checks of an exit's decisions against the server's users and counts.

`server.governance.decisions.DecisionService` runs them before anything is written.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from blackthorn.errors import InputError
from blackthorn.governance import directives
from blackthorn.governance.cases import Cases, Checked
from blackthorn.ids import Address
from blackthorn.ports.markets import FindMarkets
from blackthorn.ports.store import Done, Reader, unless_failed
from blackthorn.server.markets.closure import Closures
from blackthorn.server.markets.closure_facts import Facts
from blackthorn.wire.words import count


@dataclass(frozen=True, slots=True)
class ClosureChecks:
    """`private` returns the private part of a case's newest step."""

    closures: Closures
    cases: Callable[[], Cases]
    private: Callable[[str, str], dict[str, Any]]
    reader: Reader

    def __call__(self, checked: Checked, private: dict[str, Any], done: Done[None]) -> None:
        """`done` gets InputError when the decision is refused."""
        statement = checked.signed.statement
        market, public = statement.case[2:4], statement.public
        if statement.case[:2] != "X-":
            done(None)
            return

        def counted() -> None:
            check = partial(_check_fields, market, statement.action, public)
            self._facts(market, done, check)

        match statement.action:
            case "plan":
                self._facts(market, done, partial(_check_plan, market, public))
            case "prepare":
                self._check_directives(market, done)
            case "destroy":
                self._check_directives(market, unless_failed(done, lambda _: counted()))
            case "close":
                counted()
            case _:
                done(None)

    def _facts(
        self, market: str, done: Done[None], check: Callable[[Facts], InputError | None]
    ) -> None:
        def found(facts: Facts) -> None:
            done(check(facts))

        self.closures.facts(market, unless_failed(done, found))

    def _check_directives(self, market: str, done: Done[None]) -> None:
        named = [
            (case.id, Address(account))
            for case in self.cases().directives
            if case.state in directives.OPEN
            for account in self.private(case.id, "receive").get("accounts", ())
        ]

        def found(markets: list[str | None]) -> None:
            for (name, _), of in zip(named, markets, strict=True):
                if of == market:
                    text = f"{name} is open and names a user of {market}: end it first"
                    done(InputError(text))
                    return
            done(None)

        query = FindMarkets(tuple(address for _, address in named))
        self.reader.ask(query, unless_failed(done, found))


def _check_plan(market: str, public: dict[str, Any], facts: Facts) -> InputError | None:
    if facts.users == 0:
        return InputError(f"{market} has no users: there is no service to end")
    if (public["users"], public["list"]) != (facts.users, facts.list):
        text = f"{market} has {count(facts.users, 'user')} now, not those of this plan: plan again"
        return InputError(text)
    return None


def _check_fields(
    market: str, action: str, public: dict[str, Any], facts: Facts
) -> InputError | None:
    if not facts.fields:
        return InputError(f"the closure of {market} is not ready for {action}: wait for it")
    wrong = [name for name, value in facts.fields.items() if public[name] != value]
    if wrong:
        return InputError(f"{', '.join(wrong)} differs from the server's count: look again")
    return None
