"""How far `make test` and `make test-long` go, and where the program is started quickly."""

import contextlib
from collections.abc import Generator
from typing import Any

import hypothesis
import pytest
import structlog

from tests.support.quick_start import quick_start
from tests.support.runs import Run, begin

QUICK = ("tests/faults/", "tests/hostile/test_interception.py")
"""Where the program is started quickly, but for tests marked real_start."""

COMMON = hypothesis.settings(
    deadline=None, print_blob=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
"""Nothing here asks how fast the machine is."""

hypothesis.settings.register_profile("usual", COMMON, derandomize=True)
hypothesis.settings.register_profile("long", COMMON)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run everything, with fresh seeds")


def pytest_configure(config: pytest.Config) -> None:
    worker = getattr(config, "workerinput", {})
    begin(config.getoption("--long"), worker.get("seed"))
    hypothesis.settings.load_profile("long" if Run.long else "usual")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    quick = item.nodeid.startswith(QUICK) and not item.get_closest_marker("real_start")
    with quick_start() if quick else contextlib.nullcontext():
        outcome = yield
    structlog.reset_defaults()  # a command of the test may log to a stream that is closed now
    return outcome


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give a worker of pytest-xdist the seed of this run."""
    node.workerinput["seed"] = Run.seed


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if Run.long:
        terminalreporter.write_line(f"BLACKTHORN_SEED={Run.seed} lives this run once more.")
    else:
        terminalreporter.write_line(
            "`make test-long` runs the same with fresh seeds, and more rounds of what is random or "
            "strikes at many moments."
        )
