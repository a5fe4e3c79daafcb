"""Links between documents lead somewhere, and documents speak of the project alone."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import anchors, documents, named, without_code

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_UNFINISHED = re.compile(r"\bTODO\b|\bFIXME\b|\bXXX\b|#\d")
"""What is not done, and numbers of somebody's tracker."""

_ABSOLUTE = re.compile(r"(?<![\w./:>)\]}~*-])/([A-Za-z][\w-]*)")
_ROOTS = {
    "tmp",
    "opt",
    "var",
    "healthz",
    "readyz",
    "metrics",
    "report",
    "link",
    "pending",
    "closures",
    "r",
    "u",
}
"""Where examples may lie, and what HTTP serves: a document names no machine's own folders."""


@pytest.mark.parametrize("document", documents(), ids=named)
def test_links_resolve(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in _LINK.findall(without_code(text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), f"{named(document)} links to {target}, which is not there"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"no heading for {target}"


@pytest.mark.parametrize("document", documents(), ids=named)
def test_documents_speak_of_the_project_alone(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    found = _UNFINISHED.search(text)
    assert found is None, f"{named(document)} says {found[0]!r}" if found else ""
    strange = set(_ABSOLUTE.findall(text)) - _ROOTS
    assert not strange, f"{named(document)} names the folders {sorted(strange)}"


def test_the_documents_are_found() -> None:
    names = {named(document) for document in documents()}
    assert {"README.md", "ARCHITECTURE.md", "docs/threats.md", "docs/no-backdoors.md"} <= names
