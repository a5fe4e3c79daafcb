"""What the vector tests share: hex, and the suite of each case."""

from collections.abc import Iterator
from typing import Any

from blackthorn.mls.suites import CipherSuite, suite

h = bytes.fromhex


def supported(cases: list[Any]) -> Iterator[tuple[CipherSuite, Any]]:
    """Each case with its suite: all of RFC 9420's."""
    assert cases
    for case in cases:
        yield suite(case["cipher_suite"]), case
