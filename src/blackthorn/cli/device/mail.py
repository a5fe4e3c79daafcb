"""Commands of the family `mail`. All text is made safe before it is printed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option, Typer

from blackthorn.cli import terminal, times
from blackthorn.cli.device.writing.shown import NO_SUBJECT, body_document, say_body
from blackthorn.cli.options import DeviceOptions, JsonOption, on_device, program, require_reached
from blackthorn.errors import UnavailableError, UserError
from blackthorn.ports.device_store import MailRecord
from blackthorn.programs.device import mail as device_mail
from blackthorn.programs.event_loop import run
from blackthorn.wire.units import MIB
from blackthorn.wire.words import count

if TYPE_CHECKING:
    from blackthorn.programs.device.mail import ReadMail

mail = Typer(help="E-mail, sealed to this user.", no_args_is_help=True)

SHOWN_MAILS = 20
"""New mails from which on it is shown how many are opened: each takes about 0.1 s."""
NO_SENDER = "(no sender)"
OWN = "The server itself wrote this mail: it is signed by the key that this device knows of it."
PASSED_ON = (
    "Neither To nor Cc names you: a blind copy, mail to an alias or a list, or somebody who got it "
    "has passed it on."
)
JUNK = "Junk, by the server's verdict on who sent it:"

Uid = Annotated[int, Argument(metavar="UID", min=1, max=2**63 - 1, help="Its number in the list.")]


@mail.command("list")
@on_device
def list_mail(at: DeviceOptions, json: JsonOption = False) -> None:
    """List the mail, oldest first, junk apart. Exit code 6: only stored data is shown."""
    from blackthorn.cli.device.outcomes import tell_failures
    from blackthorn.cli.progress import ProgressBar

    device = program(at)
    unreached, used, quota = "", 0, 0
    with ProgressBar() as bar:

        def show(done: int, total: int) -> None:
            if total >= SHOWN_MAILS:
                bar.show("mails opened", done, total)

        try:
            used, quota = run(device_mail.refresh(device, show))
        except UnavailableError as error:
            unreached = str(error)
    with device.opened.vault.transaction() as records:
        found = records.mail.all()
    if json:
        terminal.print_json([_entry(record) for record in found])
    elif not found:
        terminal.say("No mail.")
    if not json:
        _say_list([record for record in found if not record.junk])
        junk = [record for record in found if record.junk]
        if junk:
            terminal.say(JUNK)
            _say_list(junk)
    if quota:
        terminal.note(_room(used, quota))
    tell_failures(device)
    require_reached(unreached)


def _say_list(found: list[MailRecord]) -> None:
    for record in found:
        who, what = record.sender or NO_SENDER, record.subject or NO_SUBJECT
        terminal.say(f"{record.uid:5}  {times.local_time(record.received_ms)}  {who}  {what}")


def _room(used: int, quota: int) -> str:
    """What a user does about a mailbox that is nearly full."""
    state = "is full, and new mail is put off" if used >= quota else "is nearly full"
    return (
        f"Your mailbox on the server {state}: {used // MIB} of {quota // MIB} MiB. "
        "Ask your administrator for more (smtp.mailbox_mib)."
    )


def _entry(record: MailRecord) -> dict[str, Any]:
    return {
        "uid": record.uid,
        "from": record.sender,
        "subject": record.subject,
        "date": record.date,
        "received": times.rfc3339(record.received_ms),
        "size": record.size,
        "readable_on_the_way": record.readable,
        "junk": record.junk,
    }


@mail.command("read")
@on_device
def read_mail(
    uid: Uid,
    at: DeviceOptions,
    html: Annotated[
        bool, Option("--html", help="Show the HTML of a mail that has a plain text too, as text.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Fetch one mail, open it and print its text, without control characters or remote content.

    Lines that begin at the margin are this program's; those of the mail are set in. This device
    keeps only the list: the server must be reached each time. `blackthorn export` keeps all mail.
    """
    from blackthorn.programs.device.mail import read

    found = run(read(program(at), uid, prefer_html=html))
    if json:
        terminal.print_json(_document(uid, found))
        return
    shown = found.rendered
    arrived = times.local_time(found.received_ms) if found.received_ms else ""
    date = shown.date or (arrived and f"{arrived} (when it arrived; the mail names no date)")
    headers = (("From", shown.sender or NO_SENDER), ("To", shown.to), ("Cc", shown.cc))
    for name, value in (*headers, ("Date", date), ("Subject", shown.subject or NO_SUBJECT)):
        if value:
            terminal.say(f"{name}: {value}")
    if found.junk:
        terminal.say("(Junk: it may not be from who it says.)")
    terminal.say(f"({_who_could_read(found)})")
    if found.may_be_passed_on:
        terminal.say(f"({PASSED_ON})")
    say_body(shown)


def _who_could_read(found: "ReadMail") -> str:
    if found.signature is not None:
        return found.signature.told
    if not found.readable:
        return OWN
    if not found.rendered.sealed:
        return "Others could read this mail on its way to the server."
    if found.rendered.unopened:
        return "Others could read what is above, not the text that was sealed, on its way."
    return "Others could read what stands outside the sealed part, on its way to the server."


def _document(uid: int, found: "ReadMail") -> dict[str, Any]:
    """The mail as JSON."""
    shown = found.rendered
    return {
        "uid": uid,
        "from": shown.sender,
        "to": shown.to,
        "cc": shown.cc,
        "subject": shown.subject,
        "date": shown.date,
        "received": times.rfc3339(found.received_ms) if found.received_ms else None,
        "readable_on_the_way": found.readable,
        "junk": found.junk,
        "signature": found.signature.value if found.signature is not None else None,
        "names_you": found.names_reader,
        "sealed": shown.sealed,
        **body_document(shown),
    }


@mail.command("save")
@on_device
def save_attachments(
    uid: Uid,
    folder: Annotated[Path, Argument(metavar="DIR", help="An existing folder.")],
    number: Annotated[
        int | None, Argument(metavar="[N]", min=1, help="Which attachment. Default: all of them.")
    ] = None,
    *,
    at: DeviceOptions,
) -> None:
    """Fetch one mail and save its attachments as new files that only you can read.

    The mail itself is saved by `blackthorn export make`, with all others.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder")
    found = run(device_mail.read(program(at), uid)).attached
    if not found:
        raise UserError(
            f"mail {uid} has no attachment to save: `blackthorn mail read {uid}` shows its text, "
            "`blackthorn export make` saves all mail as files"
        )
    if number is not None and number > len(found):
        raise UserError(f"mail {uid} has {count(len(found), 'attachment')}, not {number}")
    wanted = found if number is None else found[number - 1 : number]
    for path in device_mail.save(wanted, folder):
        terminal.say(f"{path}: saved")
