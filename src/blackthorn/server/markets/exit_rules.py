"""Rights of users in each state of their market's exit: one table for all services.

Only decisions change the state; no date does, nor a hold. After a rescission service is as before.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from blackthorn.governance.cases import Cases
from blackthorn.governance.exits import dates
from blackthorn.governance.transitions import Case, Step
from blackthorn.ids import Address


class May(StrEnum):
    """What a user may do, or what may be done for them."""

    ACTIVATE = "activate"
    LOG_IN = "log in"
    SEND = "send"
    FETCH = "fetch"
    BE_SENT = "be sent to"
    MAIL_IN = "mail in"


ALL: Final = frozenset(May)
READING: Final = frozenset({May.LOG_IN, May.FETCH})

ALLOWED: Final[dict[str, frozenset[May]]] = {
    "": ALL,
    "draft": ALL,
    "approved": ALL,
    "announced": ALL,
    "draining": ALL - {May.ACTIVATE},
    "read-only": ALL - {May.ACTIVATE, May.SEND},
    "stopped": frozenset(),
    "retrieval": READING,
    "preparing": READING,
    "destroying": frozenset(),
    "closed": frozenset(),
    "rescinded": ALL,
}
"""State of the exit → rights; docs/specs/exits.md shows it."""

_WHY: Final = {
    May.ACTIVATE: "no device is activated for users of {market} any more: the service there ends",
    May.LOG_IN: "the service in {market} has ended",
    May.SEND: "the service in {market} is read-only: read, export and move; nothing new is sent",
    May.FETCH: "the service in {market} has ended",
    May.BE_SENT: "the service in {market} has ended",
    May.MAIL_IN: "the service in {market} has ended",
}
_BETWEEN: Final = "; once retrieval begins you can fetch and export your data"


@dataclass(frozen=True, slots=True)
class MailStop:
    """Why mail is refused; and the user's forwarding address, until forwarding ends."""

    text: str
    forward: str


def allowed(state: str, what: May) -> bool:
    """Whether a state of the market's newest exit ("" without one) allows it."""
    return what in ALLOWED[state]


@dataclass(slots=True)
class ExitRules:
    """Rights on one server. `market_of` is a user's market, or None.

    `forward_to` (exit id, user) is their forwarding address, or "". `log_ms` is the ledger's time,
    Unix milliseconds. Call `renew` once the cases are known; before that there are no exits.
    """

    cases: Callable[[], Cases]
    market_of: Callable[[Address], str | None]
    forward_to: Callable[[str, Address], str] = lambda case, address: ""
    log_ms: Callable[[], int] = lambda: 0
    _narrowed: dict[str, Case] = field(default_factory=dict)
    _reading: bool = False

    def renew(self) -> None:
        """Read the exits again."""
        newest = {each.id[2:4]: each for each in self.cases().exits}  # by market and number
        self._narrowed = {
            market: each for market, each in newest.items() if ALLOWED[each.state] != ALL
        }
        self._reading = any(
            allowed(each.state, May.LOG_IN) and not allowed(each.state, May.SEND)
            for each in self._narrowed.values()
        )

    def decided(self, case: Case, step: Step) -> None:
        """Renew after a decision on an exit."""
        if case.id[0] == "X":
            self.renew()

    @property
    def reading(self) -> bool:
        """Whether some users may log in and not send; otherwise frames need no check."""
        return self._reading

    def refusal(self, address: Address, what: May) -> str:
        """Why the user may not, or ""."""
        if not self._narrowed:
            return ""
        case = self._narrowed.get(self.market_of(address) or "")
        if case is None or allowed(case.state, what):
            return ""
        text = _WHY[what].format(market=case.id[2:4])
        return text + _BETWEEN if case.state == "stopped" and what is May.LOG_IN else text

    def mail_stop(self, address: Address) -> MailStop | None:
        """Why mail from outside is refused for the user, or None."""
        why = self.refusal(address, May.MAIL_IN)
        if not why:
            return None
        case = self._narrowed[self.market_of(address) or ""]
        forward = self.forward_to(case.id, address)
        over = self.log_ms() >= dates(case)["forwarding_end_ms"]
        return MailStop(why, "" if over else forward)
