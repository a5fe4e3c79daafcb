"""The searcher finds a marker in every form it may take, and nothing else."""

import base64
import os
import quopri
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from blackthorn.audit.plaintext.search import Marker, Place, ProcessGoneError, Searcher, descendants
from blackthorn.errors import UserError
from tests.support import runs

TEXT = "q7x2mmdk4pzt9wlb3rfa8yhc"
MARKER = Marker("one", "message", (TEXT,))
PLACE = Place("disk", "somewhere")

FORMS: dict[str, Callable[[bytes], bytes]] = {
    "utf-8": lambda raw: raw,
    "upper case": bytes.upper,
    "utf-16 little-endian": lambda raw: raw.decode().encode("utf-16-le"),
    "utf-16 big-endian": lambda raw: raw.decode().encode("utf-16-be"),
    "utf-32": lambda raw: raw.decode().encode("utf-32"),
    "hex": lambda raw: raw.hex().encode(),
    "upper hex": lambda raw: raw.hex().upper().encode(),
    "base64": base64.b64encode,
    "base64 in lines": base64.encodebytes,
    "url-safe base64": base64.urlsafe_b64encode,
    "quoted-printable": quopri.encodestring,
    "quoted-printable, every byte": lambda raw: b"".join(b"=%02X" % byte for byte in raw),
    "soft line break": lambda raw: raw[:-5] + b"=\r\n" + raw[-5:],
    "spaced out": lambda raw: b" ".join(raw[at : at + 1] for at in range(len(raw))),
    "folded header": lambda raw: raw[:-9] + b"\r\n\t" + raw[-9:],
}


def found_in(data: bytes, size: int = 1 << 20) -> set[str]:
    searcher = Searcher([MARKER])
    searcher.search(PLACE, [data[at : at + size] for at in range(0, len(data), size)])
    return {finding.form for finding in searcher.findings}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("before", [0, 1, 2, 57])
def test_every_form_is_found_at_every_alignment(form: str, before: int) -> None:
    data = FORMS[form](b"x" * before + TEXT.encode() + b"yz")
    assert found_in(b"\0\xff" * 50 + data + b"\0\xff" * 50)


@pytest.mark.parametrize("half", [TEXT[:12], TEXT[12:]])
def test_half_a_marker_is_found(half: str) -> None:
    assert found_in(b"\x01\x02" + half.encode() + b"\x90") == {"plain"}


def test_of_what_must_be_found_half_is_not_enough() -> None:
    searcher = Searcher([Marker("address", "public", (TEXT,), whole=True)])
    searcher.search(PLACE, [TEXT[:12].encode()])
    assert not searcher.findings


@pytest.mark.parametrize("size", [1, 3, 7, 24, 4096])
def test_a_marker_across_pieces_is_found(size: int) -> None:
    data = b"\0" * 1000 + base64.b64encode(b"12345" + TEXT.encode()) + b"\0" * 1000
    assert found_in(data, size) == {"base64"}


def test_random_bytes_hold_no_marker() -> None:
    seed = runs.seed()
    data = random.Random(seed).randbytes(20_000_000)
    assert not found_in(data + base64.b64encode(data))


def test_pieces_of_different_places_are_not_joined() -> None:
    searcher = Searcher([MARKER])
    searcher.search(PLACE, [TEXT[:6].encode()])
    searcher.search(PLACE, [TEXT[6:12].encode()])
    assert not searcher.findings


def test_a_marker_too_short_is_refused() -> None:
    with pytest.raises(UserError, match="too short"):
        Searcher([Marker("short", "message", ("abcdefgh",))])


def test_files_their_names_and_deleted_open_files_are_searched(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "content").write_bytes(b"..." + TEXT.encode())
    (tmp_path / f"name-{TEXT}").touch()
    with (tmp_path / "gone").open("w+b") as gone:
        gone.write(TEXT.encode())
        gone.flush()
        (tmp_path / "gone").unlink()
        searcher = Searcher([MARKER])
        searcher.search_tree(tmp_path, "folder")
        searcher.search_open_files(os.getpid(), "self")
    places = {finding.place.name.split()[0] for finding in searcher.findings}
    assert places == {"folder/deep/content", "names", "self:"}


PROGRAM = """
import sys
held = sys.argv[1][::-1] if sys.argv[2] == "hold" else None
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(("what", "expected"), [("hold", True), ("forget", False)])
def test_the_memory_of_a_process_is_searched(what: str, expected: bool) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, TEXT[::-1], what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        searcher = Searcher([MARKER])
        searcher.search_memory(process.pid, "process")
        assert bool(searcher.findings) is expected
        assert process.pid in descendants(os.getpid())
    finally:
        process.kill()
        process.communicate()


def test_a_process_that_is_gone_cannot_be_searched() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    for search in (Searcher([MARKER]).search_memory, Searcher([MARKER]).search_open_files):
        with pytest.raises(ProcessGoneError, match="there is no process"):
            search(process.pid, "process")
