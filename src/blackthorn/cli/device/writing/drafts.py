"""Commands of the family `mail draft`: mail that is kept, on this device only, until it is sent."""

from functools import partial
from typing import Annotated, Any

from typer import Argument, Typer

from blackthorn.cli import terminal, times
from blackthorn.cli.device.writing import options as given
from blackthorn.cli.device.writing.send import report_sending
from blackthorn.cli.device.writing.shown import NO_SUBJECT, body_document, say_body
from blackthorn.cli.options import DeviceOptions, JsonOption, on_device, program
from blackthorn.device.letters import letters
from blackthorn.device.operations import send_mail
from blackthorn.mail.compose.answer import Thread
from blackthorn.mail.render.render import render
from blackthorn.ports.device_letters import CONTENT, DRAFT
from blackthorn.programs.device.home import wall_ms

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
    people, device = given.people(to or ()), program(at)
    written = options.written(device, people, Thread(subject))
    with device.device.unit(wall_ms()) as unit:
        number = letters.save(unit, written, DRAFT)
    terminal.say(f"draft {number}: kept on this device")


@drafts.command("send")
@on_device
def send(
    number: given.DraftArgument,
    to: Annotated[
        list[str] | None, Argument(metavar="[ADDRESS...]", help="Further recipients.")
    ] = None,
    *,
    at: DeviceOptions,
    json: JsonOption = False,
) -> None:
    """Send a draft, as `mail send` does, to those whom it names and to further ones."""
    more, device = given.people(to or ()), program(at)
    with device.opened.vault.transaction() as records:
        head = letters.head_of(letters.draft(records, number))
    row = device.enqueue(partial(send_mail.enqueue_draft, number=number, more=more))
    names = dict.fromkeys([*head.recipients, *(person.address for person in more)])
    report_sending(device, row, ", ".join(names), json)


@drafts.command("show")
@on_device
def show(number: given.DraftArgument, at: DeviceOptions, json: JsonOption = False) -> None:
    """Print a draft: its recipients, its text, and what is attached."""
    with program(at).device.unit(wall_ms()) as unit:
        record = letters.draft(unit.records, number)
        head = letters.head_of(record)
        entity = letters.entity_of(unit, number, head)
    shown = render(entity.encode())
    lines = {
        name: [address for address, _ in people]
        for name, people in (("to", head.to), ("cc", head.cc), ("bcc", head.bcc))
    }
    if json:
        document = {"number": number, **lines, "subject": head.subject, "reason": record.why}
        terminal.print_json(document | body_document(shown))
        return
    for name, people in lines.items():
        if people:
            terminal.say(f"{name.title()}: {', '.join(people)}")
    terminal.say(f"Subject: {head.subject or NO_SUBJECT}")
    if record.why:
        terminal.say(f"(Not sent: {record.why})")
    say_body(shown)


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
