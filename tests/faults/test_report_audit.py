"""A report is what the ledger gives, to the byte: whatever is changed in either is found."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from blackthorn.audit.ledger import silent
from blackthorn.audit.published_report import Verdict, check
from blackthorn.audit.report import no_head, read_log, write
from blackthorn.directory.entries import Record, decode_entry
from blackthorn.errors import (
    BlackthornError,
    InputError,
    SecurityError,
    StorageError,
    UnavailableError,
    UserError,
    VerificationError,
)
from blackthorn.report.files import ENDINGS, FEED, make
from blackthorn.report.period import parse_period
from blackthorn.tlog.policy import Policy as TrustPolicy
from blackthorn.tlog.policy import PolicyLog, format_policy
from blackthorn.wire.note import parse_vkey
from tests.support.governance_world import DAY_MS, World
from tests.support.server_process import run

NAMES = [*(f"2015H2{ending}" for ending in ENDINGS), FEED]


def told() -> World:
    """A refused demand, an answered directive, and one that is sealed."""
    world = World()
    demand = world.receive("PK", "technical-capability")
    world.refuse(demand, "no-such-capability")
    world.epoch(1)
    world.sealed = True
    world.receive("US", gag_until_ms=world.now_ms + DAY_MS)
    world.sealed = False
    world.epoch(1)
    answered = world.receive("DE")
    world.verify(answered)
    world.assess(answered)
    world.deliver(answered)
    world.epoch(1)
    return world


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `log`, a mirror, and `report`; copy it, do not use it."""
    folder = tmp_path_factory.mktemp("made")
    told().mirror(folder / "log")
    done = run("report", "--from", str(folder / "log"), "--out", str(folder / "report"))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def audited(folder: Path, what: str = "report") -> Verdict:
    return check(str(folder / what), str(folder / "log"), None, silent)


# --- The commands -------------------------------------------------------------------------


def test_a_report_is_made_and_holds(folder: Path) -> None:
    assert sorted(each.name for each in (folder / "report").iterdir()) == sorted(NAMES)
    done = run("audit", "report", str(folder / "report"), "--ledger", str(folder / "log"), "--json")
    assert done.returncode == 0, done.stderr
    verdict = json.loads(done.stdout)
    assert verdict["holds"] and verdict["files"] == {name: [] for name in NAMES}


def test_the_report_is_printed_for_people_and_for_programs(folder: Path) -> None:
    log = str(folder / "log")
    done = run("report", "--from", log, "--period", "2015Q3")
    assert done.returncode == 0 and done.stdout.isprintable() is False
    assert re.search(r"Received\s+│\s+3", done.stdout) and "\x1b" not in done.stdout
    done = run("report", "--from", log, "--period", "2015", "--json")
    totals = json.loads(done.stdout)["totals"]
    assert (totals["received"], totals["refused"], totals["not_yet_disclosable"]) == (3, 1, 1)
    assert run("report", "--from", log, "--period", "2015H3").returncode == 2


def test_a_changed_number_is_named_and_ends_with_4(folder: Path) -> None:
    path = folder / "report" / "2015H2.json"
    value = json.loads(path.read_text())
    value["totals"]["refused"] = 0
    value["rows"][0]["received"] += 1
    path.write_text(json.dumps(value))
    done = run("audit", "report", str(path), "--ledger", str(folder / "log"))
    assert done.returncode == 4
    assert "totals.refused: the report says 0, the ledger gives 1" in done.stdout
    assert "rows[DE production].received: the report says 2, the ledger gives 1" in done.stdout
    assert done.stderr.splitlines()[-1].startswith("blackthorn: the report is not what")


# --- Whatever is changed in the files -----------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_no_digit_of_any_file_can_be_changed(folder: Path, name: str) -> None:
    """Every seventh digit, and each one of the first hundred: one flipped at a time."""
    path = folder / "report" / name
    data = path.read_bytes()
    digits = [found.start() for found in re.finditer(rb"[0-9]", data)]
    for at in digits[:10] + digits[10 :: max(7, len(digits) // 8)]:
        changed = bytes([data[at] ^ 1 if data[at] != ord("9") else ord("8")])
        path.write_bytes(data[:at] + changed + data[at + 1 :])
        try:
            verdict = audited(folder)
        except SecurityError:
            continue
        assert verdict.files[name] and not verdict.holds, data[at - 40 : at + 40]
    path.write_bytes(data)
    assert audited(folder).holds


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000, b"\xff\xfe", b"a,b\r\n1,2\r\n"])
def test_what_is_no_report_is_refused(folder: Path, name: str, data: bytes) -> None:
    (folder / "report" / name).write_bytes(data)
    try:
        assert not audited(folder).holds
    except SecurityError as error:
        assert name in str(error)


def test_the_cell_that_differs_is_named(folder: Path) -> None:
    path = folder / "report" / "2015H2.csv"
    text = path.read_bytes().decode()
    path.write_bytes(text.replace(",DE,production,1,", ",DE,production,2,").encode())
    assert audited(folder).files["2015H2.csv"] == [
        "line 2 (DE production), received: the report says 2, the ledger gives 1"
    ]


