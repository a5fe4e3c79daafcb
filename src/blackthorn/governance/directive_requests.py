"""Forms for decisions on directives and the warrant canary."""

import hashlib
from dataclasses import replace
from functools import partial
from typing import Final

from blackthorn.errors import UserError
from blackthorn.governance import directives, warrant_canary
from blackthorn.governance.inputs import parse_accounts
from blackthorn.governance.package.letters import Refusal, refusal_letter
from blackthorn.governance.requests import Context, DecisionRequest, Input, make_form, noted
from blackthorn.governance.transitions import Case

SPOOFING_NOTE: Final = (
    "Nothing about an address proves who wrote: a demand from a .gov or police address may be "
    "forged, for such accounts are stolen and sold. Only an answer at a contact that you found "
    "yourself counts."
)


_EXISTENCE: Final = (
    "When you sign, the server checks that each account exists. It refuses the directive if one "
    "does not: leave that one out, and count it by --unknown."
)
_KEPT_UNTIL: Final = (
    "The server deletes its copy of the package with this decision. Before you sign: is what was "
    "handed over the finished package, fetched by blackthorn directive produce after both had "
    "signed, and does blackthorn audit package accept it?"
)
_VERIFIED: Final = {
    "genuine": "You state that the authority, when you asked it, confirmed this demand.",
    "forged": "You state that the authority, when you asked it, knew nothing of this demand.",
}
_UNCHECKED: Final = (
    "Whether you have asked, and what was answered, no program can check: it rests on the two "
    "people who sign."
)


def _receive(context: Context, request: DecisionRequest) -> DecisionRequest:
    """Refuses demands about everybody, about too many accounts, or for nothing named."""
    public, technical = dict(request.public), directives.TECHNICAL
    accounts = parse_accounts(request.private["accounts"], context.domain)
    named = accounts or public["unknown"]
    if not named and public["kind"] != technical:
        label = context.label("account")
        raise UserError(f"no account is named: use {label}; general access is of kind {technical}")
    if public["kind"] == technical and (named or public["categories"]):
        raise UserError(f"{technical} names no account and no category")
    if public["kind"] in directives.FOR_DATA and not public["categories"]:
        what = ", ".join(directives.CATEGORIES)
        raise UserError(f"{context.label('category')} is missing: what is demanded; {what}")
    public["accounts"] = len(accounts)
    private = {**request.private, "accounts": accounts}
    told = replace(request, public=public, private=private)
    return noted(told, SPOOFING_NOTE, *([_EXISTENCE] if accounts else []))


def _verify(context: Context, request: DecisionRequest) -> DecisionRequest:
    """Refuses a contact from the demand itself."""
    contact, brought = _bare(request.private["contact"]), str(context.demand.get("contact", ""))
    if contact and contact in (_bare(brought), *map(_bare, brought.split())):
        raise UserError("that contact is from the directive: ask one from an independent source")
    checked = "that your contact is not the demand's own" if brought else "nothing"
    stated = _VERIFIED[request.public["result"]]
    return noted(request, SPOOFING_NOTE, stated, f"Checked: {checked}. {_UNCHECKED}")


def _bare(contact: str) -> str:
    """A contact without case, blanks and separators."""
    return "".join(letter for letter in contact.lower() if letter.isalnum() or letter in "@.")


def _approve(context: Context, request: DecisionRequest) -> DecisionRequest:
    """Only requested categories; all of them by default."""
    wanted = list(directives.facts(context.case)["categories"])
    for category in request.public.get("categories", ()):
        if category not in wanted:
            asked = ", ".join(wanted) or "nothing"
            raise UserError(f"{context.case.id} does not ask for {category}: {asked}")
    return request if request.public else replace(request, default={"categories": wanted})


def _deliver(context: Context, request: DecisionRequest) -> DecisionRequest:
    told = noted(request, _KEPT_UNTIL)
    if "delivered_ms" not in request.default:
        return told
    return replace(told, default={**request.default, "delivered_ms": context.now_ms})


def _refuse(context: Context, request: DecisionRequest) -> DecisionRequest:
    if request.public["letter"] is not None:
        return request
    text = letter(context.case, request.public["reason"], context.domain)
    return replace(request, public={**request.public, "letter": hashlib.sha256(text).digest()})


def letter(case: Case, reason: str, domain: str) -> bytes:
    """The letter of refusal, a function of the register."""
    facts = directives.facts(case)
    refusal = Refusal(
        case.id, domain, facts["authority"], facts["basis"], int(facts["received_ms"]), reason
    )
    return refusal_letter(refusal).encode()


def _correct(context: Context, request: DecisionRequest) -> DecisionRequest:
    if not 1 <= request.public["corrects"] <= context.case.seq:
        raise UserError(f"{context.case.id} has the steps 1 to {context.case.seq}")
    return request


def _declare(context: Context, request: DecisionRequest) -> DecisionRequest:
    """Notes what is stated, and what is stated no more."""
    stated, sentences = request.public["statements"], warrant_canary.STATEMENTS
    if not stated or not request.public["valid_until_ms"]:
        options = f"{context.label('statement')} and {context.label('until')}"
        raise UserError(f"state what was never done, and until when: use {options}")
    request = noted(request, *(f"You state: {sentences[name]}" for name in stated))
    omitted = [name for name in sentences if name not in stated]
    if not omitted:
        return request
    return noted(request, f"Not stated any more, which readers notice: {', '.join(omitted)}")


