"""Commands for the user's e-mail: list, read. All text is made safe before it is printed."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from blackthorn.apps import terminal
from blackthorn.apps.device_options import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    KeyFileOption,
    local_time,
    program,
    run,
)

if TYPE_CHECKING:
    from blackthorn.ports.device_store import MailRecord

mail = typer.Typer(help="E-mail, sealed to this user.", no_args_is_help=True)


@mail.command("list")
def list_mail(
    home: HomeOption = DEFAULT_HOME, key_file: KeyFileOption = None, json: JsonOption = False
) -> None:
    """List the mail, oldest first."""
    from blackthorn.apps import device_mail
    from blackthorn.errors import UnavailableError

    device = program(home, key_file)
    try:
        run(device_mail.refresh(device))
    except (UnavailableError, TimeoutError) as error:
        reason = str(error) or "the server did not answer in time"
        note = f"{reason}. This is what is known already."
        terminal.err.print(note, markup=False, soft_wrap=True)
    with device.opened.vault.transaction() as records:
        found = records.mail.all()
    if json:
        terminal.print_json([_entry(each) for each in found])
        return
    if not found:
        terminal.out.print("No mail.")
    for each in found:
        line = f"{each.uid:5}  {local_time(each.received_ms)}  {each.sender}  {each.subject}"
        terminal.out.print(line, markup=False, soft_wrap=True)


def _entry(record: "MailRecord") -> dict[str, Any]:
    return {
        "uid": record.uid,
        "from": record.sender,
        "subject": record.subject,
        "date": record.date,
        "size": record.size,
        "readable_on_the_way": record.readable,
    }


@mail.command("read")
def read_mail(
    uid: Annotated[
        int, typer.Argument(metavar="UID", min=1, max=2**63 - 1, help="Its number in the list.")
    ],
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Open one mail and print its text: no control characters, nothing fetched from elsewhere."""
    from blackthorn.apps import device_mail
    from blackthorn.errors import UnavailableError

    device = program(home, key_file)
    try:
        found = run(device_mail.read(device, uid))
    except TimeoutError:
        raise UnavailableError("the server did not answer in time") from None
    shown = found.rendered
    attachments = [
        {"name": each.name, "type": each.type, "size": each.size} for each in shown.attachments
    ]
    if json:
        document = {
            "uid": uid,
            "from": shown.sender,
            "to": shown.to,
            "subject": shown.subject,
            "date": shown.date,
            "readable_on_the_way": found.readable,
            "text": shown.text,
            "attachments": attachments,
        }
        terminal.print_json(document)
        return
    headers = (("From", shown.sender), ("To", shown.to), ("Date", shown.date))
    for name, value in (*headers, ("Subject", shown.subject)):
        if value:
            terminal.out.print(f"{name}: {value}", markup=False, soft_wrap=True)
    if found.readable:
        terminal.out.print("(Others could read this mail on its way to the server.)")
    terminal.out.print(f"\n{shown.text}", markup=False, soft_wrap=True)
    for each in attachments:
        line = f"[attachment: {each['name']}, {each['type']}, {each['size']} bytes]"
        terminal.out.print(line, markup=False, soft_wrap=True)
