"""Documents name modules that exist, so that a reader who follows a path arrives."""

import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, documents, named

SOURCE = ROOT / "src" / "blackthorn"
_PATH = re.compile(r"`((?:[\w.-]+/)*[\w-]+\.py)\b(?:::\w+)?`")
_FOLDER = re.compile(r"`((?:[a-z]\w*/)+)`")
_DOTTED = re.compile(r"`([a-z]\w*(?:\.\w+)+)`")

PACKAGED = {"verify.py"}
"""A program inside each production package; it is no module of the source."""

DECISIONS = ROOT / "docs" / "adr"
"""Recorded decisions are not rewritten, and name what there was."""

SETTINGS = {"docs/settings.md", "docs/commands.md"}
"""Their dotted names are settings."""

FILES = (".key", ".crt", ".mbox", ".keys", ".json", ".txt")
"""Endings of files that documents name and that are no modules."""


def current() -> list[Path]:
    """The documents that speak of the source as it is."""
    return [path for path in documents() if DECISIONS not in path.parents]


@cache
def basenames() -> frozenset[str]:
    folders = (SOURCE, ROOT / "tests", ROOT / "tools", ROOT / "bench")
    return frozenset(path.name for folder in folders for path in folder.rglob("*.py"))


def exists(name: str) -> bool:
    """Whether a module is there: a path from the source or the repository, or a bare name."""
    if "/" not in name:
        return name in PACKAGED or name in basenames()
    return (SOURCE / name).is_file() or (ROOT / name).is_file()


def resolves(dotted: str) -> bool:
    """Whether `dotted` is a module, or a name in one. Only those below a folder of the source."""
    first, *rest = dotted.split(".")
    place = SOURCE / first
    if not place.is_dir() or dotted.endswith(FILES):
        return True
    for index, part in enumerate(rest):
        if (place / part).is_dir():
            place = place / part
            continue
        module = place / f"{part}.py"
        names = rest[index + 1 :]
        if not module.is_file():
            module, names = place / "__init__.py", rest[index:]
        text = module.read_text(encoding="utf-8") if module.is_file() else ""
        return all(re.search(rf"\b{name}\b", text) for name in names)
    return True


@pytest.mark.parametrize("document", current(), ids=named)
def test_a_named_module_exists(document: Path) -> None:
    missing = {name for name in _PATH.findall(document.read_text("utf-8")) if not exists(name)}
    assert not missing, f"{named(document)} names what is not there: {', '.join(sorted(missing))}"


@pytest.mark.parametrize("document", current(), ids=named)
def test_a_dotted_name_leads_to_code(document: Path) -> None:
    if named(document) in SETTINGS:
        return
    missing = {name for name in _DOTTED.findall(document.read_text("utf-8")) if not resolves(name)}
    assert not missing, f"{named(document)} names what is not there: {', '.join(sorted(missing))}"


def test_the_architecture_names_every_folder_of_the_source() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    folders = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").is_file()}
    absent = {folder for folder in folders if f"`{folder}/" not in text}
    assert not absent, f"ARCHITECTURE.md does not show {', '.join(sorted(absent))}"
    named_folders = set(_FOLDER.findall(text))
    gone = {
        name
        for name in named_folders
        if not (SOURCE / name).is_dir() and not (ROOT / name).is_dir()
    }
    assert not gone, f"ARCHITECTURE.md shows what is not there: {', '.join(sorted(gone))}"


def test_a_wrong_path_is_noticed() -> None:
    assert exists("mls/group/group.py") and exists("group.py") and exists("tools/vectors.py")
    assert not exists("mls/group.py") and not exists("no_such_module.py")
    assert resolves("link.session.TABLE") and resolves("a.name.of.another.kind")
    assert not resolves("link.sessions") and not resolves("link.session.NOWHERE")
