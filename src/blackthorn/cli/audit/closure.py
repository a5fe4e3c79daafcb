"""`blackthorn audit closure`: verify the statement of a closed market offline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from typer import Argument, Option

from blackthorn.cli import options, terminal, times
from blackthorn.mail.render.text import safe_line
from blackthorn.wire.words import count

_COUNTED: Final = {
    "notified": "told of the exit",
    "read": "said that they read it",
    "exported": "exported their data",
    "moved": "moved to another market",
    "forwarded": "named a new address",
    "unreachable": "not reached",
    "held": "left out by a legal hold",
}
"""What a closure counts of people, and a receipt says of one → its words."""


def say_rows(rows: Mapping[str, str]) -> None:
    """Print one line for each value."""
    for name, value in rows.items():
        terminal.say(f"{name}: {value}")


def _rows(document: dict[str, Any]) -> dict[str, str]:
    """What was checked, by name, in words."""
    persons, deleted, placed = document["persons"], document["deleted"], document["receipt"]
    counted = [f"{words} {persons[name]}" for name, words in _COUNTED.items()]
    samples = count(document["samples"], "sealed sample")
    remaining = count(document["tried_keys"], "key")
    key = "you gave it" if document["register_key"] == "given" else "only the statement names it"
    rows = {
        "closure": f"of the market {document['market']} ({document['exit']}); every check holds",
        "people": f"{persons['users']}: {', '.join(counted)}",
        "deleted": f"{count(deleted['mails'], 'mail')}, {count(deleted['parcels'], 'parcel')}",
        "destroyed key": f"the market's key with the fingerprint {document['destroyed_key']}, "
        f"at {_when(document['destroyed_ms'])}",
        "backups": f"the last backup that has the key ends at {_when(document['backups_end_ms'])}",
        "opening tried": f"the server states that it tried the {remaining} of its other markets on "
        f"{samples} from before, and opened none; the samples are in the statement",
        "decisions": f"{', '.join(document['decisions'])}: each in the ledger, signed by officers",
        "receipts": f"the root of their tree is {document['receipts_root']}",
        "statement": f"{document['statement']}, the hash that two custodians signed",
        "signed by": f"the register, whose key is {document['register']} ({key})",
        "ledger": f"{document['ledger']}, {count(document['entries'], 'entry', 'entries')}",
    }
    return rows if placed is None else rows | {"receipt": _receipt(placed)}


def _receipt(placed: dict[str, Any]) -> str:
    marks = [words for name, words in _COUNTED.items() if placed.get(name)]
    lost = f"{count(placed['mails'], 'mail')}, {count(placed['parcels'], 'parcel')}"
    return (
        f"{safe_line(placed['address'])} is number {placed['place'] + 1} of the {placed['size']} "
        f"people whom the statement counts, and counted as: {', '.join(marks) or 'none of these'}; "
        f"deleted of theirs: {lost}"
    )


def _when(at_ms: int) -> str:
    return times.rfc3339(at_ms) if at_ms else "a time that is not stated"


def closure(
    file: Annotated[
        str,
        Argument(
            metavar="FILE|URL",
            help="The published statement, such as https://HOST/closures/X-PK-1.json.",
        ),
    ],
    ledger: options.LedgerOption,
    receipt: Annotated[
        Path | None, Option(metavar="FILE", help="A person's receipt, to find it in the statement.")
    ] = None,
    key: options.RegisterOption = None,
    policy: options.LedgerPolicyOption = None,
    as_json: Annotated[bool, Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Verify a closed market's statement: counts, receipts, key, samples, and its decisions.

    Exits with 4 and one line that names the broken rule.
    """
    from blackthorn.audit.closure import audit_closure
    from blackthorn.cli.audit.progress import progress_bar

    with progress_bar() as progress:
        audited = audit_closure(file, ledger, receipt, key, policy, progress)
    if as_json:
        terminal.print_json(audited.as_json())
        return
    say_rows(_rows(audited.as_json()))
    if not audited.pinned:
        terminal.note(
            "The register's key, which signed the receipts, is the file's own word: if you have it "
            "from a trusted source, such as a printed notice, give it by --register."
        )
