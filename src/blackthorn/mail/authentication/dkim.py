"""DKIM (RFC 6376): which domains have signed a mail as it is."""

from dataclasses import dataclass

from blackthorn.mail.authentication import limits
from blackthorn.mail.authentication.fields import RawField, RawHeader
from blackthorn.mail.authentication.questions import Answers, LookupFailedError
from blackthorn.mail.authentication.signature import (
    Bodies,
    Outcome,
    Signature,
    SignatureFailedError,
    check_body,
    check_fields,
    check_times,
    parse_signature,
    signed_names,
)


@dataclass(frozen=True, slots=True)
class DkimResult:
    """The result of one signature; `domain` is empty where it could not be read."""

    outcome: Outcome
    domain: str = ""
    selector: str = ""
    reason: str = ""


def parse_all(header: RawHeader) -> list[Signature | DkimResult]:
    """The signatures, from the top, or why one cannot be read."""
    found = header.all(b"dkim-signature")[: limits.MAX_DKIM_SIGNATURES]
    return [_parse(each) for each in found]


def _parse(found: RawField) -> Signature | DkimResult:
    try:
        signature = parse_signature(found)
        _check_tags(signature)
    except SignatureFailedError as error:
        return DkimResult(error.outcome, reason=str(error))
    return signature


def _check_tags(signature: Signature) -> None:
    tags = signature.tags
    if tags.get(b"v") != b"1":
        raise SignatureFailedError(Outcome.PERMERROR, "unknown version")
    if b"dns/txt" not in tags.get(b"q", b"dns/txt"):
        raise SignatureFailedError(Outcome.PERMERROR, "unknown query")
    signed_names(signature)
    domain = signature.domain.encode()
    identity = tags.get(b"i", b"@" + domain).lower().rpartition(b"@")[2]
    if identity != domain and not identity.endswith(b"." + domain):
        raise SignatureFailedError(Outcome.PERMERROR, "i= is not of d=")


def evaluate(
    signatures: list[Signature | DkimResult],
    header: RawHeader,
    bodies: Bodies,
    answers: Answers,
    now: int,
) -> list[DkimResult]:
    """Results from the top. All keys must be known or have failed (`Answers.want`)."""
    results = []
    for each in signatures:
        if isinstance(each, DkimResult):
            results.append(each)
            continue
        outcome, reason = Outcome.PASS, ""
        try:
            if header.malformed:
                raise SignatureFailedError(Outcome.PERMERROR, "malformed header")
            check_times(each.tags, now)
            check_fields(each, header, answers)
            check_body(each, bodies)
        except SignatureFailedError as error:
            outcome, reason = error.outcome, str(error)
        except LookupFailedError:
            outcome, reason = Outcome.TEMPERROR, "key unavailable"
        results.append(DkimResult(outcome, each.domain, each.selector, reason))
    return results
