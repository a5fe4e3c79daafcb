"""`blackthorn audit closure`: that a market was closed as is stated, off line, by anyone.

The work is imported when the command runs: a server's process must not load what it never uses.
"""

from pathlib import Path
from typing import Annotated

import typer

from blackthorn.cli import terminal


def closure(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The published statement.")],
    ledger: Annotated[
        str,
        typer.Option(
            metavar="URL|DIR",
            help="Where a server shows its ledger, a mirror's folder, or a server's own folder.",
        ),
    ],
    receipt: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A person's receipt, to find it in the statement."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--register",
            metavar="KEY|FILE",
            help="The register's key, as its operator publishes it.",
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(help="The trust policy to hold the ledger to; without one, the log's own."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Verify a closed market's statement: counts, receipts, key, samples, and its decisions.

    Exits with 4 and one line that names the broken rule when anything is wrong.
    """
    from blackthorn.audit.closure import audit_closure
    from blackthorn.cli.audit.progress import progress_bar

    with progress_bar() as progress:
        audited = audit_closure(file, ledger, receipt, key, policy, progress)
    if as_json:
        terminal.print_json(audited.as_json())
        return
    for name, value in audited.as_json().items():
        if isinstance(value, dict):
            text = ", ".join(f"{each} {count}" for each, count in value.items())
        else:
            text = ", ".join(value) if isinstance(value, list) else str(value)
        terminal.out.print(f"{name.replace('_', ' ')}: {text}", markup=False, soft_wrap=True)
    if not audited.pinned:
        terminal.err.print(
            "The register's key is the one that the file names: give --register from where you "
            "trust it.",
            markup=False,
        )
