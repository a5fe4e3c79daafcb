"""`blackthorn audit closure`: verify the statement of a closed market offline."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from blackthorn.cli import options, terminal, times


def say_document(document: dict[str, Any]) -> None:
    """Print one line for each value."""
    for name, value in document.items():
        if name.endswith("_ms"):
            name, value = name.removesuffix("_ms"), times.rfc3339(value) if value else "not stated"
        if isinstance(value, dict):
            text = ", ".join(f"{inner} {count}" for inner, count in value.items())
        else:
            text = ", ".join(value) if isinstance(value, list) else str(value)
        terminal.say(f"{name.replace('_', ' ')}: {text}")


def closure(
    file: Annotated[Path, Argument(metavar="FILE", help="The published statement.")],
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
    say_document(audited.as_json())
    if not audited.pinned:
        terminal.note(
            "The register's key, which signed the receipts, is the file's own word: if you have it "
            "from a trusted source, such as a printed notice, give it by --register."
        )
