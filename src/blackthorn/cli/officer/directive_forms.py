"""What an officer says of a directive, made into the decision that he signs. Nothing asks here."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from blackthorn.cli.officer.decide import Form
from blackthorn.cli.officer.fields import accounts, hash_of, optional_date, parse_date, parse_market
from blackthorn.device.transparency.decisions import VerifiedDecisions
from blackthorn.errors import UserError
from blackthorn.governance import directives, warrant_canary
from blackthorn.governance.package.letters import Refusal, refusal_letter
from blackthorn.governance.transitions import Case

GOV: Final = (
    "Nothing about an address proves who wrote: a demand from a .gov or police address may be "
    "forged, for such accounts are stolen and sold. Only an answer at a contact that you found "
    "yourself counts."
)


@dataclass(frozen=True, slots=True)
class Demand:
    """A demand as it was received, in the words of the command line."""

    kind: str
    country: str
    authority: str
    basis: str
    process: str
    channel: str
    received: str
    document: Path
    accounts: list[str] = field(default_factory=list)
    unknown: int = 0
    categories: list[str] = field(default_factory=list)
    begin: str | None = None
    end: str | None = None
    gag_until: str | None = None
    case_number: str = ""
    signatory: str = ""
    contact: str = ""


def receive(office: VerifiedDecisions, demand: Demand, domain: str) -> Form:
    """A new directive. Raises UserError for what names everybody, or more than is bound."""
    one_of("--kind", demand.kind, directives.KINDS)
    names = accounts(demand.accounts, domain)
    if not names and not demand.unknown and demand.kind != directives.TECHNICAL:
        raise UserError(
            "no account is named: give each with --account. What asks for everybody or for access "
            f"is of the kind {directives.TECHNICAL}, which can only be refused"
        )
    if demand.kind == directives.TECHNICAL and (names or demand.unknown or demand.categories):
        raise UserError(f"{directives.TECHNICAL} names no account and no category")
    public = {
        "kind": demand.kind,
        "country": parse_market(demand.country),
        "authority": demand.authority,
        "basis": demand.basis,
        "process": demand.process,
        "channel": demand.channel,
        "received_ms": parse_date(demand.received, "--received"),
        "accounts": len(names),
        "unknown": demand.unknown,
        "categories": categories(demand.categories),
        "from_ms": optional_date(demand.begin, "--from"),
        "to_ms": optional_date(demand.end, "--to", end_of_day=True),
        "document": hash_of(demand.document),
        "gag_until_ms": optional_date(demand.gag_until, "--gag-until"),
    }
    private = {
        "accounts": names,
        "case_number": demand.case_number,
        "signatory": demand.signatory,
        "contact": demand.contact,
    }
    return Form(office.cases.next_directive(), "receive", public, private=private, notes=(GOV,))


def verify(
    office: VerifiedDecisions, case: Case, method: str, result: str, contact: str, source: str
) -> Form:
    """Somebody has called back. Refused when the contact came with the demand itself."""
    one_of("--method", method, ("call-back", "portal-key", "mlat-central-authority"))
    one_of("--result", result, ("genuine", "forged"))
    brought = office.private.get((case.id, 1), {}).get("contact", "")
    if _bare(contact) and _bare(contact) in (_bare(brought), *map(_bare, brought.split())):
        raise UserError(
            "that contact stands in the directive itself: ask at one that you found elsewhere"
        )
    return Form(
        case.id,
        "verify",
        {"method": method, "result": result},
        private={"contact": contact, "source": source},
        notes=(GOV,),
    )


def assess(case: Case, decision: str, grounds: str, deadline: str | None) -> Form:
    """Comply, comply in part, or nothing to give."""
    one_of("--decision", decision, ("comply", "partial", "no-data"))
    at = optional_date(deadline, "--deadline")
    return Form(case.id, "assess", {"decision": decision, "grounds": grounds, "deadline_ms": at})


def approve(case: Case, asked: list[str]) -> Form:
    """What is produced: the categories given, or all that the directive asks for."""
    wanted = list(directives.facts(case)["categories"])
    chosen = categories(asked)
    for each in chosen:
        if each not in wanted:
            raise UserError(f"{case.id} does not ask for {each}: {', '.join(wanted) or 'nothing'}")
    if chosen:
        return Form(case.id, "approve", {"categories": chosen})
    return Form(case.id, "approve", default={"categories": wanted})


def produce(
    case: Case, manifest: bytes, items: int, with_data: int, recipient: bytes | None
) -> Form:
    """The package that was looked at. `recipient` is the SHA-256 of the binary certificate."""
    public: dict[str, Any] = {
        "manifest": manifest,
        "items": items,
        "accounts_with_data": with_data,
    }
    if recipient is None:
        return Form(case.id, "produce", public, {"recipient": None})
    return Form(case.id, "produce", {**public, "recipient": recipient})


def deliver(case: Case, delivered: str | None, receipt: Path | None, now_ms: int) -> Form:
    """The authority has it."""
    public: dict[str, Any] = {}
    if delivered is not None:
        public["delivered_ms"] = parse_date(delivered, "--delivered")
    if receipt is not None:
        public["receipt"] = hash_of(receipt)
    return Form(case.id, "deliver", public, {"delivered_ms": now_ms, "receipt": None})


def refuse(case: Case, reason: str, letter: bytes) -> Form:
    """Refused by a letter with this SHA-256."""
    one_of("--reason", reason, directives.REASONS)
    return Form(case.id, "refuse", {"reason": reason, "letter": letter})


def letter(case: Case, reason: str, domain: str) -> bytes:
    """The letter that the register's facts make; the same for every officer."""
    one_of("--reason", reason, directives.REASONS)
    said = directives.facts(case)
    facts = Refusal(
        case.id, domain, said["authority"], said["basis"], int(said["received_ms"]), reason
    )
    return refusal_letter(facts).encode()