_form = partial(make_form, directives.TRANSITIONS)

_FORMS: Final = (
    _form(
        "receive",
        "Write down a demand that has come. It gets the next number; one person does it.\n\n"
        "A demand for access to people who are not named one by one is of the kind\n"
        "technical-capability: it names no account and can only be refused.",
        Input("kind", "kind", required=True),
        Input("country", "country", "Whose authority, such as PK.", required=True),
        Input("authority", "authority", "Its name.", required=True),
        Input("basis", "basis", "The law on which it relies.", required=True),
        Input("process", "process", "The legal process, such as court order.", required=True),
        Input("channel", "channel", "How it came, such as post or portal.", required=True),
        Input("received", "received_ms", "When it came.", required=True, past=True),
        Input("document", "document", "The demand itself; only its hash is signed.", True),
        Input(
            *("account", "accounts"),
            "An account; at least one, or --unknown. Again for each.",
            placeholder="ADDRESS",
        ),
        Input("unknown", "unknown", "Names in it without an account.", preset=0),
        Input(
            *("category", "categories"),
            f"{', '.join(directives.CATEGORIES)}. Required for {', '.join(directives.FOR_DATA)}. "
            "Again for each.",
            yields=False,
        ),
        Input("from", "from_ms", "The period's first day.", yields=False),
        Input("to", "to_ms", "The period's last day.", yields=False, end_of_day=True),
        Input("gag-until", "gag_until_ms", "Until when the law bars disclosure.", yields=False),
        Input("case-number", "case_number", "Not published."),
        Input("signatory", "signatory", "Who signed it. Not published."),
        Input("contact", "contact", "The contact it brings. Not published."),
        finish=_receive,
    ),
    _form(
        "verify",
        "Say whether the authority has confirmed it, asked at a contact the demand did not "
        "bring.\n\nA .gov address proves nothing: such accounts are stolen and sold.",
        Input("contact", "contact", "Where you asked. Not published.", required=True),
        Input("source", "source", "Where you found that contact. Not published.", True),
        Input("method", "method", preset="call-back"),
        Input("result", "result", "What was answered: genuine or forged.", preset="genuine"),
        finish=_verify,
    ),
    _form(
        "assess",
        "Decide whether it is lawful and in proportion. Legal and another person.",
        Input("decision", "decision", required=True),
        Input("grounds", "grounds", "Why it is lawful and in proportion. Published.", True),
        Input("deadline", "deadline_ms", "Until when it is answered.", yields=False),
    ),
    _form(
        "approve",
        "Agree to what is produced. Legal and custodian.",
        Input("category", "categories", "Only these; repeat it. Default: those asked for."),
        finish=_approve,
    ),
    _form(
        "produce",
        "Fetch the package, check every hash, list what is in it, and sign its manifest.\n\n"
        "Custodian and another person. Once both have signed and the ledger shows it, the "
        "same fetches\nthe finished package, with signature and proof; --to seals it to an "
        "OpenPGP certificate and\nwrites only what is sealed.",
        Input("to", "recipient", "Seal it to the authority's certificate.", placeholder="CERT"),
    ),
    _form(
        "deliver",
        "Say that the authority has the package. Custodian and another person.",
        Input("delivered", "delivered_ms", "When. Default: now.", past=True),
        Input("receipt", "receipt", "The authority's receipt, hashed."),
        finish=_deliver,
    ),
    _form(
        "refuse",
        "Refuse it by a reasoned letter, whose hash is signed. Legal and another person.\n\n"
        "The letter is made from what was decided, and is the same for both; nobody is named "
        "in it.",
        Input("reason", "reason", required=True),
        Input("letter", "letter", "Your own letter instead of the generated one.", yields=False),
        finish=_refuse,
    ),
    _form(
        "contest",
        "Challenge it before a court. Legal and another person.",
        Input("court", "court", "Before which court.", required=True),
        Input("filed", "filed_ms", "When it was filed.", required=True, past=True),
    ),
    _form(
        "extend-gag",
        "Put off disclosure because the law demands it, a year at the most.",
        Input("until", "until_ms", "The later day.", required=True),
        Input("order", "order", "The order that says so; its hash is signed.", required=True),
    ),
    _form(
        "lift-gag",
        "End the gag: every step of it is published.",
        Input("order", "order", "The order that lifts it, if any."),
    ),
    _form(
        "correct",
        "Say that an earlier step was wrong; it stays, and this says what is right.",
        Input("step", "corrects", "The number of the step that was wrong.", required=True),
        Input("note", "note", "What is right. Published.", required=True),
        finish=_correct,
    ),
)

FORMS: Final = {form.move.action: form for form in _FORMS}
"""Action of a directive → its form."""

CANARY: Final = make_form(
    warrant_canary.TRANSITIONS,
    "declare",
    "State what has never been done, until a day; without options, show what is stated.\n\n"
    "Owner and legal sign it. Nothing renews it: what is not stated anew lapses.",
    Input("statement", "statements", yields=False),
    Input("until", "valid_until_ms", "Until when it is stated.", yields=False),
    finish=_declare,
)