def test_a_line_that_is_left_out_or_added_is_found(folder: Path) -> None:
    path = folder / "report" / "2015H2.csv"
    lines = path.read_bytes().splitlines(keepends=True)
    for changed in (lines[:-1], [*lines, lines[-1]], lines[::-1], [*lines, b"\r\n"]):
        path.write_bytes(b"".join(changed))
        try:
            assert audited(folder).files["2015H2.csv"]
        except SecurityError as error:
            assert "2015H2.csv" in str(error)


def test_a_report_of_a_ledger_that_is_not_shown_is_refused(folder: Path) -> None:
    (folder / "report" / "2015H2.json").unlink()
    path = folder / "report" / FEED
    data = path.read_bytes()
    size = int(re.findall(rb'size="([0-9]+)"', data)[0])
    for wrong, text in ((size + 1, "and the ledger shows"), (size - 1, "no epoch")):
        path.write_bytes(data.replace(b'size="%d"' % size, b'size="%d"' % wrong))
        with pytest.raises(SecurityError, match=text):
            audited(folder)


def test_a_report_under_another_period_s_name_is_refused(folder: Path) -> None:
    (folder / "report" / "2015H2.json").rename(folder / "report" / "2015H1.json")
    with pytest.raises(SecurityError, match="in its name than inside: 2015H2"):
        audited(folder)


# --- Older reports, single files ----------------------------------------------------------


def test_an_older_report_still_holds_when_the_ledger_has_grown(folder: Path) -> None:
    world = told()
    write(folder / "report", make(world.stand(), parse_period("2015H2"), world.policy))
    world.reveal()
    world.receive("GB")
    world.epoch()
    world.mirror(folder / "log")
    assert audited(folder).holds
    read = read_log(str(folder / "log"), None, silent, no_head)
    assert read.stand.register.received == 4


@pytest.mark.parametrize("name", NAMES)
def test_each_file_is_checked_alone(folder: Path, name: str) -> None:
    assert audited(folder, f"report/{name}").files == {name: []}


def test_an_older_trust_policy_is_taken_from_the_json(folder: Path) -> None:
    """The ledger shows another policy now; the report of before shows the one of then."""
    key = parse_vkey(told().keys.log_vkey)
    policy = TrustPolicy((PolicyLog(key, "https://log.example/"),), (), (), "none")
    (folder / "log" / "policy").write_text(format_policy(policy))
    assert audited(folder).holds
    with pytest.raises(UserError, match="check it beside its JSON"):
        audited(folder, "report/2015H2.html")


# --- Whatever is changed in the ledger ----------------------------------------------------


def test_a_changed_byte_of_a_bundle_is_found_by_the_log_s_own_checks(folder: Path) -> None:
    bundles = (folder / "log" / "tile" / "entries").rglob("*")
    bundle = next(each for each in bundles if each.is_file())
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(data)
    with pytest.raises(VerificationError, match="tile/entries"):
        audited(folder)


def forged(world: World, place: int, change: bytes) -> None:
    """The log's own key signs an entry that decides what nobody has decided."""
    entry = decode_entry(world.log[place])
    assert isinstance(entry, Record)
    world.log[place] = Record(entry.kind, entry.epoch, change).encode()


def test_a_log_that_signs_a_false_decision_is_refused_at_its_entry(folder: Path) -> None:
    world = told()
    records = [at for at, data in enumerate(world.log) if isinstance(decode_entry(data), Record)]
    honest = list(world.log)
    for at, other in zip(records[1:], records, strict=False):
        world.log = list(honest)
        body = decode_entry(honest[other])
        assert isinstance(body, Record)
        forged(world, at, body.body)
        world.mirror(folder / "log")
        with pytest.raises(VerificationError, match=r"entry \d+ of the log.* \[G[0-9]+\]$"):
            audited(folder)


def test_another_log_of_that_name_is_not_the_ledger(folder: Path) -> None:
    (folder / "log" / "checkpoint").write_bytes(World(seed=7).note())
    with pytest.raises(VerificationError, match="checkpoint"):
        audited(folder)


# --- What cannot be read ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "ledger", "kind"),
    [
        ("nothing", "log", InputError),
        ("2015H2.json", "log", UserError),
        ("log", "log", UserError),
        ("report", "nothing", UserError),
        ("report", "report", UserError),
    ],
)
def test_what_is_not_there_is_said(
    folder: Path, target: str, ledger: str, kind: type[BlackthornError]
) -> None:
    with pytest.raises(kind):
        check(str(folder / target), str(folder / ledger), None, silent)


def test_an_address_that_does_not_answer_is_said(folder: Path) -> None:
    with pytest.raises(UnavailableError):
        check("http://127.0.0.1:9/report/2015H2", str(folder / "log"), None, silent)
    with pytest.raises(UserError, match="add its period"):
        check("http://127.0.0.1:9/report/", str(folder / "log"), None, silent)


def test_a_disk_that_is_full_leaves_no_half_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = folder / "out"

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write(out, {"2015H2.json": b"{}"})
    assert list(out.iterdir()) == []
    with pytest.raises(UserError, match="cannot be made"):
        write(folder / "report" / FEED, {})
