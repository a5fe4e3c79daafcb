"""Commands of the family `group`."""

from typing import Annotated

from typer import Argument, Typer

from blackthorn.cli import terminal
from blackthorn.cli.device.outcomes import report
from blackthorn.cli.options import DeviceOptions, JsonOption, on_device, parse_addresses, program
from blackthorn.device.core.group_metadata import GROUP
from blackthorn.mail.render.text import safe_line
from blackthorn.wire.printable import bracketed

groups = Typer(help="Conversations of several people under a name.", no_args_is_help=True)

New = Annotated[str, Argument(metavar="NAME", help="The group's name.")]
Name = Annotated[str, Argument(metavar="NAME", help="The group's name, or its id.")]
Addresses = Annotated[list[str], Argument(metavar="ADDRESS...", help="The people's addresses.")]


@groups.command("create")
@on_device
def create(name: New, addresses: Addresses, at: DeviceOptions, json: JsonOption = False) -> None:
    """Create a group with these people."""
    from blackthorn.device.operations import create_group

    members = parse_addresses(addresses)
    device = program(at)
    number = device.enqueue(lambda unit: create_group.enqueue(unit, name, members))
    report(device, {number: (f"group {name}", "made")}, json)


@groups.command("send")
@on_device
def send(
    name: Name,
    text: Annotated[str, Argument(metavar="TEXT", help="The text, or - to read it.")],
    at: DeviceOptions,
    json: JsonOption = False,
) -> None:
    """Send a text to a group; for - it is read from standard input."""
    from blackthorn.cli.device.texts import message_text
    from blackthorn.device.operations import send_text

    device, text = program(at), message_text(text)
    number = device.enqueue(lambda unit: send_text.enqueue(unit, GROUP, name, text))
    report(device, {number: (f"group {name}", "sent")}, json)


@groups.command("add")
@on_device
def add(name: Name, addresses: Addresses, at: DeviceOptions, json: JsonOption = False) -> None:
    """Add people to a group. They see messages sent from then on."""
    _change(at, name, addresses, [], json)


@groups.command("remove")
@on_device
def remove(name: Name, addresses: Addresses, at: DeviceOptions, json: JsonOption = False) -> None:
    """Remove people from a group. They cannot read messages sent from then on."""
    _change(at, name, [], addresses, json)


def _change(at: DeviceOptions, name: str, add: list[str], remove: list[str], json: bool) -> None:
    from blackthorn.device.operations import change_group

    adding, removing = parse_addresses(add), parse_addresses(remove)
    device = program(at)
    number = device.enqueue(lambda unit: change_group.enqueue(unit, name, adding, removing))
    done = f"{'added' if adding else 'removed'} {', '.join(adding or removing)}"
    report(device, {number: (f"group {name}", done)}, json)


@groups.command("confirm")
@on_device
def confirm(name: Name, at: DeviceOptions) -> None:
    """Say that a group's members or a revoked device's invitation are right: texts go again."""
    from blackthorn.device.conversations import naming
    from blackthorn.programs.device.home import wall_ms

    with program(at).device.unit(wall_ms()) as unit:
        naming.confirm(unit, name)
    terminal.say(f"confirmed: group {safe_line(name)}")


@groups.command("move")
@on_device
def move(at: DeviceOptions, json: JsonOption = False) -> None:
    """Move all conversations, those with one person too, to the suite of this release.

    It does nothing where they are of that suite. All devices of a conversation must have been
    updated and have connected since; the others are named, and the command is repeated later.
    """
    from blackthorn.device.core.group_metadata import SELF
    from blackthorn.device.operations import move_suite
    from blackthorn.programs.device.home import wall_ms

    device = program(at)
    with device.device.unit(wall_ms()) as unit:
        wanted = move_suite.due(unit)
    numbers = device.enqueue_all([one.enqueue for one in wanted])
    names = ["your own devices" if one.kind == SELF else safe_line(one.name) for one in wanted]
    report(device, {n: (name, "moved") for n, name in zip(numbers, names, strict=True)}, json)
    if not wanted and not json:
        terminal.say("All conversations are of the suite of this release.")


@groups.command("list")
@on_device
def list_groups(at: DeviceOptions, json: JsonOption = False) -> None:
    """List the groups of this device and their members."""
    from blackthorn.device.conversations import noted
    from blackthorn.device.core.groups import members as members_of
    from blackthorn.device.core.members import addresses
    from blackthorn.device.healing.states import TABLE, State
    from blackthorn.programs.device.home import wall_ms

    with program(at).device.unit(wall_ms()) as unit:
        found = [
            (record, addresses(members_of(unit.records, record)), noted.doubtful(unit, record.id))
            for record in unit.records.conversations.all()
            if record.kind == GROUP
        ]
    if json:
        terminal.print_json(
            [
                {
                    "id": record.id.hex(),
                    "name": record.name,
                    "members": members,
                    "unconfirmed": doubted,
                    "standing": record.standing,
                }
                for record, members, doubted in found
            ]
        )
        return
    if not found:
        terminal.say("No groups.")
    for record, members, doubted in found:
        told = TABLE[State(record.standing)].told
        note = f" ({told})" if told else ""
        shown = [f"{one} (not confirmed)" if one in doubted else one for one in members]
        terminal.say(f"{record.id.hex()[:8]}  {bracketed(record.name)}{note}: {', '.join(shown)}")
