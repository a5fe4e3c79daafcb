"""The verdict on an inbound mail: SPF, DKIM, ARC and DMARC together, and what follows.

1. More than one From: refused. 2. DNS failed where it matters: deferred. 3. DMARC fails: as the
author's domain asks, unless a trusted server vouches by ARC. 4. A From of our own domain that is
not proven: marked or refused, by setting; never refused when a mailing list sent it.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from blackthorn.mail.authentication import arc, dkim, dmarc, results, spf
from blackthorn.mail.authentication.author import Author, author
from blackthorn.mail.authentication.fields import RawHeader, split, without
from blackthorn.mail.authentication.questions import (
    Answers,
    Found,
    Kind,
    LookupFailedError,
    MissingError,
    Question,
)
from blackthorn.mail.authentication.signature import Bodies, Outcome, Signature
from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.mime.fields import LineBudget, split_fields


class Place(StrEnum):
    """Where the device files the mail."""

    INBOX = "inbox"
    JUNK = "junk"


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings: `host` is our name in Authentication-Results, `domain` our mail domain.

    `refuse_by_dmarc`: p=reject refuses, else it marks. `own_from`: accept, mark or refuse.
    `sealers`: domains whose ARC seals are believed.
    """

    host: str
    domain: str
    refuse_by_dmarc: bool = True
    own_from: str = "mark"
    sealers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the envelope says: peer's address, sender and HELO (see `mail.pgp.seal.Envelope`)."""

    peer: str
    sender: str
    helo: str
    now: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """`summary` has results alone, no names; `field` is Authentication-Results with its CRLF."""

    place: Place
    reason: str
    summary: str
    field: str
    questions: frozenset[Question]


@dataclass(slots=True)
class _Results:
    spf: spf.SpfResult
    dkim: list[dkim.DkimResult]
    arc: arc.ArcResult
    dmarc: dmarc.DmarcResult


def judge(
    content: bytes, arrival: Arrival, rules: Rules, known: Mapping[Question, Found], last: bool
) -> Verdict | frozenset[Question]:
    """The verdict on a scanned mail, or the questions that it still depends on.

    With `last` nothing more is asked: a mail whose policy stays unknown is deferred. Raises
    MailRefusedError: 4xx or 5xx.
    """
    header = split(content)
    found = _author(content, header)
    answers = Answers(dict(known), last)
    if found.domain:
        _attempt_walk(found.domain, answers)  # first: the policy is always within the budget
    signatures = dkim.parse_all(header)
    sets = arc.parse_sets(header)
    _want_keys(signatures, sets, answers)
    checked = _check_spf(arrival, rules, answers)
    if answers.missing or checked is None:
        return frozenset(answers.missing)
    bodies = Bodies(content[header.body :])
    signed = dkim.evaluate(signatures, header, bodies, answers, arrival.now)
    chain = arc.evaluate(sets, header, bodies, answers, arrival.now)
    try:
        policy = _check_dmarc(found, checked, signed, answers)
    except MissingError:
        return frozenset(answers.missing)
    together = _Results(checked, signed, chain, policy)
    _defer(together)
    place, reason = _decide(together, found, rules, header)
    return Verdict(
        place,
        reason,
        results.summary(checked, signed, chain, policy),
        results.field(rules.host, found.domain, checked, signed, chain, policy),
        frozenset(answers.asked),
    )


def questions(
    header: bytes, arrival: Arrival, rules: Rules, known: Mapping[Question, Found]
) -> frozenset[Question]:
    """What `judge` would ask of a mail with this header; empty when nothing more is foreseen."""
    try:
        judged = judge(header, arrival, rules, known, last=False)
    except MailRefusedError:
        return frozenset()
    return judged if isinstance(judged, frozenset) else frozenset()


def _author(content: bytes, header: RawHeader) -> Author:
    """The author, by the header as sent and as it is shown. Raises MailRefusedError."""
    values = [each.unfolded for each in header.all(b"from")]
    fields = split_fields(content, 0, LineBudget())[0]
    shown = [value for name, value in fields if name == b"from"]
    found = author(values)
    if max(len(values), len(shown)) > 1:
        raise MailRefusedError(550, "5.6.0", "the mail has more than one From field")
    return found if len(values) == len(shown) else Author("", 1)


