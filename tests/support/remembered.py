"""Signatures and VRF proofs that hold are verified once in a process, for long random lives.

Four devices verify what one ledger says to all of them, over and over; what makes that slow is
what is the same each time. A signature that does not hold is never remembered.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from blackthorn.crypto import vrf
from blackthorn.crypto.ml_dsa import MlDsa65
from blackthorn.crypto.signatures import Ed25519


@contextmanager
def remembering() -> Iterator[None]:
    """Within this block nothing that holds is verified twice."""
    with pytest.MonkeyPatch.context() as patch:
        for scheme in (Ed25519, MlDsa65):
            patch.setattr(scheme, "verify", _once(scheme.verify))
        patch.setattr(vrf, "verify", _once(vrf.verify))
        yield


def _once(verify: Any) -> Any:
    known: dict[Any, Any] = {}

    def remembered(*arguments: Any) -> Any:
        key = arguments[-3:]
        if key not in known:
            known[key] = verify(*arguments)
        return known[key]

    return remembered
