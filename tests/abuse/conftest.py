"""The table that `make abuse` prints."""

from typing import Any

from tests.support.abuse import results


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for line in results.lines():
        terminalreporter.write_line(line)
