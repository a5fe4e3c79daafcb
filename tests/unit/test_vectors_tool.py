"""Fetching the vectors: found, fetched as pinned, or said plainly to be absent."""

import dataclasses
import hashlib
import tarfile
from pathlib import Path

import pytest

from tools import vectors

NAMES = {"a.json": b"[1]", "b.json": b"[2]"}


@pytest.fixture
def one_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> vectors.VectorSet:
    """A set of two files whose archive lies on the disk; nothing is fetched yet."""
    source = tmp_path / "test-vectors"
    source.mkdir()
    for name, content in {**NAMES, "more.json": b"[3]"}.items():
        (source / name).write_bytes(content)
    with tarfile.open(tmp_path / "archive.tar.gz", "w:gz") as tar:
        tar.add(source, "project-cfd4502/test-vectors")
    manifest = tmp_path / "vectors.sha256"
    lines = [
        f"{hashlib.sha256(content).hexdigest()}  mls/{name}" for name, content in NAMES.items()
    ]
    manifest.write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(vectors, "MANIFEST", manifest)
    monkeypatch.setattr(vectors, "ROOT", tmp_path)
    monkeypatch.setattr(vectors, "FETCHED", tmp_path / ".vectors")
    monkeypatch.delenv("BLACKTHORN_MLS_VECTORS", raising=False)
    archive = (tmp_path / "archive.tar.gz").as_uri()
    return dataclasses.replace(vectors.SETS[0], archive=archive)


def test_a_set_is_fetched_once(one_set: vectors.VectorSet, tmp_path: Path) -> None:
    assert "fetched 2 files" in vectors.provide(one_set)
    kept = {path.name: path.read_bytes() for path in (tmp_path / ".vectors/mls").iterdir()}
    assert kept == NAMES
    (tmp_path / "archive.tar.gz").unlink()
    assert vectors.provide(one_set) == "RFC 9420 vectors: .vectors/mls"


def test_a_changed_file_is_not_kept(one_set: vectors.VectorSet, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "archive.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "test-vectors/b.json", "project-cfd4502/test-vectors/a.json")
    said = vectors.provide(one_set)
    assert "a.json is missing or is not the pinned one" in said
    assert "reported as absent" in said
    assert not (tmp_path / ".vectors").exists()


def test_what_is_no_archive_is_not_kept(one_set: vectors.VectorSet, tmp_path: Path) -> None:
    (tmp_path / "archive.tar.gz").write_bytes(b"<html>sign in to the network</html>")
    assert "not an archive" in vectors.provide(one_set)


def test_without_a_network_one_line_says_so(one_set: vectors.VectorSet) -> None:
    unreachable = dataclasses.replace(one_set, archive="http://127.0.0.1:9/archive.tar.gz")
    said = vectors.provide(unreachable)
    assert said.startswith("RFC 9420 vectors: not fetched (")
    assert said.endswith("; its tests will be reported as absent")


def test_the_environment_comes_first(
    one_set: vectors.VectorSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLACKTHORN_MLS_VECTORS", str(tmp_path))
    assert vectors.provide(one_set) == f"RFC 9420 vectors: {tmp_path} (BLACKTHORN_MLS_VECTORS)"
