"""The warrant canary: two officers state, until a day, what was never done."""

from typing import Final

from blackthorn.errors import VerificationError
from blackthorn.governance import limits
from blackthorn.governance.transitions import LEGAL, OWNER, Case, Request, Transition
from blackthorn.governance.values import TIME, Spec

CASE: Final = "canary"

STATEMENTS: Final[dict[str, str]] = {
    "keys": "We have never handed anyone a key of ours or of a person's.",
    "equipment": "We have never installed equipment or software for an authority.",
    "feed": "We have never given anyone a feed of messages or mail.",
    "content": "We have never altered what a person wrote.",
    "weakened": "We have never weakened our encryption at anyone's wish.",
    "devices": "We have never added a device or a member to a conversation in secret.",
}
"""Possible statements, by short name."""


def _declare(case: Case, request: Request) -> None:
    until = request.public["valid_until_ms"]
    if not request.latest_ms < until <= request.now_ms + limits.MAX_CANARY_MS:
        raise VerificationError("G15", "the last day must be within the next 400 days")


TRANSITIONS: Final = (
    Transition(
        "declare",
        ("", "declared"),
        "declared",
        (OWNER, LEGAL),
        {"statements": Spec("list", 0, len(STATEMENTS), tuple(STATEMENTS)), "valid_until_ms": TIME},
        "These statements are true until the day named.",
        guard=_declare,
    ),
)
