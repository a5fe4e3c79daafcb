"""What the code judges of former devices leaks nothing in the worlds of the model (H3, H4)."""

import pytest

from tests.models.explore import search
from tests.models.judging import Judged
from tests.models.test_past import WORLDS
from tests.support import runs


@pytest.mark.parametrize("name", [name for name in WORLDS if "silent" not in name])
def test_H3_H4_the_code_judges_so_that_no_guest_gets_a_text(name: str) -> None:
    found = search(Judged(WORLDS[name]), depth=12, limit=runs.pick(4_000, 200_000))
    print(f"{name}: {found}")
    assert not found.broken, found
    assert found.states > 1_000
