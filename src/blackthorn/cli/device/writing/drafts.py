"""Commands of the family `mail draft`: mail that is kept, on this device only, until it is sent."""

from functools import partial
from typing import Annotated, Any

from typer import Argument, Typer

from blackthorn.cli import terminal, times
from blackthorn.cli.device.writing import options as given
from blackthorn.cli.device.writing.send import send_to
from blackthorn.cli.options import DeviceOptions, JsonOption, on_device, program
from blackthorn.device.letters import letters
from blackthorn.device.operations import send_mail
from blackthorn.mail.compose.answer import Thread
from blackthorn.ports.device_letters import CONTENT, DRAFT

drafts = Typer(help="Mail that you keep until it is sent.", no_args_is_help=True)


@drafts.command("save")
@on_device
def save(
    to: Annotated[list[str] | None, Argument(metavar="[ADDRESS...]", help="To whom.")] = None,
    *,
    at: DeviceOptions,
    subject: given.SubjectOption = "",
    cc: given.CcOption = None,
    bcc: given.BccOption = None,
    attach: given.AttachOption = None,
    file: given.FileOption = None,
    plain: given.PlainOption = False,
) -> None:
    """Keep a mail on this device, encrypted. Attached files are copied."""
    options = given.Given(cc or (), bcc or (), attach or (), file, plain)
    written = options.written(given.people(to or ()), Thread(subject))
    device = program(at)
    with device.device.unit(_now()) as unit:
        number = letters.save(unit, written, DRAFT)
    terminal.say(f"draft {number}: kept on this device")


@drafts.command("send")
@on_device
def send(number: given.DraftArgument, at: DeviceOptions, json: JsonOption = False) -> None:
    """Send a draft, as `mail send` does."""
    device = program(at)
    with device.opened.vault.transaction() as records:
        head = letters.head_of(letters.draft(records, number))
    enqueue = partial(send_mail.enqueue_draft, number=number)
    send_to(device, enqueue, ", ".join(head.recipients), json)


@drafts.command("delete")
@on_device
def delete(number: given.DraftArgument, at: DeviceOptions) -> None:
    """Delete a draft."""
    with program(at).opened.vault.transaction() as records:
        letters.draft(records, number)
        records.letters.remove(number)
    terminal.say(f"draft {number}: deleted")


@drafts.command("list")
@on_device
def list_drafts(at: DeviceOptions, json: JsonOption = False) -> None:
    """List the drafts, oldest first, and why a mail became one again."""
    with program(at).opened.vault.transaction() as records:
        found = [record for record in records.letters.all() if record.standing == DRAFT]
        sizes = {record.number: records.letters.size(record.number, CONTENT) for record in found}
    entries: list[dict[str, Any]] = []
    for record in found:
        head = letters.head_of(record)
        entries.append(
            {
                "number": record.number,
                "to": head.recipients,
                "subject": head.subject,
                "changed": times.rfc3339(record.changed_ms),
                "size": sizes[record.number],
                "reason": record.why,
            }
        )
        if not json:
            when, names = times.local_time(record.changed_ms), ", ".join(head.recipients)
            terminal.say(f"{record.number:5}  {when}  {names or '(to nobody yet)'}  {head.subject}")
            if record.why:
                terminal.say(f"       not sent: {record.why}")
    if json:
        terminal.print_json(entries)
    elif not found:
        terminal.say("No drafts.")


def _now() -> int:
    from blackthorn.programs.device.home import wall_ms

    return wall_ms()
