"""Commands of the family `audit`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Exit, Option, Typer

from blackthorn.cli import options, terminal, times
from blackthorn.cli.audit import closure, report, residue
from blackthorn.errors import UserError, system_error
from blackthorn.wire.words import count

if TYPE_CHECKING:
    from blackthorn.audit.ledger_run import Result
    from blackthorn.audit.plaintext.verdict import Report, Verdict

audit = Typer(help="Audit a server's data and its ledger; anyone can.", no_args_is_help=True)


def register(app: Typer) -> None:
    audit.command("ledger")(ledger)
    audit.command("canary")(canary)
    audit.command("residue")(residue.residue)
    audit.command("report")(report.audit_report)
    audit.command("package")(package)
    audit.command("closure")(closure.closure)
    audit.command("evidence")(evidence)
    app.add_typer(audit, name="audit")
    app.command("report")(report.report)


@audit.callback()
def family() -> None:
    """Audit a server's data and its ledger; anyone can."""


def canary(
    as_json: Annotated[bool, Option("--json", help="Print the findings as JSON.")] = False,
    directory: Annotated[
        Path | None,
        Option("--dir", help="Search this server's folder instead of a server of our own."),
    ] = None,
    pid: Annotated[int | None, Option(help="The process id of that server.")] = None,
    marker_file: Annotated[
        Path | None, Option(help="The markers: one JSON object a line with name, kind and text.")
    ] = None,
    also: Annotated[
        list[Path] | None,
        Option(help="Another file or folder written by the server, such as its log."),
    ] = None,
) -> None:
    """Plant secrets through real devices, then search the server's disk and memory for them.

    Exits with 0 only if none was found by a search that found its control markers.
    """
    from blackthorn.audit.plaintext.verdict import Audit, read_markers
    from blackthorn.cli.steps import StepBar
    from blackthorn.demo.markers import STEPS, run_audit

    given = (directory, pid, marker_file)
    if directory is not None and pid is not None and marker_file is not None:
        searching = Audit([directory, *(also or [])])
        searching.search(pid, read_markers(marker_file))
        report = searching.report()
    elif any(given) or also:
        raise UserError("--dir, --pid and --marker-file belong together; --also needs them")
    else:
        with StepBar(STEPS) as steps:
            report = run_audit(steps)
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
        "planted": report.planted,
        "found": report.found,
        "disk_bytes": report.disk_bytes,
        "memory_bytes": report.memory_bytes,
        "processes": report.processes,
        "markers": report.verdicts,
    }


def _outcome(verdict: "Verdict") -> terminal.Cell:
    if verdict.kind == "public":
        return ("not seen", "red") if verdict.broken else "seen"
    return ("FOUND", "red") if verdict.broken else "as it must be"


def print_report(report: "Report") -> None:
    table = terminal.Table("marker", "may be", "outcome", title="Canary audit")
    for verdict in report.verdicts:
        table.add_row(verdict.name, verdict.rule, _outcome(verdict))
    table.show()
    for verdict in report.verdicts:
        for where, places in (("on disk", verdict.disk), ("in memory", verdict.memory)):
            for place in places:
                terminal.say(f"{verdict.name}, {where}: {place}")
    terminal.say(
        "A marker is a random word that was sent as such a text. A secret one may be nowhere, a "
        "mail that came unsealed in memory until it is sealed; a public one shows that the search "
        "sees."
    )
    searched = (
        f"searched {report.disk_bytes / 1e6:.1f} MB of files and "
        f"{report.memory_bytes / 1e6:.1f} MB of memory (processes: {report.processes})"
    )
    if not report.sees:
        terminal.say(f"{searched}: the search is blind, so it proves nothing", "red")
    else:
        terminal.say(
            f"{searched}: {report.found} of {report.planted} secrets found where they must not be"
        )


