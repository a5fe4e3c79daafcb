"""The command `story`."""

import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from typer import Option, Typer

from blackthorn.cli import progress, terminal
from blackthorn.errors import UserError, system_error


def register(app: Typer) -> None:
    app.command()(story)


def story(
    users: Annotated[
        int, Option(min=20, max=50_000, help="Users in the market that is closed.")
    ] = 5_000,
    elsewhere: Annotated[int, Option(min=10, max=50_000, help="Users elsewhere.")] = 500,
    folder: Annotated[
        Path | None,
        Option("--dir", metavar="FOLDER", help="The output folder; by default a new one in /tmp."),
    ] = None,
    seed: Annotated[
        int | None, Option(min=0, help="The random seed; a new one is printed.")
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print all counts as JSON.")] = False,
) -> None:
    """Replay 2015: a demand refused, one answered, a market closed, and one that stays open.

    Uses real engines, keys and sealed mail with a simulated clock. Exits with 0 only if all checks
    pass.
    """
    from blackthorn.demo.replay_2015.audit import run_replay
    from blackthorn.demo.replay_2015.replay import Cast

    chosen = secrets.randbelow(2**32) if seed is None else seed
    out = _folder(folder)
    timeline = _ConsoleTimeline(terminal.note if as_json else terminal.say)
    timeline.say(f"seed {chosen}, folder {out}")
    outcome = run_replay(out, Cast(users, elsewhere, chosen), timeline)
    if as_json:
        terminal.print_json({**outcome.counts, "failures": outcome.failures})
    else:
        print_counts(outcome.counts)
    terminal.fail(outcome.failures)


def _folder(chosen: Path | None) -> Path:
    if chosen is None:
        return Path(tempfile.mkdtemp(prefix="blackthorn-story-"))
    with system_error(UserError, f"{chosen} cannot be made"):
        chosen.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(chosen.iterdir()):
            raise UserError(f"{chosen} is not empty: choose a new folder")
    return chosen


class _ConsoleTimeline:
    """`Timeline` on one stream, with progress bars on standard error."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say

    def event(self, unix_ms: int, text: str) -> None:
        moment = datetime.fromtimestamp(unix_ms / 1000, UTC)
        self.say(f"{moment:%d %b %Y %H:%M}  {text}")

    @contextmanager
    def work(self, text: str, total: int) -> Iterator[Callable[[int], None]]:
        bar = progress.timed_bar("{task.description}", transient=True)
        with bar:
            task = bar.add_task(text, total=total)
            yield lambda more: bar.advance(task, more)


def print_counts(counts: dict[str, Any]) -> None:
    """Print all counts as a table, and the commands that check them."""
    title = f"2015, replayed in {counts['seconds']:.0f} seconds"
    table = terminal.Table("what", "count", title=title, right=("count",))
    for name, value in counts.items():
        if isinstance(value, dict):
            for inner, count in value.items():
                table.add_row(f"{name.replace('_', ' ')}: {inner.replace('_', ' ')}", str(count))
        else:
            table.add_row(name.replace("_", " "), str(value))
    table.show()
    out = counts["folder"]
    for line in (
        f"blackthorn audit report {out}/report --ledger {out}/server",
        f"blackthorn audit closure {out}/X-PK-1.json --ledger {out}/server",
        f"blackthorn export verify {out}/export-of-one",
    ):
        terminal.say(line)
