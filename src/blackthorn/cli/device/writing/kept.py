"""Commands on single mails in the mailbox: `mail raw` and `mail delete`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, Typer

from blackthorn.cli import terminal
from blackthorn.cli.device.writing.send import UidArgument
from blackthorn.cli.options import AgreeOption, DeviceOptions, on_device, program, write_new
from blackthorn.errors import UserError
from blackthorn.programs.event_loop import run
from blackthorn.wire.words import count


def register(mail: Typer) -> None:
    """Add the commands, in the order of use."""
    mail.command("raw")(raw)
    mail.command("delete")(delete)


@on_device
def raw(
    uid: UidArgument,
    at: DeviceOptions,
    out: Annotated[
        Path | None, Option("--out", metavar="FILE", help="A new file, instead of standard output.")
    ] = None,
) -> None:
    """Fetch one mail, open it and give its bytes (RFC 5322) as they are, for another program.

    They are not made safe for a terminal: at one, --out names a file.
    """
    from blackthorn.programs.device.letters.originals import fetch

    if out is None and terminal.is_terminal():
        raise UserError("raw bytes could control your terminal: give --out FILE, or use a pipe")
    content = run(fetch(program(at), uid)).mail.content
    if out is None:
        terminal.put_bytes(content)
    else:
        write_new(out, content)
        terminal.say(f"{out}: saved")


@on_device
def delete(
    uids: Annotated[
        list[int], Argument(metavar="UID...", min=1, max=2**63 - 1, help="Numbers in `mail list`.")
    ],
    at: DeviceOptions,
    yes: AgreeOption = False,
) -> None:
    """Delete mails for good: on the server, and so on all of your devices.

    A backup of the server may have them for as long as its operator keeps it, sealed.
    """
    from blackthorn.programs.device.letters import originals

    asked = list(dict.fromkeys(uids))
    if not terminal.confirm(f"Delete {count(len(asked), 'mail')} for good?", yes=yes):
        raise UserError("nothing was deleted")
    found = run(originals.delete(program(at), asked))
    for uid in found:
        terminal.say(f"mail {uid}: deleted")
    missing = [str(uid) for uid in asked if uid not in found]
    if missing:
        raise UserError(f"there is no mail {', '.join(missing)}: see `blackthorn mail list`")
