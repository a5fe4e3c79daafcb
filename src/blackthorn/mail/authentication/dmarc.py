"""DMARC (RFC 9989): whether the author's domain is proven, and what it asks for if not.

The organizational domain comes from the walk up the tree of names, not from a list of suffixes.
`pct` is gone; `t=y` asks for the next milder policy.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from blackthorn.mail.authentication import limits
from blackthorn.mail.authentication.questions import Answers, Kind, LookupFailedError, MissingError


class Request(StrEnum):
    """What a domain asks for mail that is not proven."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


_MILDER = {
    Request.REJECT: Request.QUARANTINE,
    Request.QUARANTINE: Request.NONE,
    Request.NONE: Request.NONE,
}


@dataclass(frozen=True, slots=True)
class Record:
    """One DMARC record (4.7); `None` where it says nothing."""

    domain: str
    policy: Request | None
    subdomains: Request | None
    absent: Request | None
    strict_dkim: bool
    strict_spf: bool
    suffix: str
    testing: bool


@dataclass(frozen=True, slots=True)
class DmarcResult:
    """`outcome` of RFC 8601 with RFC 9989: none, pass, fail, temperror, permerror."""

    outcome: str
    request: Request = Request.NONE


@lru_cache(512)
def parse_record(domain: str, texts: tuple[bytes, ...]) -> Record | None:
    """The only record of a name, or None (4.10, 2)."""
    own = [each for each in texts if each.replace(b" ", b"")[:8] == b"v=DMARC1"]
    if len(own) != 1 or len(own[0]) > limits.MAX_DMARC_RECORD_BYTES:
        return None
    tags: dict[str, str] = {}
    for piece in own[0].decode("ascii", "replace").split(";"):
        name, equals, value = piece.partition("=")
        if equals:
            tags.setdefault(name.strip().lower(), value.strip().lower())
    if tags.get("v") != "dmarc1":
        return None
    return Record(
        domain,
        _request(tags.get("p")),
        _request(tags.get("sp")),
        _request(tags.get("np")),
        tags.get("adkim") == "s",
        tags.get("aspf") == "s",
        tags.get("psd", "u"),
        tags.get("t") == "y",
    )


def _request(text: str | None) -> Request | None:
    return Request(text) if text in tuple(Request) else None


def walk(domain: str, answers: Answers) -> list[Record]:
    """The records from `domain` up the tree, at most 8 names (4.10). Raises MissingError.

    All names are asked at once; what lies above the end of the walk is not used.
    """
    labels = domain.split(".")
    names = [domain]
    above = labels[-(limits.MAX_TREE_STEPS - 1) :] if len(labels) >= 8 else labels[1:]
    names += [".".join(above[start:]) for start in range(len(above))]
    names = names[: limits.MAX_TREE_STEPS]
    answers.want(Kind.TXT, [f"_dmarc.{name}" for name in names])
    records = []
    for name in names:
        record = parse_record(name, answers.txt(f"_dmarc.{name}"))
        if record is not None:
            records.append(record)
            if record.suffix in ("y", "n"):
                break
    return records


def organization(domain: str, records: list[Record]) -> str:
    """The organizational domain by the records of its walk (4.10.2)."""
    for record in records:
        if record.suffix == "n":
            return record.domain
        if record.suffix == "y" and record.domain != domain:
            labels = domain.split(".")
            return ".".join(labels[-(record.domain.count(".") + 2) :])
    return records[-1].domain if records else domain


def _is_aligned(domain: str, author: str, own: str, strict: bool, answers: Answers) -> bool:
    """Whether a proven domain speaks for the author's (4.4)."""
    if domain == author:
        return True
    if strict or (domain != own and not domain.endswith("." + own)):
        return False
    return organization(domain, walk(domain, answers)) == own


def evaluate(author: str, proven_spf: str, proven_dkim: list[str], answers: Answers) -> DmarcResult:
    """The result for the author's domain. `proven_…` are the domains that passed.

    Raises MissingError, LookupFailedError when the policy cannot be known now.
    """
    records = walk(author, answers)
    own = organization(author, records)
    policy = _policy(author, own, records)
    if policy is None:
        return DmarcResult("none")
    unknown: MissingError | LookupFailedError | None = None
    for domain, strict in [
        *((each, policy.strict_dkim) for each in dict.fromkeys(proven_dkim)),
        *([(proven_spf, policy.strict_spf)] if proven_spf else []),
    ]:
        try:
            if _is_aligned(domain, author, own, strict, answers):
                return DmarcResult("pass")
        except LookupFailedError as error:
            unknown = unknown or error
        except MissingError as error:
            unknown = error
    if unknown is not None:
        raise unknown
    return DmarcResult("fail", _requested(policy, author, answers))


def _policy(author: str, own: str, records: list[Record]) -> Record | None:
    """The record that counts (4.10.1): the author's, the organization's, the public suffix's."""
    by_domain = {record.domain: record for record in records}
    suffix = next((record for record in records if record.suffix == "y"), None)
    return by_domain.get(author) or by_domain.get(own) or suffix


def _requested(policy: Record, author: str, answers: Answers) -> Request:
    asked = policy.policy
    if policy.domain != author:
        below = policy.subdomains or policy.policy
        if policy.absent is not None and policy.absent is not below:
            exists = answers.get(Kind.A, author).exists
            below = below if exists else policy.absent
        asked = below
    asked = asked or Request.NONE
    return _MILDER[asked] if policy.testing else asked
