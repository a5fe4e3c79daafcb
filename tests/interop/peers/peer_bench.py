"""What the Python peers' benchmarks share: CPU seconds, and the best of some rounds."""

import json
import sys
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

CONTENT = bytes(1024)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What the work returns, and its CPU seconds."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def main(measure: Callable[[int, int], dict[str, float]]) -> None:
    """`SCRIPT SUITE SIZE ROUNDS MESSAGES`: one JSON object, as bench/mls_ours.py prints it."""
    suite, size, rounds, messages = map(int, sys.argv[1:])
    if suite != 1:
        raise SystemExit("suite 1 only")
    lives = [measure(size, messages) for _ in range(rounds)]
    print(json.dumps({key: min(life[key] for life in lives) for key in lives[0]}))
