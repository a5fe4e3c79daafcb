"""Starts the program quickly where a start is not what is tested."""

from collections.abc import Iterator

import pytest

from tests.support.quick_start import quick_start


@pytest.fixture(scope="module", autouse=True)
def _quick_start(request: pytest.FixtureRequest) -> Iterator[None]:
    if getattr(request.module, "REAL_STARTS", False):
        yield
    else:
        with quick_start():
            yield
