"""Commands of the family `dkim`: keys by which mail that leaves is signed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option, Typer

from blackthorn.cli import terminal
from blackthorn.cli.options import DirectoryOption, JsonOption

if TYPE_CHECKING:
    from blackthorn.storage.files.dkim import DkimFolder

dkim = Typer(help="Keys by which mail that leaves is signed (DKIM).", no_args_is_help=True)

Selector = Annotated[
    str, Argument(metavar="SELECTOR", help="The key's name in DNS: letters, digits, dashes.")
]


def register(app: Typer) -> None:
    app.add_typer(dkim, name="dkim")


@dkim.command("add")
def add(
    selector: Selector,
    directory: DirectoryOption,
    kind: Annotated[str, Option("--kind", help="rsa, which all know, or ed25519.")] = "rsa",
) -> None:
    """Make a key and print its DNS record. The running server signs by it within seconds.

    Publish the record at once. A server makes its first two keys itself when it first starts.
    """
    from blackthorn.programs.server.zone.setup import dkim_key

    domain = _domain(directory)
    key = dkim_key(_folder(directory).add(selector, kind))
    terminal.say("Publish this TXT record:")
    terminal.say("")
    terminal.say(f"{key.selector}._domainkey.{domain}  {key.record}")


@dkim.command("list")
def list_keys(directory: DirectoryOption, json: JsonOption = False) -> None:
    """List the keys with their DNS records."""
    from blackthorn.programs.server.zone.setup import dkim_key

    domain = _domain(directory)
    rows = [
        {
            "selector": key.selector,
            "kind": key.kind,
            "state": "retired" if key.retired else "signs",
            "name": f"{key.selector}._domainkey.{domain}",
            "record": key.record,
        }
        for key in map(dkim_key, _folder(directory).stored())
    ]
    if json:
        terminal.print_json(rows)
        return
    if not rows:
        terminal.say("No keys yet: the server makes two when it starts; mail leaves unsigned.")
    for row in rows:
        terminal.say(f"{row['name']} ({row['kind']}, {row['state']})")
        terminal.say(f"    {row['record']}")


@dkim.command("retire")
def retire(selector: Selector, directory: DirectoryOption) -> None:
    """Sign no more by a key. Keep its DNS record for a week, for mail that is on its way."""
    _folder(directory).retire(selector)
    terminal.say(f"{selector} signs no more. Remove its DNS record in a week.")


def _folder(directory: Path) -> "DkimFolder":
    from blackthorn.storage.files.server import ServerFolder

    return ServerFolder(directory).dkim


def _domain(directory: Path) -> str:
    import os

    from blackthorn.programs.server import configuration

    return configuration.load(directory, os.environ).enterprise.domain
