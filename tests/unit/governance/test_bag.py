"""The package as it is built: the same bytes each time, only what was asked for, a real bag."""

import io
import json
import subprocess
import sys
import tarfile
from dataclasses import replace

import pytest

from blackthorn.errors import ConflictError, InputError, LimitError
from blackthorn.governance import limits
from blackthorn.governance.directives import REASONS
from blackthorn.governance.package import layout
from blackthorn.governance.package.letters import Refusal, refusal_letter
from tests.support.bags import (
    ALICE,
    BOB,
    CASE,
    MemoryRows,
    build,
    files_of,
    whole,
)


def provenance(data: bytes) -> dict:
    return json.loads(files_of(data)["provenance.json"])


def test_the_same_case_and_rows_give_the_same_bytes() -> None:
    assert whole() == whole()
    shuffled = replace(CASE, accounts=CASE.accounts[::-1], categories=CASE.categories[::-1])
    assert build(shuffled) == build()


def test_another_row_gives_another_manifest() -> None:
    rows = MemoryRows()
    rows.parcels[BOB][7] = b"r"
    assert build(rows=rows)[1].manifest_hash != build()[1].manifest_hash


def test_names_are_sorted_and_every_header_is_fixed() -> None:
    data, built = build()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
    names = [each.name for each in members if each.isfile()]
    assert names == sorted(names)
    assert {(each.uid, each.gid, each.uname, each.gname, each.mtime) for each in members} == {
        (0, 0, "", "", CASE.approved_ms // 1000)
    }
    assert {each.mode for each in members} == {0o644, 0o755}
    assert data[built.end :] == bytes(1024)


def test_only_mail_of_the_period_is_in_it() -> None:
    found = [name for name in files_of(whole()) if "/mail/" in name and name.endswith(".sealed")]
    assert sorted(found) == [f"data/{ALICE}/mail/{uid}.sealed" for uid in (2, 3, 4, 5, 6)]


@pytest.mark.parametrize("category", layout.CATEGORIES)
def test_a_category_brings_its_own_files_and_no_other(category: str) -> None:
    data, built = build(replace(CASE, categories=(category,)))
    names = {name.split("/", 2)[2] for name in files_of(data) if name.startswith("data/")}
    assert (
        names
        <= {
            layout.ACCOUNT_FACTS: {"account.json"},
            layout.SEALED_MAIL: {f"mail/{uid}.sealed" for uid in range(2, 7)} | {"mail/index.json"},
            layout.WAITING_PARCELS: {"parcels/7.sealed", "parcels/index.json"},
            layout.IDENTITY_CHAIN: {"chain/1.statement", "chain.json"},
            layout.LEDGER_ENTRIES: set(),
        }[category]
    )
    assert list(json.loads(files_of(data)["provenance.json"])["queries"]) == [category]
    assert built.accounts_with_data == {"sealed-mail": 1, "identity-chain": 1}.get(
        category, 0 if category == "ledger-entries" else 2
    )


@pytest.mark.parametrize("categories", [(), ("everything",), ("sealed-mail", "live-feed")])
def test_a_category_that_there_is_not_is_refused(categories: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="categor"):
        build(replace(CASE, categories=categories))


@pytest.mark.parametrize("count", [0, limits.MAX_DIRECTIVE_ACCOUNTS + 1, 1_000])
def test_no_account_and_too_many_are_refused(count: int) -> None:
    with pytest.raises(InputError, match="account"):
        build(replace(CASE, accounts=tuple(f"u{each}@acme.example" for each in range(count))))


def test_a_wildcard_names_nobody() -> None:
    _, built = build(replace(CASE, accounts=("*@acme.example", "%", "*")))
    assert (built.items, built.accounts_with_data) == (0, 0)


def test_an_account_that_is_not_there_is_said_and_has_no_folder() -> None:
    data = whole()
    said = {each["address"]: each for each in provenance(data)["accounts"]}
    assert said["nobody@acme.example"]["exists"] is False
    assert not any("nobody" in name for name in files_of(data))


def test_every_sealed_file_is_marked() -> None:
    data = whole()
    sealed = [name for name in files_of(data) if name.endswith(".sealed")]
    assert provenance(data)["sealed"] == {"note": layout.CIPHERTEXT, "files": sealed}
    assert len(sealed) == 7


def test_a_row_that_changes_between_the_passes_is_noticed() -> None:
    class Changing(MemoryRows):
        def pieces(self, category, place):
            yield from super().pieces(category, place)
            self.parcels[ALICE][7] = self.parcels[ALICE][7].replace(b"p", b"P", 1)

    with pytest.raises(ConflictError, match="changed"):
        build(rows=Changing())


def test_a_package_with_too_many_files_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(limits, "MAX_PACKAGE_FILES", 40)
    with pytest.raises(LimitError, match="shorter period"):
        build()


def test_no_two_addresses_share_a_folder() -> None:
    long = "%" * 64 + "@" + "a" * 60 + ".example"
    named = {layout.folder_of(each) for each in (BOB, "b=2Fo=3Db@acme.example", long, long + "x")}
    assert len(named) == 4
    assert layout.folder_of(BOB) == "b=2Fo=3Db@acme.example"
    assert max(map(len, named)) <= 96


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_has_its_letter(reason: str) -> None:
    refusal = Refusal(
        "D-000001", "acme.example", "Ministry", "Article 5", 1_437_730_000_000, reason
    )
    text = refusal_letter(refusal)
    assert text == refusal_letter(refusal)
    for said in ("D-000001", "acme.example", "Ministry", "Article 5", "24 July 2015", "published"):
        assert said in text
    assert ("There is no such capability" in " ".join(text.split())) == (
        reason == "no-such-capability"
    )
    assert max(map(len, text.splitlines())) <= 80


# --- verify.py --------------------------------------------------------------------------------


def run_script(folder) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-I", "-S", folder / "verify.py"], capture_output=True, text=True
    )
    return done.returncode, done.stdout.splitlines()


@pytest.fixture
def folder(tmp_path):
    with tarfile.open(fileobj=io.BytesIO(whole())) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / CASE.id


def test_the_enclosed_program_accepts_the_package(folder) -> None:
    code, lines = run_script(folder)
    assert code == 0
    assert lines == [
        f"all hashes and the custody log hold; tag manifest {build()[1].manifest_hash.hex()}"
    ]


def test_the_enclosed_program_names_each_problem(folder) -> None:
    (folder / "data" / ALICE / "mail" / "2.sealed").write_bytes(b"other")
    (folder / "data" / ALICE / "mail" / "3.sealed").unlink()
    (folder / "data" / "more").write_bytes(b"")
    (folder / "link").symlink_to("/etc/passwd")
    code, lines = run_script(folder)
    assert code == 1
    assert lines == [
        "link: a link",
        f"data/{ALICE}/mail/2.sealed: changed",
        f"data/{ALICE}/mail/3.sealed: missing",
        "data/more: not listed",
    ]


def test_the_enclosed_program_follows_the_custody_log(folder) -> None:
    log = folder / "custody.jsonl"
    log.write_bytes(log.read_bytes().replace(b"receive", b"deceive"))
    code, lines = run_script(folder)
    assert code == 1
    assert "custody.jsonl: changed" in lines
    assert "custody.jsonl, line 3: does not follow the line before" in lines


def test_the_enclosed_program_says_that_it_cannot_read(folder) -> None:
    (folder / "provenance.json").write_bytes(b"[]")
    code, lines = run_script(folder)
    assert (code, len(lines)) == (1, 1)
    assert lines[0].startswith("the package cannot be read")
