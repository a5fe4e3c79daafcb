"""Commands of the family `app-password`, on a device."""

from typing import Annotated

from typer import Argument, Typer

from blackthorn.cli import options, terminal
from blackthorn.cli.times import local_time, rfc3339
from blackthorn.programs.device.clients import app_passwords
from blackthorn.programs.event_loop import run

DAY_MS = 86_400_000

passwords = Typer(
    help="Passwords by which your mail programs send mail, one for each.", no_args_is_help=True
)

Name = Annotated[
    str, Argument(metavar="NAME", help="Which program it is for, such as thunderbird.")
]


def register(app: Typer) -> None:
    app.add_typer(passwords, name="app-password")


@passwords.command("add")
@options.on_device
def add(name: Name, at: options.DeviceOptions, json: options.JsonOption = False) -> None:
    """Make a password for one mail program and show it, once.

    This device makes it; the server and its administrator get only a hash. The program logs in with
    your address and this password, over TLS, to send mail as you.
    """
    password = run(app_passwords.add(options.program(at), name)).expose().decode()
    if json:
        terminal.print_json({"name": name, "password": password})
        return
    terminal.say(f"The app password for {name}, shown only now:")
    terminal.say("")
    terminal.say(f"    {password}")
    terminal.say("")
    terminal.say(f"End it by `blackthorn app-password revoke {name}`.")


@passwords.command("list")
@options.on_device
def list_passwords(at: options.DeviceOptions, json: options.JsonOption = False) -> None:
    """List your app passwords, and the day on which each was last used."""
    found = run(app_passwords.listed(options.program(at)))
    if json:
        rows = [
            {
                "name": one.name,
                "created": rfc3339(one.created_ms),
                "used": rfc3339(one.used_day * DAY_MS)[:10] if one.used_day else None,
            }
            for one in found
        ]
        terminal.print_json(rows)
        return
    if not found:
        terminal.say("No app passwords: `blackthorn app-password add NAME` makes one.")
    for one in found:
        used = f"last used {rfc3339(one.used_day * DAY_MS)[:10]}" if one.used_day else "never used"
        terminal.say(f"{one.name}  made {local_time(one.created_ms)}, {used}")


@passwords.command("revoke")
@options.on_device
def revoke(name: Name, at: options.DeviceOptions) -> None:
    """End an app password at once; the program that has it can send no more."""
    run(app_passwords.revoke(options.program(at), name))
    terminal.say(f"The app password {name} has ended.")
