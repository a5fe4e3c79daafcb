"""MLS beside other people's: adding all in one Commit, joining, updating, messages, sizes.

Every contestant does the steps of bench/mls_ours.py in a process of its own, one after the
other in one run; times are CPU of one core, the best of some rounds where groups are small.
`make peers` installs the others; who is not installed has no column. ts-mls's own X-Wing suites
differ in hash and key derivation: it runs ours, as in tests/interop.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.figures import Figure, Figures
from blackthorn.mls.suites import SUITE_1, SUITE_XWING_AES256

SIZES = (2, 8, 32, 128, 512, 1000)
SUITES = {"suite1": SUITE_1, "xwing": SUITE_XWING_AES256}
MESSAGES = 500
ROUNDS_OF = 16
"""A group of `size` lives ROUNDS_OF / size times, at least once."""
FILLED_UP_TO = 128
"""To fill a larger tree takes minutes: only where there is a goal for it."""
PATIENCE_SECONDS = 240
"""Who takes longer for one size has no figure for it."""

_ROOT = Path(__file__).resolve().parents[1]
_PEERS = _ROOT / "tests/interop/peers"
_PYTHON = _ROOT / ".peers/bin/python"
_COMMANDS = {
    "mls-rs": [str(_PYTHON), str(_PEERS / "mls_rs_bench.py")],
    "ts-mls": ["node", str(_PEERS / "ts_mls_bench.mjs")],
    "rfc9420": [str(_PYTHON), str(_PEERS / "rfc9420_bench.py")],
}
_INSTALLED = {"mls-rs": _PYTHON, "rfc9420": _PYTHON, "ts-mls": _PEERS / "node_modules/ts-mls"}
_OURS = [sys.executable, "-m", "bench.mls_ours"]

OPERATIONS = {
    "add": "add {others} in one Commit",
    "join": "join",
    "update": "update Commit",
    "process": "process an update",
    "filled_update": "update Commit, tree filled",
    "encrypt": "encrypt 1 KiB",
    "decrypt": "decrypt 1 KiB",
    "add_bytes": "size of the adding Commit",
    "welcome_bytes": "size of the Welcome",
    "update_bytes": "size of an update",
    "filled_update_bytes": "size of an update, tree filled",
    "message_bytes": "size of a message of 1 KiB",
}
GROUP_OPERATIONS = ("add", "join", "update", "process")
PER_SECOND = {"encrypt": 3_000, "decrypt": 2_500}
GOAL_SIZE = 512
TIMES_FASTER = {"suite1": ("mls-rs", 0.5), "xwing": ("ts-mls", 5.0)}
"""Than whom, and how many times, every group operation shall be faster at GOAL_SIZE."""
TIMES_RFC9420 = 10.0
"""The same for rfc9420, which is in Python too, with figures of their own."""
LARGE_GOALS = {("join", 1000): 2.0, ("filled_update_bytes", 1000): 30_000}
"""X-Wing at 1,000 members: seconds or bytes at most."""

Measured = Mapping[str, float]


def _measure(command: Sequence[str], suite: int, size: int, *more: int) -> Measured | None:
    """What a contestant measured; None when it did not end in time."""
    rounds = max(1, ROUNDS_OF // size)
    arguments = [str(int(each)) for each in (suite, size, rounds, MESSAGES, *more)]
    try:
        done = subprocess.run(
            [*command, *arguments],
            cwd=_ROOT,
            capture_output=True,
            check=True,
            timeout=PATIENCE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return None
    measured: Measured = json.loads(done.stdout)
    return measured


def _contestants(suite: int) -> dict[str, list[str]]:
    """The installed peers that do a suite."""
    can = {"mls-rs", "ts-mls", "rfc9420"} if suite == SUITE_1 else {"ts-mls"}
    return {
        name: command
        for name, command in _COMMANDS.items()
        if name in can and _INSTALLED[name].exists()
    }


def _shown(operation: str, value: float) -> float:
    """Milliseconds, a rate or bytes."""
    if operation.endswith("bytes"):
        return value
    return 1 / value if operation in PER_SECOND else 1000 * value


def _unit(operation: str) -> str:
    if operation.endswith("bytes"):
        return "B"
    return "/s" if operation in PER_SECOND else "ms"


def _goal(name: str, size: int, operation: str, others: Mapping[str, Measured]) -> float | None:
    """The most that a figure may be, as measured; None without a goal."""
    if name == "xwing" and (operation, size) in LARGE_GOALS:
        return LARGE_GOALS[operation, size]
    if size != GOAL_SIZE or operation not in GROUP_OPERATIONS:
        return None
    peer, times = TIMES_FASTER[name]
    return others[peer][operation] / times if peer in others else None


def _against_rfc9420(name: str, size: int, ours: Measured, theirs: Measured) -> Figures:
    """How many times faster than rfc9420."""
    return [
        Figure(
            key=f"{name}.{size}.{operation}.times_rfc9420",
            name=f"{name}, {size}: {operation}, times faster than rfc9420",
            value=theirs[operation] / ours[operation],
            unit="×",
            at_least=TIMES_RFC9420,
        )
        for operation in (*GROUP_OPERATIONS, *PER_SECOND)
        if operation in theirs
    ]


def _figures(name: str, size: int, ours: Measured, others: Mapping[str, Measured]) -> Figures:
    figures = []
    for operation, text in OPERATIONS.items():
        if operation not in ours:
            continue
        goal = _goal(name, size, operation, others)
        figures.append(
            Figure(
                key=f"{name}.{size}.{operation}",
                name=f"{name}, {size}: {text.format(others=size - 1)}",
                value=_shown(operation, ours[operation]),
                unit=_unit(operation),
                at_least=PER_SECOND.get(operation) if size == GOAL_SIZE else None,
                at_most=None if goal is None else _shown(operation, goal),
                beside={
                    peer: _shown(operation, measured[operation])
                    for peer, measured in others.items()
                    if operation in measured
                },
            )
        )
    return figures


def run(sizes: Sequence[int] = SIZES) -> Figures:
    """All sizes of both suites, ours and the others'."""
    figures: Figures = []
    for name, suite in SUITES.items():
        for size in sizes:
            goal = name == "xwing" and ("filled_update_bytes", size) in LARGE_GOALS
            ours = _measure(_OURS, suite, size, size <= FILLED_UP_TO or goal)
            if ours is None:
                raise TimeoutError(f"no figures for {size} members in {PATIENCE_SECONDS} s")
            measured = {
                peer: _measure(command, suite, size)
                for peer, command in _contestants(suite).items()
            }
            others = {peer: each for peer, each in measured.items() if each is not None}
            figures += _figures(name, size, ours, others)
            if size == GOAL_SIZE and "rfc9420" in others:
                figures += _against_rfc9420(name, size, ours, others["rfc9420"])
    return figures
