"""Commands of the families `alias` and `list`: other names for mail from outside."""

from typing import TYPE_CHECKING, Annotated

from typer import Argument, Typer

from blackthorn.cli import terminal
from blackthorn.cli.options import DirectoryOption, JsonOption

if TYPE_CHECKING:
    from blackthorn.ports.inbound.aliases import ListedAlias

alias = Typer(help="Other addresses of users: aliases.", no_args_is_help=True)
lists = Typer(help="Distribution lists: one sealed copy for each member.", no_args_is_help=True)

Name = Annotated[
    str, Argument(metavar="NAME", help="The part before the @, or a whole address of your domain.")
]
User = Annotated[str, Argument(metavar="USER", help="Who gets its mail, such as alice.")]
Members = Annotated[list[str], Argument(metavar="USER…", help="Users, such as alice bob.")]


def register(app: Typer) -> None:
    app.add_typer(alias, name="alias")
    app.add_typer(lists, name="list")


@alias.command("add")
def add_alias(name: Name, user: User, directory: DirectoryOption) -> None:
    """Let a user get the mail to another name, at once. The name '*' catches all unknown ones.

    Mail to NAME+ANYTHING reaches NAME anyhow.
    """
    from blackthorn.ports.inbound.aliases import AliasKind
    from blackthorn.programs.server.mail import commands

    address = commands.add(directory, name, AliasKind.ALIAS, (user,))
    terminal.say(f"{user} gets the mail to {address}.")


@alias.command("remove")
def remove_alias(name: Name, directory: DirectoryOption) -> None:
    """Remove an alias, at once."""
    from blackthorn.ports.inbound.aliases import AliasKind
    from blackthorn.programs.server.mail import commands

    terminal.say(f"{commands.remove(directory, name, AliasKind.ALIAS)} is no alias any more.")


@alias.command("list")
def list_aliases(directory: DirectoryOption, json: JsonOption = False) -> None:
    """List the aliases with their users."""
    from blackthorn.ports.inbound.aliases import AliasKind
    from blackthorn.programs.server.mail import commands

    _show(commands.listed(directory, AliasKind.ALIAS), "No aliases.", json)


@lists.command("add")
def add_members(name: Name, members: Members, directory: DirectoryOption) -> None:
    """Make a list, or add members to it, at once. They are users of this server.

    Mail to a list waits at its sender while a member cannot get any, so that nobody misses it.
    """
    from blackthorn.ports.inbound.aliases import AliasKind
    from blackthorn.programs.server.mail import commands

    address = commands.add(directory, name, AliasKind.LIST, tuple(members))
    terminal.say(f"{', '.join(members)} get the mail to {address}.")


@lists.command("remove")
def remove_members(
    name: Name,
    directory: DirectoryOption,
    members: Annotated[
        list[str] | None, Argument(metavar="[USER…]", help="Members. Default: the whole list.")
    ] = None,
) -> None:
    """Remove members from a list, or the whole list, at once."""
    from blackthorn.ports.inbound.aliases import AliasKind
    from blackthorn.programs.server.mail import commands

    address = commands.remove(directory, name, AliasKind.LIST, tuple(members or ()))
    if members:
        terminal.say(f"{', '.join(members)} get no mail to {address} any more.")
    else:
        terminal.say(f"{address} is no list any more.")


@lists.command("list")
def list_lists(directory: DirectoryOption, json: JsonOption = False) -> None:
    """List the distribution lists with their members."""
    from blackthorn.ports.inbound.aliases import AliasKind
    from blackthorn.programs.server.mail import commands

    _show(commands.listed(directory, AliasKind.LIST), "No distribution lists.", json)


def _show(found: "list[ListedAlias]", none: str, json: bool) -> None:
    if json:
        terminal.print_json([{"name": each.name, "users": list(each.users)} for each in found])
    elif not found:
        terminal.say(none)
    else:
        table = terminal.Table("name", "users", boxed=False)
        for each in found:
            table.add_row(each.name, ", ".join(each.users))
        table.show()
