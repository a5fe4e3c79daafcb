"""The command `audit residue`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit, Option

from blackthorn.cli import terminal
from blackthorn.wire.words import count

if TYPE_CHECKING:
    from blackthorn.audit.residue import Report


def residue(
    folder: Annotated[
        Path, Argument(metavar="FOLDER", help="A copy of a server's folder, live or of a backup.")
    ],
    earlier: Annotated[
        Path | None,
        Option(help="A copy of a minute before: only what was deleted by then counts."),
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Search every file of a copied server's folder for parcels that no longer wait.

    Exits with 0 only if none was found by a search that found each parcel that waits.
    """
    from blackthorn.audit.residue import audit

    report = audit(folder, earlier)
    if as_json:
        terminal.print_json(_as_json(report))
    else:
        print_report(report)
    if not report.clean:
        raise Exit(1)


def _as_json(report: "Report") -> dict[str, object]:
    return {
        "clean": report.clean,
        "sees": report.sees,
        "waiting": report.waiting,
        "seen": report.seen,
        "parcels": report.parcels,
        "pairs": report.pairs,
        "files": report.files,
    }


def print_report(report: "Report") -> None:
    columns = ("file", "bytes", "waiting rows", "old parcels", "old pairs")
    table = terminal.Table(*columns, title="Residue audit")
    for file in report.files:
        if file.waiting or file.parcels or file.pairs:
            values = (file.bytes, file.waiting, file.parcels, file.pairs)
            table.add_row(file.name, *map(str, values))
    table.show()
    terminal.say(
        "An old parcel is one that its devices have acknowledged, or that was removed; an old pair "
        "says which device received one. The write-ahead log of a running server holds those of "
        "the last minute: take a second copy a minute later and give the first by --earlier."
    )
    searched = f"searched {count(len(report.files), 'file')}"
    if not report.sees:
        terminal.say(
            f"{searched} and found {report.seen} of {count(report.waiting, 'row')} that wait: "
            "the search is blind, so it proves nothing. Leave a parcel waiting.",
            "red",
        )
    else:
        terminal.say(
            f"{searched}: {count(report.parcels, 'old parcel')} and "
            f"{count(report.pairs, 'old pair')} found"
        )
