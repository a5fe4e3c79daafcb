"""`ledger check`: a user's device replays the public log of its enterprise."""

from blackthorn.cli import terminal
from blackthorn.cli.options import DEFAULT_HOME, HomeOption, JsonOption, KeyFileOption, program
from blackthorn.cli.times import rfc3339
from blackthorn.programs.event_loop import run


def check(
    home: HomeOption = DEFAULT_HOME, key_file: KeyFileOption = None, json: JsonOption = False
) -> None:
    """On a device: replay the log up to the newest checkpoint, from where the last replay ended.

    The entries must make the checkpoint that witnesses have cosigned, and keep every rule of
    the map. What does not is an alarm. Exit code 4 then; 6: no connection. --json prints
    {"entries", "checked", "finding"}.
    """
    from rich.progress import Progress

    from blackthorn.cli.device.alarm_texts import show_open
    from blackthorn.errors import SecurityError
    from blackthorn.programs.device.ledger_replay import replay

    device = program(home, key_file)
    with Progress(console=terminal.err, transient=True, disable=json) as bar:
        task = bar.add_task("Replaying the ledger", total=None)
        done = run(
            replay(device, lambda done, total: bar.update(task, completed=done, total=total))
        )
    if json:
        checked, finding = rfc3339(done.at_ms), done.finding or None
        terminal.print_json({"entries": done.entries, "checked": checked, "finding": finding})
    show_open(device)
    if done.finding:
        raise SecurityError(f"ledger verification failed: {done.finding}")
    if not json:
        terminal.out.print(f"All {done.entries} entries of the ledger keep its rules.")