def contest(case: Case, court: str, filed: str) -> Form:
    """Challenged before a court."""
    return Form(case.id, "contest", {"court": court, "filed_ms": parse_date(filed, "--filed")})


def extend_gag(case: Case, until: str, order: Path) -> Form:
    """A later day of disclosure."""
    at = parse_date(until, "--until")
    return Form(case.id, "extend-gag", {"until_ms": at, "order": hash_of(order)})


def lift_gag(case: Case, order: Path | None) -> Form:
    """Nothing bars disclosure."""
    if order is None:
        return Form(case.id, "lift-gag", default={"order": None})
    return Form(case.id, "lift-gag", {"order": hash_of(order)})


def correct(case: Case, step: int, note: str) -> Form:
    """What an earlier step says was wrong."""
    if not 1 <= step <= case.seq:
        raise UserError(f"{case.id} has the steps 1 to {case.seq}")
    return Form(case.id, "correct", {"corrects": step, "note": note})


def declare(statements: list[str], until: str) -> Form:
    """What was never done, true until a day."""
    for each in statements:
        one_of("--statement", each, tuple(warrant_canary.STATEMENTS))
    chosen = [each for each in warrant_canary.STATEMENTS if each in statements]
    notes = tuple(f"You state: {warrant_canary.STATEMENTS[each]}" for each in chosen)
    public = {"statements": chosen, "valid_until_ms": parse_date(until, "--until")}
    left = [name for name in warrant_canary.STATEMENTS if name not in chosen]
    if left:
        notes += (f"Not stated any more, which readers notice: {', '.join(left)}",)
    return Form(warrant_canary.CASE, "declare", public, notes=notes)


def categories(texts: list[str]) -> list[str]:
    """Categories of the closed list, in its order. Raises UserError."""
    for each in texts:
        one_of("--category", each, directives.CATEGORIES)
    return [each for each in directives.CATEGORIES if each in texts]


def one_of(option: str, value: str, choices: tuple[str, ...]) -> None:
    """Raises UserError unless the value is one of the choices."""
    if value not in choices:
        raise UserError(f"{option}: there is no {value!r}; choose of {', '.join(choices)}")


def _bare(contact: str) -> str:
    """A contact without what is written differently: case, blanks, signs between digits."""
    return "".join(each for each in contact.lower() if each.isalnum() or each in "@.")
