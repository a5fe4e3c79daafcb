"""Commands of the family `export`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option, Typer
from typer.core import TyperGroup

from blackthorn.cli import options, terminal
from blackthorn.crypto.secret import Secret
from blackthorn.errors import UnavailableError, UserError
from blackthorn.mail.render.text import safe_line
from blackthorn.wire.words import count

if TYPE_CHECKING:
    from blackthorn.programs.device.export.check import ExportCheck
    from blackthorn.programs.device.export.export import ExportSummary

_MAKE = "make"
_WITHOUT_MAIL = "nothing was written: with --without-mail the rest is exported, from this device"


class _FolderOrCommand(TyperGroup):
    """`export FOLDER` means `export make FOLDER`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = [_MAKE, *args]
        return super().parse_args(ctx, args)


export = Typer(
    cls=_FolderOrCommand,
    help="Export all your data: mail, messages, contacts, keys.",
    no_args_is_help=True,
)

FolderArgument = Annotated[Path, Argument(metavar="FOLDER", help="The export's folder.")]


def register(app: Typer) -> None:
    app.add_typer(export, name="export")


@export.callback()
def family() -> None:
    """Export all your data: mail, messages, contacts, keys."""


@export.command(_MAKE)
@options.on_device
def make(
    folder: Annotated[Path, Argument(metavar="FOLDER", help="A new folder.")],
    at: options.DeviceOptions,
    passphrase_file: Annotated[
        Path | None, Option(help="A file whose first line is the passphrase for the exported keys.")
    ] = None,
    without_mail: Annotated[
        bool,
        Option("--without-mail", help="Do not connect: only what this device itself has."),
    ] = False,
    json: options.JsonOption = False,
) -> None:
    """Write all your data into FOLDER, in standard formats. `make` may be omitted.

    Mail as .eml files and as an mbox, conversations as web pages and JSON, contacts as vCards, your
    OpenPGP keys under a passphrase, and a manifest that your device signs. Unreadable items are
    listed there. Mail is on the server: when it cannot be reached, --without-mail exports the rest.
    --json prints {"folder", "address", "counts", "problems"}.
    """
    from blackthorn.cli.device.exit_notices import report_export
    from blackthorn.cli.progress import ProgressBar
    from blackthorn.programs.device.export.export import run_export

    secret = ask_passphrase(passphrase_file)
    device = options.program(at)
    with ProgressBar() as bar:
        try:
            summary = run_export(device, folder, secret, bar.show, mail=not without_mail)
        except UnavailableError as error:
            raise UnavailableError(f"{error}; {_WITHOUT_MAIL}") from None
    if not without_mail:
        report_export(device)
    if json:
        terminal.print_json(
            {
                "folder": os.fspath(summary.folder),
                "address": summary.address,
                "counts": summary.counts,
                "problems": summary.problems,
            }
        )
    else:
        _print(summary)


def _print(summary: "ExportSummary") -> None:
    counts = summary.counts
    terminal.say(
        f"Exported {count(counts.mails, 'mail')}, {count(counts.messages, 'message')} in "
        f"{count(counts.conversations, 'conversation')}, {count(counts.contacts, 'contact')} and "
        f"{count(counts.keys, 'key')} to {summary.folder}."
    )
    for problem in summary.problems:
        terminal.say(f"not opened: {safe_line(problem.item)}: {safe_line(problem.reason)}")
    terminal.say("Anyone with the folder can read everything but the keys.")


def ask_passphrase(file: Path | None) -> Secret:
    """The passphrase for exported keys, from the file, or asked for twice. Raises UserError."""
    import getpass
    import sys

    from blackthorn.programs.device.export.export import check_passphrase
    from blackthorn.programs.device.home import first_line

    if file is not None:
        passphrase = first_line(file)
    elif not sys.stdin.isatty():
        raise UserError("a passphrase for the exported keys is needed: give --passphrase-file")
    else:
        try:
            passphrase = getpass.getpass("Passphrase for the exported keys: ")
            if getpass.getpass("The same again: ") != passphrase:
                raise UserError("the two passphrases differ; nothing was exported")
        except EOFError:
            raise UserError("no passphrase was given") from None
    secret = Secret(passphrase.encode())
    check_passphrase(secret)
    return secret


@export.command()
def verify(folder: FolderArgument, json: options.JsonOption = False) -> None:
    """Check that an export is complete, unchanged and signed; needs no device and no server.

    Exits with 4 and names each file that was changed, added or removed. --json prints {"ok",
    "address", "device", "created", "counts", "findings"}.
    """
    from blackthorn.programs.device.export.check import require_whole, verify_export

    check = verify_export(folder)
    if json:
        terminal.print_json(_checked(check))
    else:
        _print_check(check)
    require_whole(check)


def _checked(check: "ExportCheck") -> dict[str, Any]:
    from blackthorn.device.export.messages import rfc3339

    manifest = check.manifest
    return {
        "ok": not check.findings,
        "address": manifest.address if manifest else None,
        "device": check.device,
        "created": rfc3339(manifest.created_ms) if manifest else None,
        "counts": manifest.counts if manifest else None,
        "findings": check.findings,
    }


def _print_check(check: "ExportCheck") -> None:
    for finding in check.findings[1:]:
        terminal.say(finding)
    if check.findings or check.manifest is None:
        return
    counts = check.manifest.counts
    terminal.say(
        f"Whole and unchanged: {count(counts.mails, 'mail')}, "
        f"{count(counts.messages, 'message')}, {count(counts.contacts, 'contact')} "
        f"of {safe_line(check.manifest.address)}, signed by the device {safe_line(check.device)}."
    )
