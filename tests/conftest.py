"""What `make test` leaves to `make test-long`, how both draw, and where starts are quick."""

from collections.abc import Generator
from typing import Any

import hypothesis
import pytest

from tests.support.quick_start import quick_start
from tests.support.runs import Run, begin

QUICK = ("tests/faults/", "tests/hostile/test_interception.py")
"""Where the program is started quickly, but for tests marked real_start."""

LEFT = pytest.StashKey[set[str]]()

COMMON = hypothesis.settings(
    deadline=None, print_blob=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
"""Nothing here asks how fast the machine is."""

hypothesis.settings.register_profile("usual", COMMON, derandomize=True)
hypothesis.settings.register_profile("long", COMMON)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run everything, with fresh seeds")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEFT] = set()
    worker = getattr(config, "workerinput", {})
    begin(config.getoption("--long"), worker.get("seed"))
    hypothesis.settings.load_profile("long" if Run.long else "usual")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if Run.long:
        return
    left = [item for item in items if item.get_closest_marker("long")]
    config.stash[LEFT].update(item.nodeid for item in left)
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if not item.nodeid.startswith(QUICK) or item.get_closest_marker("real_start"):
        return (yield)
    with quick_start():
        return (yield)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left"] = sorted(session.config.stash[LEFT])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give a worker of pytest-xdist the seed of this run."""
    node.workerinput["seed"] = Run.seed


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect what a worker of pytest-xdist has left out."""
    node.config.stash[LEFT].update(getattr(node, "workeroutput", {}).get("left", ()))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if Run.long:
        terminalreporter.write_line(f"BLACKTHORN_SEED={Run.seed} lives this run once more.")
    else:
        terminalreporter.write_line(
            f"Left to `make test-long`: {len(config.stash[LEFT])} tests, more rounds of the others "
            "that are random or strike at many moments, and fresh seeds."
        )
