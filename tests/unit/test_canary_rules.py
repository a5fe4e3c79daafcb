"""The audit's judgement: which finding breaks which rule, and when the audit is blind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from blackthorn.audit.plaintext.search import Marker
from blackthorn.audit.plaintext.verdict import (
    KINDS,
    Audit,
    Report,
    Rule,
    Verdict,
    code_marker,
    mint,
    read_markers,
)
from blackthorn.cli import terminal
from blackthorn.cli.audit.audit import print_report
from blackthorn.errors import UserError

PUBLIC = mint("address", "public")
SECRETS = [mint(kind, kind) for kind in KINDS if kind != "public"]


HOLD = "import sys; held = sys.stdin.readline(); print('held', flush=True); sys.stdin.read()"


def audited(folder: Path, *markers: Marker) -> Audit:
    """An audit of `folder` and of a small process, whose memory does hold the markers."""
    audit = Audit([folder])
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin and process.stdout
        process.stdin.write(" ".join(each for one in markers for each in one.spellings) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "held\n"
        audit.search(process.pid, markers)
        process.kill()
    return audit


@pytest.mark.parametrize("secret", SECRETS, ids=lambda marker: marker.kind)
def test_a_secret_on_disk_is_found(tmp_path: Path, secret: Marker) -> None:
    (tmp_path / "blackthorn.db-wal").write_text(f"{PUBLIC.spellings[0]} {secret.spellings[0]}")
    report = audited(tmp_path, PUBLIC, secret).report()
    verdict = next(each for each in report.verdicts if each.kind == secret.kind)
    assert verdict.disk == (f"{tmp_path.name}/blackthorn.db-wal (plain)",)
    assert verdict.broken and report.found == 1 and report.sees and not report.clean


@pytest.mark.parametrize("secret", SECRETS, ids=lambda marker: marker.kind)
def test_memory_counts_for_all_but_plain_mail(tmp_path: Path, secret: Marker) -> None:
    (tmp_path / "blackthorn.db").write_text(PUBLIC.spellings[0])
    report = audited(tmp_path, PUBLIC, secret).report()
    verdict = next(each for each in report.verdicts if each.kind == secret.kind)
    assert verdict.memory and not verdict.disk
    assert verdict.broken == (KINDS[secret.kind] is Rule.NOWHERE)


def test_an_audit_that_does_not_see_is_not_clean(tmp_path: Path) -> None:
    report = audited(tmp_path, PUBLIC).report()
    assert report.found == 0 and not report.sees and not report.clean


def test_an_audit_without_a_public_marker_is_not_clean(tmp_path: Path) -> None:
    assert not Audit([tmp_path]).report().clean


def test_an_activation_code_is_known_by_its_words_in_any_spelling(tmp_path: Path) -> None:
    marker = code_marker("code", "4711-adult-Adrift-aftermath-absurd")
    assert not any("4711" in spelling for spelling in marker.spellings)
    (tmp_path / "log").write_text("adult adrift aftermath absurd")
    assert audited(tmp_path, marker).report().verdicts[0].disk


def test_minted_markers_differ() -> None:
    assert len({mint("same", "message").spellings for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("not json", "one JSON object a line"),
        ('{"name": "a", "text": "b"}', "one JSON object a line"),
        ('{"name": "a", "kind": "rumour", "text": "b"}', "unknown kinds"),
        ('{"name": "a", "kind": "message", "text": "b"}', "kind 'public'"),
    ],
)
def test_a_wrong_marker_file_is_told(tmp_path: Path, line: str, error: str) -> None:
    file = tmp_path / "markers"
    file.write_text(line)
    with pytest.raises(UserError, match=error):
        read_markers(file)


def test_a_marker_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "markers"
    file.write_text(json.dumps({"name": "a", "kind": "public", "text": "alice"}))
    assert read_markers(file) == [Marker("a", "public", ("alice",), whole=True)]


def test_a_report_has_each_marker_in_one_line_and_its_whole_places_below(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "out", Console(width=80))
    places = tuple(f"/a/folder/with/a/long/name/file-{number} (base64)" for number in range(4))
    found = Verdict("subject of a mail", "secret", "nowhere", places, ("12 (plain)",), True)
    print_report(Report((found,), 1, 1, 1))
    lines = capsys.readouterr().out.splitlines()
    (row,) = [line for line in lines if "│ nowhere" in line]
    assert "subject of a mail" in row and "FOUND" in row
    for place in places:
        assert f"subject of a mail, on disk: {place}" in lines
    assert "subject of a mail, in memory: 12 (plain)" in lines