def ledger(
    target: Annotated[str, Argument(metavar="URL|DIR", help=options.LEDGER_HELP)],
    policy: Annotated[
        Path | None, Option(help="The trust policy to hold it to; without one, the log's own.")
    ] = None,
    evidence: Annotated[
        Path | None, Option(help="A folder for each log's checkpoint and for evidence of errors.")
    ] = None,
    cosign: Annotated[
        Path | None,
        Option(help="The folder of an auditor's own witness key: cosign a valid checkpoint."),
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Read and verify every entry of a ledger.

    Exits with 4 and one line that names the place of an error.
    """
    from functools import partial

    from blackthorn.audit.ledger_run import run_audit
    from blackthorn.cli.audit.progress import progress_bar
    from blackthorn.programs.witness.cosign import cosign as cosign_with

    signer = None if cosign is None else partial(cosign_with, path=cosign)
    with progress_bar() as progress:
        result = run_audit(target, policy, evidence, signer, progress)
    if as_json:
        terminal.print_json(result.as_json())
    else:
        print_result(result)


def print_result(result: "Result") -> None:
    table = terminal.Table(title=result.origin)
    rows: dict[str, object] = {
        "entries": result.entries,
        "users": result.users,
        "epochs": result.epochs,
        "changes of keys": result.changes,
        "resets": "unknown from the log alone" if result.resets is None else result.resets,
        "configuration changes": result.configurations - 1,
        "records": result.records,
        "last epoch": result.published,
        "freshest cosignature": result.freshest or "none",
        "policy": result.policy,
    }
    for name, value in rows.items():
        table.add_row(name, str(value))
    table.show()
    for fall in result.falls:
        terminal.say(f"After a wrong clock officers have set the ledger's time back to {fall}.")
    if result.waiting is not None:
        waiting = count(result.waiting, "entry is", "entries are")
        terminal.say(f"{waiting} not cosigned yet.")
    if result.cosigned is not None:
        terminal.say(result.cosigned)
    if result.policy != "given":
        terminal.note("The policy is the log's own: give a trusted one by --policy.")


def evidence(file: Annotated[Path, Argument(metavar="FILE", help="A file of evidence.")]) -> None:
    """Verify a file of evidence offline, and print the sentence that it proves.

    Exits with 4 if it proves nothing, and with 2 if it is no such file.
    """
    from blackthorn.audit.evidence import verify
    from blackthorn.directory import limits

    with system_error(UserError, f"{file} cannot be read"), file.open("rb") as opened:
        data = opened.read(limits.MAX_EVIDENCE_BYTES + 1)
    terminal.say(verify(data))


def package(
    target: Annotated[
        Path, Argument(metavar="FILE|FOLDER", help="A directive's package, not encrypted.")
    ],
    register: options.RegisterOption = None,
    policy: Annotated[
        Path | None,
        Option(help="The trust policy to hold the ledger's proof to; else the enclosed one."),
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Verify a directive's package offline: hashes, custody, signature, the ledger's proof.

    Exits with 4 and one line that names the broken rule, with 6 if the package is not finished,
    and with 2 if it is no package.
    """
    from blackthorn.audit.package import check_package

    checked = check_package(target, register, policy)
    document: dict[str, Any] = {
        "directive": checked.directive,
        "manifest": checked.manifest_hash.hex(),
        "files": checked.files,
        "bytes": checked.bytes,
        "sealed": checked.sealed,
        "accounts": list(checked.accounts),
        "register": checked.register,
        "register_key": "given" if checked.pinned else "unpinned",
        "ledger_index": checked.index,
        "cosigned_seconds": checked.cosigned,
        "policy": "given" if checked.policy_given else "the enclosed one",
    }
    if as_json:
        terminal.print_json(document)
        return
    closure.say_rows(_package_rows(document))
    if not (checked.pinned and checked.policy_given):
        terminal.note(
            "The enclosed keys only prove that the package is consistent: give --register and "
            "--policy from a trusted source."
        )


def _package_rows(document: dict[str, Any]) -> dict[str, str]:
    """What was checked, by name, in words."""
    seconds, sealed = document["cosigned_seconds"], document["sealed"]
    key = "you gave it" if document["register_key"] == "given" else "only the package names it"
    policy = "you gave" if document["policy"] == "given" else "the package encloses"
    seen = f"cosigned at {times.rfc3339(seconds * 1000)}" if seconds else "without witnesses"
    return {
        "package": f"of the directive {document['directive']}; every check holds",
        "accounts": ", ".join(document["accounts"]) or "none",
        "files": f"{document['files']} with {document['bytes']} bytes, of them {sealed} sealed, "
        "which only the account's user can open",
        "manifest": f"{document['manifest']}, the hash that the officers signed",
        "signed by": f"the register, whose key is {document['register']} ({key})",
        "decision": f"entry {document['ledger_index']} of the ledger, {seen} "
        f"(checked with the policy that {policy})",
    }