def _want_keys(
    signatures: list[Signature | dkim.DkimResult], sets: list[arc.ArcSet] | None, answers: Answers
) -> None:
    names = [each.key_name for each in signatures if isinstance(each, Signature)]
    for each in sets or []:
        names += [each.message.key_name, each.seal.key_name]
    with suppress(MissingError):  # it is in `answers.missing`
        answers.want(Kind.TXT, dict.fromkeys(names))


def _check_spf(arrival: Arrival, rules: Rules, answers: Answers) -> spf.SpfResult | None:
    try:
        return spf.evaluate(answers, arrival.peer, arrival.sender, arrival.helo, rules.host)
    except MissingError:
        return None


def _attempt_walk(domain: str, answers: Answers) -> None:
    with suppress(MissingError, LookupFailedError):  # `_check_dmarc` finds them again
        dmarc.walk(domain, answers)


def _check_dmarc(
    found: Author, checked: spf.SpfResult, signed: list[dkim.DkimResult], answers: Answers
) -> dmarc.DmarcResult:
    """Raises MissingError."""
    if not found.domain:
        return dmarc.DmarcResult("permerror")
    proven = [each.domain for each in signed if each.outcome is Outcome.PASS]
    passed = checked.domain if checked.outcome == spf.PASS else ""
    try:
        return dmarc.evaluate(found.domain, passed, proven, answers)
    except LookupFailedError:
        return dmarc.DmarcResult("temperror")


def _defer(found: _Results) -> None:
    """Raise MailRefusedError 451 where a failed lookup may have decided."""
    failed = (
        found.spf.outcome == spf.TEMPERROR
        or found.arc.chain is arc.Chain.TEMPERROR
        or any(each.outcome is Outcome.TEMPERROR for each in found.dkim)
    )
    proven = found.spf.outcome == spf.PASS or any(
        each.outcome is Outcome.PASS for each in found.dkim
    )
    asked = found.dmarc.request is not dmarc.Request.NONE
    if found.dmarc.outcome == "temperror" or (
        failed and found.dmarc.outcome != "pass" and (asked or not proven)
    ):
        text = "the sender's domain could not be looked up; try again later"
        raise MailRefusedError(451, "4.4.3", text)


def _decide(found: _Results, who: Author, rules: Rules, header: RawHeader) -> tuple[Place, str]:
    """Raises MailRefusedError 550 5.7.1."""
    vouched = found.arc.chain is arc.Chain.PASS and found.arc.sealer in rules.sealers
    if not who.domain:
        return Place.JUNK, "no single author"
    if found.dmarc.outcome == "pass" or vouched:
        return Place.INBOX, "proven" if not vouched else "vouched"
    own = who.domain == rules.domain or who.domain.endswith("." + rules.domain)
    if found.dmarc.request is dmarc.Request.REJECT and rules.refuse_by_dmarc:
        text = f"the mail is not proven to be from {who.domain}, which asks to reject it"
        raise MailRefusedError(550, "5.7.1", text)
    if own and not _signed_by(found.dkim, rules.domain) and rules.own_from != "accept":
        listed = any(header.all(name) for name in (b"list-id", b"list-post"))
        proven = found.spf.outcome == spf.PASS or any(
            each.outcome is Outcome.PASS for each in found.dkim
        )
        if rules.own_from == "refuse" and not (listed and proven):
            text = f"mail from {rules.domain} comes from its own server alone"
            raise MailRefusedError(550, "5.7.1", text)
        return Place.JUNK, "own domain from outside"
    if found.dmarc.request is not dmarc.Request.NONE:
        return Place.JUNK, "dmarc"
    return Place.INBOX, "unproven"


def _signed_by(signed: list[dkim.DkimResult], domain: str) -> bool:
    return any(each.outcome is Outcome.PASS and each.domain == domain for each in signed)


def clean(content: bytes, hosts: tuple[str, ...]) -> bytes:
    """The mail without the Authentication-Results that name us (RFC 8601, 5)."""
    header = split(content)
    foreign = header.all(b"authentication-results")
    gone = [each for each in foreign if results.names(each.unfolded, hosts)]
    return without(content, header, gone)
