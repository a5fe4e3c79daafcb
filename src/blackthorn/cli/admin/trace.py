"""The command `mail trace`, on the server's host: what became of a mail, without names."""

from typing import Annotated

from typer import Argument, Typer

from blackthorn.cli import terminal
from blackthorn.cli.options import DirectoryOption, JsonOption
from blackthorn.wire.dates import rfc3339

Id = Annotated[
    str, Argument(metavar="ID", help="The mail's id, from the reply to its sender or Received.")
]


def register(mail: Typer) -> None:
    mail.command("trace")(trace)


def trace(id: Id, directory: DirectoryOption, json: JsonOption = False) -> None:
    """On the server's host: what became of a mail from outside, for the administrator.

    Times, size, verdict and how many copies were stored, for two weeks. No sender, recipient or
    content is kept; what users fetch or remove is not either.
    """
    from blackthorn.programs.server.mail import commands

    found = commands.trace(directory, id)
    facts = {
        "id": found.id,
        "received": rfc3339(found.received_ms),
        "replied": rfc3339(found.done_ms),
        "reply": found.reply,
        "size": found.size,
        "tls": found.tls,
        "verdict": found.verdict,
        "place": found.place,
        "copies": found.copies,
    }
    if json:
        terminal.print_json(facts)
        return
    for name, value in facts.items():
        terminal.say(f"{name + ':':10} {value}")
