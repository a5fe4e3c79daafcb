"""`blackthorn audit closure` as a process: what holds, and what is changed, with its rule."""

import functools
import http.server
import json
import shutil
import threading
from pathlib import Path

import pytest

from tests.support.closures import closed
from tests.support.server_process import run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the mirror `log`, `X-PK-1.json`, `own.receipt` and `register`."""
    folder = tmp_path_factory.mktemp("closed")
    closure = closed()
    closure.walk.world.epoch()
    closure.walk.world.mirror(folder / "log")
    (folder / "X-PK-1.json").write_bytes(closure.data)
    (folder / "own.receipt").write_bytes(closure.placed[3].encode())
    (folder / "register").write_text(str(closure.register))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def audit(folder: Path, *more: str):
    file, log = str(folder / "X-PK-1.json"), str(folder / "log")
    return run("audit", "closure", file, "--ledger", log, *more)


def test_a_closure_holds_and_a_person_finds_his_place(folder: Path) -> None:
    done = audit(
        folder,
        "--receipt",
        str(folder / "own.receipt"),
        "--register",
        str(folder / "register"),
        "--json",
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["holds"] and result["register_key"] == "given"
    assert result["decisions"][-2:] == ["destroy", "close"]
    assert (result["receipt"]["address"], result["receipt"]["place"]) == ("u3@acme.example", 3)


def test_a_statement_is_read_from_its_address(folder: Path) -> None:
    served = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), served) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address, log = f"http://127.0.0.1:{server.server_port}", str(folder / "log")
        done = run("audit", "closure", f"{address}/X-PK-1.json", "--ledger", log)
        missing = run("audit", "closure", f"{address}/X-PK-2.json", "--ledger", log)
        server.shutdown()
    assert done.returncode == 0, done.stderr
    assert "every check holds" in done.stdout
    assert missing.returncode == 2 and "/closures/X-PK-1.json" in missing.stderr


def test_a_person_is_told_what_their_receipt_means(folder: Path) -> None:
    done = audit(folder, "--receipt", str(folder / "own.receipt"))
    line = done.stdout.splitlines()[-1]
    assert line.startswith("receipt: u3@acme.example is number 4 of the "), line
    assert "people whom the statement counts" in line
    assert not {"place", "leaf"} & set(line.split())


def test_it_is_told_to_people_too(folder: Path) -> None:
    done = audit(folder)
    assert done.returncode == 0
    assert "deleted: 10 mails, 10 parcels" in done.stdout
    assert "the server states that it tried the 1 key of its other markets" in done.stdout
    assert "tried keys" not in done.stdout and "leaf" not in done.stdout
    assert "give it by --register" in done.stderr


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("C11", '"exported": 3', '"exported": 4'),
        ("C12", '"mails": 10', '"mails": 9'),
        ("C1", '"exit": "X-PK-1"', '"exit": "X-PK"'),
        ("C10", '"exit": "X-PK-1"', '"exit": "X-PK-2"'),
    ],
)
def test_a_changed_number_ends_with_4_and_its_rule(
    folder: Path, rule: str, before: str, after: str
) -> None:
    path = folder / "X-PK-1.json"
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))
    done = audit(folder)
    assert done.returncode == 4
    assert f"[{rule}]" in done.stderr.splitlines()[-1]


def test_a_changed_row_of_the_ledger_ends_with_4(folder: Path) -> None:
    bundle = next(
        each for each in (folder / "log" / "tile" / "entries").rglob("*") if each.is_file()
    )
    data = bundle.read_bytes()
    assert data.count(b"retrieve") >= 1
    bundle.write_bytes(data.replace(b"retrieve", b"retrieVe"))
    assert audit(folder).returncode == 4


def test_a_changed_receipt_ends_with_4_and_a_missing_file_with_one_line(folder: Path) -> None:
    own = folder / "own.receipt"
    own.write_bytes(own.read_bytes().replace(b"u3@acme", b"u4@acme"))
    done = audit(folder, "--receipt", str(own))
    assert done.returncode == 4 and "[C17]" in done.stderr.splitlines()[-1]
    done = audit(folder, "--receipt", str(folder / "none"))
    assert done.returncode == 2 and "cannot be read" in done.stderr
