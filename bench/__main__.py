"""`python -m bench [PART…] [--json]`: run the parts of the benchmark and print their figures.

A part is a module with a function `run() -> Figures`; add it to PARTS. Those in SIZED take the
sizes of groups that `--sizes` names.
"""

import argparse
import importlib
import json

from rich.console import Console
from rich.table import Table

from bench.figures import Figures

PARTS = {
    "link": "messages over the link, durable, TLS on",
    "idle": "devices that are connected and silent",
    "mail": "mail from outside, sealed and durable",
    "ledger": "lookups, epochs and replays of the ledger, CPU time of one core",
    "ledger_server": "epochs and starts of the ledger on the server",
    "exit": "a market is closed",
    "export": "a person takes everything along",
    "stalls": "what holds the event loop and the writer, 1,000,000 parcels and 100,000 devices",
    "groups": "groups of 1,000 to 5,000 devices",
    "mls": "MLS beside other people's, CPU time of one core",
}
SIZED = {"mls", "ledger", "groups"}


def _print(console: Console, part: str, figures: Figures) -> None:
    table = Table(title=f"{part}: {PARTS[part]}", title_justify="left")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("goal", justify="right")
    table.add_column("met")
    others = list(dict.fromkeys(other for figure in figures for other in figure.beside))
    for other in others:
        table.add_column(other, justify="right")
    for figure in figures:
        beside = (figure.text_beside(other) for other in others)
        table.add_row(figure.name, figure.text(), *figure.verdict(), *beside)
    console.print(table)


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(","))


def _values(figures: Figures) -> dict[str, float]:
    return {key: value for figure in figures for key, value in figure.values().items()}


def main() -> None:
    """Run the parts. A missed goal is shown and fails nothing: a benchmark asserts nothing."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of: {', '.join(PARTS)}")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--sizes", type=_sizes, default=None, help="of groups or directories")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    console = Console(stderr=options.json)
    results: dict[str, Figures] = {}
    for part in options.parts or PARTS:
        run = importlib.import_module(f"bench.{part}").run
        results[part] = run(options.sizes) if options.sizes and part in SIZED else run()
        _print(console, part, results[part])
    if options.json:
        print(json.dumps({part: _values(figures) for part, figures in results.items()}))


if __name__ == "__main__":
    main()
