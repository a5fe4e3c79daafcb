"""What the vector tests share: hex, and which suites of the RFC are refused."""

from collections.abc import Iterator
from typing import Any

import pytest

from blackthorn.mls.errors import UnsupportedSuite
from blackthorn.mls.suites import CipherSuite, suite

h = bytes.fromhex

UNSUPPORTED = {4, 6}
"""Suites of RFC 9420 over X448, for which pyca/cryptography has no HPKE."""


def supported(cases: list[Any]) -> Iterator[tuple[CipherSuite, Any]]:
    """Each case with its suite. A case of an unsupported suite must be refused by name."""
    ran = 0
    for case in cases:
        number = case["cipher_suite"]
        if number in UNSUPPORTED:
            with pytest.raises(UnsupportedSuite):
                suite(number)
            continue
        ran += 1
        yield suite(number), case
    assert ran > 0
    print(f"{ran} of {len(cases)} cases ran")
