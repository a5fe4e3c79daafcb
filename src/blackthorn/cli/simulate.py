"""The command `simulate`."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from typer import Option, Typer

from blackthorn.cli import terminal

if TYPE_CHECKING:
    from multiprocessing.pool import Pool

    from blackthorn.simulation.simulate import Outcome


def register(app: Typer) -> None:
    app.command()(simulate)


def simulate(
    seeds: Annotated[int, Option(min=1, max=100_000, help="How many seeds to run.")] = 10,
    days: Annotated[int, Option(min=1, max=2_000, help="Simulated days of each seed.")] = 30,
    seed: Annotated[int, Option(min=0, help="The first seed; the others follow it.")] = 1,
    jobs: Annotated[
        int, Option(min=0, max=256, help="Processes; 0: as many as there are cores.")
    ] = 0,
    as_json: Annotated[bool, Option("--json", help="Print the outcome of each seed as JSON.")] = (
        False
    ),
) -> None:
    """Simulate an enterprise in memory for days or years, with faults; check what must hold.

    Runs the real server and devices on a virtual clock; the same seed does the same. Exits with 0
    only if no invariant was violated; a violation prints its seed and a shortened schedule.
    """
    outcomes: list[Outcome] = []
    try:
        for outcome in _run(range(seed, seed + seeds), days, jobs or os.cpu_count() or 1):
            outcomes.append(outcome)
            if outcome.violations:
                terminal.note(failure_of(outcome))
    finally:  # also when it is interrupted
        outcomes.sort(key=lambda outcome: outcome.schedule.seed)
        if as_json:
            terminal.print_json([as_document(outcome) for outcome in outcomes])
        elif outcomes:
            print_outcomes(outcomes, days)
    broken = [str(outcome.schedule.seed) for outcome in outcomes if outcome.violations]
    terminal.fail([f"seeds that violate an invariant: {', '.join(broken)}"] if broken else [])


def processes(count: int) -> "Pool":
    """So many processes, in which all sets have the same order, as a seed needs."""
    from multiprocessing import get_context

    os.environ["PYTHONHASHSEED"] = "0"
    return get_context("spawn").Pool(count)


def _run(seeds: range, days: int, jobs: int) -> "Iterator[Outcome]":
    """The outcomes as they come from the processes."""
    from contextlib import ExitStack
    from functools import partial

    from blackthorn.cli.progress import ProgressBar
    from blackthorn.simulation.simulate import simulate_seed

    one = partial(simulate_seed, days=days)
    with ExitStack() as stack:
        pool = stack.enter_context(processes(min(jobs, len(seeds))))
        bar = stack.enter_context(ProgressBar())
        bar.show("seeds", 0, len(seeds))
        for done, outcome in enumerate(pool.imap_unordered(one, seeds), 1):
            yield outcome
            bar.show("seeds", done, len(seeds))


def as_document(outcome: "Outcome") -> dict[str, object]:
    """One seed of the `--json` document."""
    return {
        "seed": outcome.schedule.seed,
        "users": len(outcome.schedule.users),
        "device_days": round(outcome.device_days, 1),
        "texts": outcome.texts,
        "accepted": outcome.accepted,
        "deliveries": outcome.deliveries,
        "drawn": outcome.drawn,
        "cpu_seconds": round(outcome.cpu_seconds, 1),
        "violations": [found._asdict() for found in outcome.violations],
        "schedule": [str(event) for event in outcome.schedule.events] if outcome.violations else [],
    }


def print_outcomes(outcomes: "list[Outcome]", days: int) -> None:
    columns = ("seed", "users", "device-days", "texts", "accepted", "deliveries", "violations")
    title = f"{len(outcomes)} seeds of {days} days"
    table = terminal.Table(*columns, title=title, right=columns)
    for outcome in outcomes:
        row = as_document(outcome) | {"violations": len(outcome.violations)}
        table.add_row(*(str(row[heading.replace("-", "_")]) for heading in columns))
    totals = [sum(values) for values in zip(*map(_totals, outcomes), strict=True)]
    table.add_section()
    table.add_row("all", "", *(f"{total:,.0f}" for total in totals))
    table.show()
    seconds = sum(outcome.cpu_seconds for outcome in outcomes)
    terminal.say(f"{totals[0] / max(seconds, 0.001):.0f} device-days for each CPU second")


def _totals(outcome: "Outcome") -> tuple[float, int, int, int, int]:
    return (
        outcome.device_days,
        outcome.texts,
        outcome.accepted,
        outcome.deliveries,
        len(outcome.violations),
    )


def failure_of(outcome: "Outcome") -> str:
    """The violations of a seed, and the schedule that shows them."""
    lines = [
        f"seed {outcome.schedule.seed}: {len(outcome.violations)} violations; shortened, it is",
        *(f"    {event}" for event in outcome.schedule.events),
        "and shows",
        *(f"    {found.invariant}: {found.text}" for found in outcome.violations),
    ]
    return "\n".join(lines)
