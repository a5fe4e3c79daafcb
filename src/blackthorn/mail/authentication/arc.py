"""ARC (RFC 8617): what earlier servers vouched for, if their chain of seals is whole."""

from dataclasses import dataclass
from enum import StrEnum

from blackthorn.mail.authentication import limits
from blackthorn.mail.authentication.canonical import relaxed_field, without_signature
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
    parse_tags,
    signed_names,
    verify,
)

_RESULTS = b"arc-authentication-results"
_MESSAGE = b"arc-message-signature"
_SEAL = b"arc-seal"


class Chain(StrEnum):
    """Results of RFC 8617, 4.4, and of one whose keys are not available now."""

    NONE = "none"
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    TEMPERROR = "temperror"


@dataclass(frozen=True, slots=True)
class ArcResult:
    """`sealer` is the domain of the last seal of a whole chain."""

    chain: Chain
    sealer: str = ""


@dataclass(frozen=True, slots=True)
class ArcSet:
    """What one server added."""

    results: RawField
    message: Signature
    seal: Signature


def parse_sets(header: RawHeader) -> list[ArcSet] | None:
    """The sets by their number, [] without any, None for a broken chain (5.2, 1 to 3)."""
    found: dict[int, dict[bytes, RawField]] = {}
    for field in header.fields:
        if field.name not in (_RESULTS, _MESSAGE, _SEAL):
            continue
        number = _instance(field)
        if number is None or field.name in found.setdefault(number, {}):
            return None
        found[number][field.name] = field
    if not found:
        return []
    numbers = list(range(1, len(found) + 1))
    if sorted(found) != numbers or any(len(found[each]) != 3 for each in numbers):
        return None
    try:
        return [
            ArcSet(
                found[each][_RESULTS],
                parse_signature(found[each][_MESSAGE]),
                parse_signature(found[each][_SEAL], seal=True),
            )
            for each in numbers
        ]
    except SignatureFailedError:
        return None


def _instance(field: RawField) -> int | None:
    """The number of a set, from its i= tag, which in the results stands first."""
    if len(field.raw) > limits.MAX_SIGNATURE_FIELD_BYTES:
        return None
    text = field.unfolded
    if field.name == _RESULTS:
        text = text.partition(b";")[0]
    try:
        value = parse_tags(text).get(b"i", b"")
    except SignatureFailedError:
        return None
    number = int(value) if value.isdigit() and len(value) < 4 else 0
    return number if 1 <= number <= limits.MAX_ARC_SETS else None


def evaluate(
    sets: list[ArcSet] | None, header: RawHeader, bodies: Bodies, answers: Answers, now: int
) -> ArcResult:
    """The result. All keys must be known or have failed (`Answers.want`)."""
    if sets == []:
        return ArcResult(Chain.NONE)
    if sets is None or header.malformed:
        return ArcResult(Chain.FAIL)
    try:
        _check(sets, header, bodies, answers, now)
    except SignatureFailedError:
        return ArcResult(Chain.FAIL)
    except LookupFailedError:
        return ArcResult(Chain.TEMPERROR)
    return ArcResult(Chain.PASS, sets[-1].seal.domain)


def _check(
    sets: list[ArcSet], header: RawHeader, bodies: Bodies, answers: Answers, now: int
) -> None:
    for number, each in enumerate(sets):
        expected = b"pass" if number else b"none"
        if each.seal.tags.get(b"cv", b"").lower() != expected or b"h" in each.seal.tags:
            raise SignatureFailedError(Outcome.FAIL, "a seal says that the chain is broken")
    last = sets[-1].message
    if _SEAL in signed_names(last):
        raise SignatureFailedError(Outcome.FAIL, "the signature covers a seal")
    check_times(last.tags, now)
    check_fields(last, header, answers)
    check_body(last, bodies)
    data = b""
    for each in sets:  # a seal covers all sets up to its own (5.1.1)
        data += relaxed_field(each.results) + relaxed_field(each.message.field)
        own = relaxed_field(without_signature(each.seal.field))
        verify(each.seal, data + own.removesuffix(b"\r\n"), answers)
        data += relaxed_field(each.seal.field)
