"""SPF (RFC 7208) by pyspf, with answers that are handed in instead of lookups of its own.

pyspf keeps RFC 7208's bounds: 10 terms that need lookups, 2 without an answer, 10 hosts each.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import spf

from blackthorn.mail.authentication import limits
from blackthorn.mail.authentication.questions import (
    Answers,
    Kind,
    LookupFailedError,
    NotAskedError,
)

_RECORD: Final = b"v=spf1"
_NAME: Final = re.compile(r"(?:[a-z0-9_-]{1,63}\.)+[a-z][a-z0-9-]{0,62}")
NONE: Final = "none"
PASS: Final = "pass"  # noqa: S105
TEMPERROR: Final = "temperror"
PERMERROR: Final = "permerror"


@dataclass(frozen=True, slots=True)
class SpfResult:
    """`outcome` is one of RFC 8601, 2.7.2; `domain` that of the envelope sender, else of HELO."""

    outcome: str
    domain: str
    helo: bool = False


class _Query(spf.query):  # type: ignore[misc]  # pyspf has no types
    def __init__(self, answers: Answers, peer: str, sender: str, helo: str, host: str) -> None:
        super().__init__(i=peer, s=sender, h=helo, receiver=host, querytime=0)
        self._answers = answers

    def dns(
        self, name: Any, qtype: str, cnames: Any = None, ignore_void: bool = False
    ) -> list[Any]:
        """pyspf's only door to the domain name system."""
        name = str(name).removesuffix(".").lower()
        if not all(0 < len(label) < 64 for label in name.split(".")) or len(name) > 253:
            return []
        try:
            found = self._answers.get(Kind(qtype), name)
        except NotAskedError:  # as when the record needs more lookups than it may (4.6.4)
            raise spf.PermError("too many lookups") from None
        except LookupFailedError:
            raise spf.TempError("no answer") from None
        if not found.records:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError("too many lookups without an answer")
        return _records(qtype, found.records)

    def get_explanation(self, record: str) -> str:
        """A stranger's text is not repeated."""
        return ""


def _records(kind: str, records: tuple[bytes | str, ...]) -> list[Any]:
    if kind == Kind.TXT:
        texts = [each for each in records if isinstance(each, bytes)]
        spf_records = [each for each in texts if each[:6].lower() == _RECORD]
        if any(len(each) > limits.MAX_SPF_RECORD_BYTES for each in spf_records):
            raise spf.PermError("too long a record")
        return [[each] for each in texts]
    if kind == Kind.MX:
        pairs = (str(each).split(" ", 1) for each in records)
        return [(int(preference), host) for preference, host in pairs]
    return list(records)


def evaluate(answers: Answers, peer: str, sender: str, helo: str, host: str) -> SpfResult:
    """The result for a mail that `host` got from the address `peer`. Raises MissingError.

    `sender` is the envelope's, empty for a notice, which HELO's name stands for (2.4).
    """
    domain = (sender.rpartition("@")[2] if sender else helo).lower().removesuffix(".")
    if not _is_name(domain):
        return SpfResult(NONE, "", not sender)
    try:
        # pyspf's states are per query: a query that lacked an answer is made anew
        outcome = _Query(answers, peer, sender, helo, host).check()[0]
    except LookupFailedError:
        outcome = TEMPERROR
    except (ValueError, AssertionError, IndexError, UnicodeError):
        outcome = PERMERROR
    return SpfResult(str(outcome), domain, not sender)


def _is_name(domain: str) -> bool:
    return len(domain) <= 253 and _NAME.fullmatch(domain) is not None
