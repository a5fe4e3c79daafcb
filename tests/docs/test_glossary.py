"""The glossary has every term of ours, once, in the order of the alphabet."""

import re
from typing import Final

import pytest

from blackthorn.cli.main import COMMANDS
from blackthorn.governance.transitions import Role
from tests.docs.pages import ROOT, documents

TERMS: Final = (
    *(
        "accepted",
        "activation code",
        "alarm",
        "alias",
        "app password",
        "branch",
        "case",
        "certificate",
        "chain",
    ),
    *("checkpoint", "claim"),
    *("closure", "commit", "contact", "conversation", "copy", "cosignature", "custodian"),
    *(
        "custody",
        "device",
        "digest",
        "directive",
        "directory",
        "distribution list",
        "enterprise",
        "entry",
        "envelope",
    ),
    *("epoch", "evidence", "exit", "export", "fan-out", "fingerprint", "gag", "gossip", "group"),
    *("head", "hold", "identity", "key package", "ledger", "link", "manifest", "market"),
    *("mirror", "missing message", "nameplate", "notice", "officer", "package", "pairing"),
    *("parcel", "pending decision", "pin", "policy", "posting", "postmaster", "quorum"),
    *("receipt", "recovery key", "register", "reset", "revoke", "role", "seal", "self-group"),
    *("statement", "transparency report", "undecryptable", "user", "vkey", "warrant canary"),
    *("welcome", "witness"),
)
"""Terms of ours that --help, the screens or docs/specs use."""

FAMILIES: Final = {
    "alarms": "alarm",
    "app-password": "app password",
    "list": "distribution list",
    "notices": "notice",
    "recovery": "recovery key",
    "report": "transparency report",
}
"""A command with the name of a term → the term, where the name differs."""
PLAIN: Final = (
    *("init", "serve", "config", "activate", "send", "inbox", "history", "status", "mail"),
    *("verify", "audit", "demo", "story", "simulate", "dns", "dkim"),
)
"""Commands whose names are words of everybody's."""

TEXT: Final = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ROWS: Final = [
    row.split("|")[1].strip().casefold() for row in TEXT.splitlines() if row.startswith("| ")
][1:]


def known() -> set[str]:
    """The terms without what distinguishes two of one name, such as `(of the ledger)`."""
    return {row.partition(" (")[0] for row in ROWS}


def test_each_term_stands_once_in_alphabetical_order() -> None:
    assert sorted(set(ROWS)) == ROWS


@pytest.mark.parametrize("term", TERMS)
def test_a_term_of_ours_is_in_the_glossary_and_in_use(term: str) -> None:
    assert term in known()
    pages = [page for page in documents() if page.name not in ("glossary.md", "CHANGELOG.md")]
    used = "\n".join(page.read_text(encoding="utf-8") for page in pages).casefold()
    stem = re.escape(term).replace("\\ ", r"\s+").removesuffix("y")
    assert re.search(rf"\b{stem}", used)


def test_the_list_of_terms_has_the_whole_glossary() -> None:
    assert known() == set(TERMS)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in PLAIN])
def test_a_family_of_commands_is_named_by_a_term(command: str) -> None:
    assert FAMILIES.get(command, command) in known()


def test_every_role_of_an_officer_is_explained() -> None:
    row = next(row for row in TEXT.splitlines() if row.startswith("| role |"))
    assert [role for role in Role if role not in row] == []


def test_an_option_that_asks_for_a_term_asks_for_one_of_the_glossary() -> None:
    """`--register KEY` and its like: what a command asks for by a term can be looked up."""
    commands = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    options = set(re.findall(r"`--([a-z]+)[ `]", commands))
    assert {"register", "policy", "receipt", "evidence", "market", "quorum"} <= options & known()
