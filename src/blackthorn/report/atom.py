"""The Atom feed (RFC 4287): one entry for each published decision, newest first.

Ids are stable tag URIs (RFC 4151); times are the ledger's. Entries have only fixed words.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, register_namespace, tostring

from blackthorn.governance import cases, directives
from blackthorn.governance.transitions import Case, Step, find
from blackthorn.report import history, limits, period
from blackthorn.wire.dates import rfc3339

ATOM: Final = "http://www.w3.org/2005/Atom"
OURS: Final = "tag:blackthorn,2015:transparency"
"""The namespace of the element that identifies the ledger."""

register_namespace("", ATOM)
register_namespace("blackthorn", OURS)


@dataclass(frozen=True, slots=True)
class _News:
    """A decision; `revealed_ms` is when it was published, Unix milliseconds."""

    case: Case
    step: Step
    place: int
    revealed_ms: int


def feed(stand: history.Snapshot) -> bytes:
    """The feed of the ledger at this head."""
    root = Element(f"{{{ATOM}}}feed", {"{http://www.w3.org/XML/1998/namespace}lang": "en"})
    domain = stand.config.domain
    _text(root, "id", _tag(stand, "decisions"))
    _text(root, "title", f"Decisions of {domain} on directives and markets")
    news = _news(stand)
    _text(root, "updated", rfc3339(news[0].revealed_ms if news else stand.unix_ms))
    _text(SubElement(root, f"{{{ATOM}}}author"), "name", domain)
    _link(root, "self", "atom.xml", "application/atom+xml")
    _link(root, "alternate", "./", "text/html")
    ledger = {"size": str(stand.size), "root": stand.root.hex()}
    SubElement(root, f"{{{OURS}}}ledger", ledger)
    for item in news[: limits.MAX_FEED_ENTRIES]:
        _entry(root, item, stand)
    indent(root)
    body: bytes = tostring(root, "utf-8")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + body + b"\n"


def _news(stand: history.Snapshot) -> list[_News]:
    register = stand.register
    found = [
        _News(case, step, place.place, place.revealed_ms)
        for case in register.cases.by_id.values()
        for step, place in zip(case.history, register.places[case.id], strict=False)
    ]
    return sorted(found, key=lambda each: (each.revealed_ms, each.place), reverse=True)


def _entry(root: Element, news: _News, stand: history.Snapshot) -> None:
    case, step = news.case, news.step
    entry = SubElement(root, f"{{{ATOM}}}entry")
    _text(entry, "id", _tag(stand, f"{case.id}/{step.seq}"))
    _text(entry, "title", f"{case.id}: {step.action}{_about(case)}")
    _text(entry, "updated", rfc3339(news.revealed_ms))
    _text(entry, "published", rfc3339(step.logged_ms))
    _text(entry, "summary", _summary(news))
    _link(entry, "alternate", f"{_page(case, step)}.html", "text/html")


def _about(case: Case) -> str:
    match case.id[:2]:
        case "D-":
            facts = directives.facts(case)
            return f" ({facts['kind']}, {facts['country']})"
        case "X-":
            return f" (market {case.last('plan')['market']})"
    return ""


def _summary(news: _News) -> str:
    case, step = news.case, news.step
    move = find(cases.transitions_of(case.id), step.action)
    signers = " and ".join(step.officers)
    return f"{move.says} Signed by {signers}; entry {news.place:,} of the ledger."


def _page(case: Case, step: Step) -> str:
    received = directives.facts(case)["received_ms"] if case.id[0] == "D" else step.logged_ms
    return period.half_year(received).name


def _tag(stand: history.Snapshot, what: str) -> str:
    """The tag URI, with the year in which the ledger began."""
    year = datetime.fromtimestamp(stand.first_ms // 1000, UTC).year
    return f"tag:{stand.config.domain},{year:04}:transparency/{what}"


def _text(parent: Element, name: str, text: str) -> None:
    SubElement(parent, f"{{{ATOM}}}{name}").text = text


def _link(parent: Element, relation: str, place: str, kind: str) -> None:
    SubElement(parent, f"{{{ATOM}}}link", {"rel": relation, "type": kind, "href": place})
