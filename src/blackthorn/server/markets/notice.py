"""Notices: the steps of an exit that have one, its text, and its mail."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from blackthorn.governance import directives, exits
from blackthorn.governance.transitions import Case, Step
from blackthorn.ids import Address
from blackthorn.ports.governance.notices import Addressee
from blackthorn.server.markets.notice_texts import words

KINDS: Final = {
    "announce": "announced",
    "extend": "extended",
    "accelerate": "accelerated",
    "rescind": "rescinded",
    "freeze": "read-only",
    "stop": "stopped",
    "retrieve": "retrieval",
}
"""Step of an exit → kind of its notice; other steps have none."""


@dataclass(frozen=True, slots=True)
class Notice:
    """The notice of step `seq` (0: a directive) of `case`, in its addressee's language."""

    to: Addressee
    case: Case
    seq: int
    subject: str
    text: str
    read: bool = False


def notice_step(case: Case) -> Step | None:
    """The newest step with a notice; None before the exit is announced."""
    if not any(step.action == "announce" for step in case.history):
        return None
    return next((step for step in reversed(case.history) if step.action in KINDS), None)


def has_package(case: Case) -> bool:
    """Whether a directive's package was made, after which its users are notified."""
    return any(step.action == "produce" for step in case.history)


def exit_notice(to: Addressee, case: Case, step: Step, domain: str, *, postmaster: bool) -> Notice:
    texts, kind = words(to.language), KINDS[step.action]
    whom = texts.questions(postmaster=postmaster)
    fields = {"market": case.id[2:4], "domain": domain}
    fields |= {name[:-3]: _day(at_ms) for name, at_ms in exits.dates(case).items()}
    parts = [texts.openings[kind], texts.dates, texts.deeds, whom]
    if kind == "rescinded":
        parts = [texts.openings[kind], whom]
    text = "\n\n".join(part.format(**fields) for part in parts) + "\n"
    return Notice(to, case, step.seq, texts.subjects[kind].format(**fields), text)


def directive_notice(to: Addressee, case: Case, domain: str, *, postmaster: bool) -> Notice:
    texts, facts = words(to.language), directives.facts(case)
    categories = case.last("approve").get("categories", [])
    fields = {
        "directive": case.id,
        "authority": facts["authority"],
        "country": facts["country"],
        "kind": facts["kind"],
        "categories": ", ".join(texts.categories[name] for name in categories),
        "domain": domain,
    }
    parts = texts.directive, texts.questions(postmaster=postmaster)
    text = "\n\n".join(part.format(**fields) for part in parts) + "\n"
    return Notice(to, case, 0, texts.directive_subject.format(**fields), text)


def notice_mail(notice: Notice, domain: str, now_ms: int) -> bytearray:
    """The notice as a mail (RFC 5322, CRLF), to be sealed before it is stored."""
    message = EmailMessage(policy=SMTP)
    message["From"] = postmaster(domain)
    message["To"] = notice.to.address
    message["Subject"] = notice.subject
    message["Date"] = format_datetime(_time(now_ms))
    message["Message-ID"] = f"<{notice.case.id}.{notice.seq}.{notice.to.number}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notice.text, cte="base64")
    return bytearray(message.as_bytes())


def postmaster(domain: str) -> Address:
    return Address(f"postmaster@{domain}")


def _day(at_ms: int) -> str:
    return _time(at_ms).date().isoformat()


def _time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
