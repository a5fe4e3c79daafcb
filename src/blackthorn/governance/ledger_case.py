"""The case `ledger`: officers say that a wrong clock has signed heads ahead of the time."""

from typing import Final

from blackthorn.governance.requests import Input, make_form
from blackthorn.governance.transitions import ANY_DECIDER, OWNER, Role, Transition
from blackthorn.governance.values import TIME, Spec, text

CASE: Final = "ledger"

TRANSITIONS: Final = (
    Transition(
        "heal",
        ("", "healed"),
        "healed",
        (OWNER | {Role.ADMIN}, ANY_DECIDER),
        {"ledger": text(255), "epoch": Spec("count", 1, 2**53 - 1), "least_ms": TIME},
        "Heads after this epoch were ahead of the time: it falls once, no further than this.",
    ),
)

HEAL: Final = make_form(
    TRANSITIONS,
    "heal",
    "Let the time of the ledger's heads fall once, after the server's clock was wrong.\n\n"
    "Heads that the server has signed ahead of the time bar devices from the ledger until that "
    "time has come. The next head may then be earlier than the one before it, and no other: not "
    "earlier than the epoch that you name, nor than any time of its witnesses that your device "
    "knows from before. First set the server's clock right. `blackthorn ledger status` on the "
    "server names the epoch. Two officers decide it, and everybody sees it.",
    Input("epoch", "epoch", "The last epoch before the clock was wrong.", required=True),
)
"""`measured` has the ledger's name; the device adds the least time, as it knows it."""
