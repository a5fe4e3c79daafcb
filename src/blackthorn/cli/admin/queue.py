"""Commands of the family `mail queue`, on the server's host. No address of a recipient is shown."""

from typing import Annotated, Any

from typer import Argument, Typer

from blackthorn.cli import terminal
from blackthorn.cli.options import DirectoryOption, JsonOption
from blackthorn.wire.dates import rfc3339
from blackthorn.wire.words import count

queue = Typer(
    help="On the server's host: mail on its way out, for the administrator.", no_args_is_help=True
)

Id = Annotated[
    str, Argument(metavar="ID", help="The mail's id of 16 digits, as `mail queue list` shows it.")
]
IdOrAll = Annotated[
    str, Argument(metavar="ID|all", help="The mail's id, as `mail queue list` shows it, or all.")
]


@queue.command("list")
def list_queue(directory: DirectoryOption, json: JsonOption = False) -> None:
    """List the mail on its way out: ids, domains, ages and attempts, oldest first."""
    import time

    from blackthorn.programs.server.outbound.commands import listed

    now_ms = time.time_ns() // 1_000_000
    rows: list[dict[str, Any]] = [
        {
            "id": row.id,
            "state": row.state,
            "domain": row.domain,
            "age_seconds": max(0, now_ms - row.queued_ms) // 1_000,
            "attempts": row.tries,
            "next": rfc3339(row.next_ms) if row.next_ms else None,
            "size": row.size,
        }
        for row in listed(directory)
    ]
    if json:
        terminal.print_json(rows)
        return
    if not rows:
        terminal.say("No mail is on its way out.")
        return
    table = terminal.Table("id", "state", "domain", "age", "attempts", "next attempt", boxed=False)
    for row in rows:
        cells = (_age(row["age_seconds"]), str(row["attempts"]), row["next"] or "at once")
        table.add_row(row["id"], row["state"], row["domain"], *cells)
    table.show()


@queue.command("retry")
def retry(which: IdOrAll, directory: DirectoryOption) -> None:
    """Attempt a mail's deliveries, or all, within seconds, whenever they were due."""
    from blackthorn.programs.server.outbound.commands import retry as retry_mail

    terminal.say(f"{count(retry_mail(directory, which), 'delivery', 'deliveries')} due at once.")


@queue.command("drop")
def drop(which: Id, directory: DirectoryOption) -> None:
    """Give a mail up. The server tells its sender so."""
    from blackthorn.programs.server.outbound.commands import drop as drop_mail

    drop_mail(directory, which)
    terminal.say("The mail is given up; the server tells its sender within seconds.")


def _age(seconds: Any) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
