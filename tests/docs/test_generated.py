"""Generated documents hold what the program says now."""

from pathlib import Path

import pytest

from tests.docs.pages import ROOT, named
from tools import generate_docs


@pytest.mark.parametrize("path", sorted(generate_docs.generated()), ids=named)
def test_generated_document_is_current(path: Path) -> None:
    expected = generate_docs.generated()[path]
    assert path.exists(), f"{named(path)} is missing: run `make docs`"
    assert path.read_text(encoding="utf-8") == expected, f"{named(path)} is stale: run `make docs`"


def test_every_generated_document_says_so() -> None:
    for name in generate_docs.WHOLE:
        assert (ROOT / name).read_text(encoding="utf-8").startswith(generate_docs.NOTICE)
