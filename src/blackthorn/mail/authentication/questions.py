"""Questions to the domain name system and their answers, as values, so that engines stay pure.

An engine that lacks an answer raises MissingError; its caller looks it up and calls again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from blackthorn.mail.authentication import limits


class Kind(StrEnum):
    A = "A"
    AAAA = "AAAA"
    MX = "MX"
    PTR = "PTR"
    TXT = "TXT"


class Question(NamedTuple):
    """`name` is lower case without a last dot."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Found:
    """An answer: TXT as bytes, addresses and hosts as text, MX as "preference host".

    `failed`: there was none, and there may be one later.
    """

    records: tuple[bytes | str, ...] = ()
    exists: bool = True
    failed: bool = False


class MissingError(Exception):
    """An answer is not known yet."""

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self.question = question


class LookupFailedError(Exception):
    """The domain name system did not answer: the mail is to be deferred, if it matters."""


class NotAskedError(LookupFailedError):
    """No more may be asked for this mail: the answer stays unknown, which is never an absence."""


@dataclass(slots=True)
class Answers:
    """What is known. `asked` collects what was used, `missing` what was not known.

    A mail uses MAX_QUESTIONS answers at most, however many are known. `last`: no more can be asked.
    """

    known: dict[Question, Found]
    last: bool = False
    asked: set[Question] = field(default_factory=set)
    missing: set[Question] = field(default_factory=set)

    def get(self, kind: Kind, name: str) -> Found:
        """Raises MissingError, LookupFailedError when the name servers failed, NotAskedError."""
        question = Question(kind, name.lower().removesuffix("."))
        if question not in self.asked and len(self.asked) >= limits.MAX_QUESTIONS:
            raise NotAskedError
        self.asked.add(question)
        found = self.known.get(question)
        if found is None and self.last:
            raise NotAskedError
        if found is None:
            self.missing.add(question)
            raise MissingError(question)
        if found.failed:
            raise LookupFailedError
        return found

    def txt(self, name: str) -> tuple[bytes, ...]:
        """Texts of a name. Raises as `get`."""
        return tuple(each for each in self.get(Kind.TXT, name).records if isinstance(each, bytes))

    def want(self, kind: Kind, names: Iterable[str]) -> None:
        """Ask for what is not known of these, all at once. Raises MissingError."""
        missing = None
        for name in names:
            try:
                self.get(kind, name)
            except MissingError as error:
                missing = error
            except LookupFailedError:
                pass
        if missing is not None:
            raise missing
