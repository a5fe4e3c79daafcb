"""Commands of the family `audit`: what anyone may check.

The work is imported when a command runs: a server's process must not load what it never uses.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blackthorn.apps import terminal
from blackthorn.errors import UserError

if TYPE_CHECKING:
    from blackthorn.apps.canary import Report, Verdict

audit = typer.Typer(help="Check that the server holds nothing it should not.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
    app.add_typer(audit, name="audit")


@audit.callback()
def family() -> None:
    """Check that the server holds nothing it should not."""


@audit.command()
def canary(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    directory: Annotated[
        Path | None,
        typer.Option("--dir", help="Search this server's folder instead of a server of our own."),
    ] = None,
    pid: Annotated[int | None, typer.Option(help="The process id of that server.")] = None,
    marker_file: Annotated[
        Path | None,
        typer.Option(help="The markers: one JSON object a line with name, kind and text."),
    ] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(help="A further file or folder that the server writes, such as its log."),
    ] = None,
) -> None:
    """Plant secrets through real devices, then search the server's disk and memory for them.

    Exits with 0 only when none was found, by a search that proved it can see.
    """
    from blackthorn.apps.canary import Audit, read_markers
    from blackthorn.apps.canary_plant import run_audit

    given = (directory, pid, marker_file)
    if directory is not None and pid is not None and marker_file is not None:
        searching = Audit([directory, *(also or [])])
        searching.search(pid, read_markers(marker_file))
        report = searching.report()
    elif any(given) or also:
        raise UserError("--dir, --pid and --marker-file belong together; --also needs them")
    else:
        report = run_audit(terminal.err)
    if as_json:
        terminal.print_json(_as_json(report))
    else:
        print_report(report)
    if not report.clean:
        raise typer.Exit(1)


def _as_json(report: "Report") -> dict[str, object]:
    return {
        "clean": report.clean,
        "sees": report.sees,
        "planted": report.planted,
        "found": report.found,
        "disk_bytes": report.disk_bytes,
        "memory_bytes": report.memory_bytes,
        "processes": report.processes,
        "markers": report.verdicts,
    }


def _outcome(verdict: "Verdict") -> str:
    if verdict.kind == "public":
        return "[red]not seen[/]" if verdict.broken else "seen"
    return "[red]FOUND[/]" if verdict.broken else "kept"


def _places(places: tuple[str, ...]) -> str:
    more = f" and {len(places) - 2} more" if len(places) > 2 else ""
    return ", ".join(places[:2]) + more if places else "-"


def print_report(report: "Report") -> None:
    """The findings as a table, and one line that sums them up."""
    from rich.table import Table

    table = Table(title="Canary audit")
    for heading in ("marker", "must be", "disk", "memory", "outcome"):
        table.add_column(heading)
    for verdict in report.verdicts:
        places = _places(verdict.disk), _places(verdict.memory)
        table.add_row(verdict.name, verdict.rule, *places, _outcome(verdict))
    terminal.out.print(table)
    searched = (
        f"searched {report.disk_bytes / 1e6:.1f} MB of files and "
        f"{report.memory_bytes / 1e6:.1f} MB of memory (processes: {report.processes})"
    )
    if not report.sees:
        terminal.out.print(f"[red]{searched}: the search is blind, so it proves nothing[/]")
    else:
        terminal.out.print(f"{searched}: {report.found} of {report.planted} secrets found")
