"""`python -m bench [PART…] [--json]`: run the parts of the benchmark and print their figures.

A part is a module with a function `run() -> Figures`; add it to PARTS.
"""

import argparse
import importlib
import json
import sys

from rich.console import Console
from rich.table import Table

from bench.figures import Figures

PARTS = {
    "link": "messages over the link, durable, TLS on",
    "mail": "mail from outside, sealed and durable",
    "mls": "MLS groups of 512 devices, CPU seconds",
}


def _print(console: Console, part: str, figures: Figures) -> None:
    table = Table(title=f"{part}: {PARTS[part]}", title_justify="left")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("goal", justify="right")
    table.add_column("met")
    for figure in figures:
        goal, met = figure.verdict()
        table.add_row(figure.name, figure.text(), goal, met)
    console.print(table)


def main() -> int:
    """Run the parts; 1 when a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of: {', '.join(PARTS)}")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    console = Console(stderr=options.json)
    results: dict[str, Figures] = {}
    for part in options.parts or PARTS:
        results[part] = importlib.import_module(f"bench.{part}").run()
        _print(console, part, results[part])
    if options.json:
        print(json.dumps({part: {f.key: f.value for f in r} for part, r in results.items()}))
    return int(any(figure.verdict()[1] == "no" for r in results.values() for figure in r))


if __name__ == "__main__":
    sys.exit(main())
