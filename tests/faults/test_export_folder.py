"""The folder of an export: whole or not there; and whatever is changed in it is found by name."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blackthorn.device.export.export import build
from blackthorn.device.export.manifest import Manifest, decode_manifest, encode_manifest, signed
from blackthorn.errors import SecurityError, StorageError, UserError
from blackthorn.programs.device.export.check import require_whole, verify_export
from blackthorn.programs.device.export.folder import FolderSink
from tests.support import runs
from tests.support.export_world import Person, mail, ordinary

slow = settings(
    max_examples=runs.many(80),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def export_into(folder: Path, person: Person | None = None) -> Path:
    with FolderSink(folder) as sink:
        build(person or ordinary(), sink)
    return folder


def files_of(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_into(tmp_path_factory.mktemp("made") / "out")


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


# --- Whole --------------------------------------------------------------------------------


def test_an_export_is_whole_private_and_signed(made: Path) -> None:
    check = verify_export(made)
    assert check.findings == [] and check.device == "laptop" and check.statements == 1
    require_whole(check)
    assert made.stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o777 for each in made.rglob("*") if each.is_file()} == {0o600}
    assert not made.with_name("out.partial").exists()


def test_an_export_of_nothing_verifies(tmp_path: Path) -> None:
    assert verify_export(export_into(tmp_path / "out", Person())).findings == []


def test_each_key_has_a_file_and_their_number_is_held_to_the_manifest(tmp_path: Path) -> None:
    person = replace(ordinary(), locked_keys=(b"oldest\n", b"newest\n"))
    folder = export_into(tmp_path / "out", person)
    assert [(folder / f"keys/openpgp-secret-00{n}.asc").read_bytes() for n in (1, 2)] == [
        b"oldest\n",
        b"newest\n",
    ]
    assert verify_export(folder).findings == []
    assert "import these into a mail program" in (folder / "README.txt").read_text()
    manifest = decode_manifest((folder / "manifest.json").read_bytes())
    fewer = [entry for entry in manifest.files if entry.path != "keys/openpgp-secret-001.asc"]
    (folder / "keys/openpgp-secret-001.asc").unlink()
    sign_again(folder, msgspec.structs.replace(manifest, files=fewer), person)
    assert verify_export(folder).findings == ["manifest.json: says 2 keys, and there are 1"]


def test_an_export_of_an_earlier_version_verifies(tmp_path: Path) -> None:
    """All its keys are in one file."""
    person = replace(ordinary(), locked_keys=(b"all keys\n",))
    folder = export_into(tmp_path / "out", person)
    (folder / "keys/openpgp-secret-001.asc").rename(folder / "keys/openpgp-secret.asc")
    encoded = (folder / "manifest.json").read_bytes().replace(b"secret-001", b"secret")
    manifest = decode_manifest(encoded)
    counts = msgspec.structs.replace(manifest.counts, keys=3)
    sign_again(folder, msgspec.structs.replace(manifest, counts=counts), person)
    assert verify_export(folder).findings == []


def sign_again(folder: Path, manifest: Manifest, person: Person) -> None:
    encoded = encode_manifest(manifest)
    (folder / "manifest.json").write_bytes(encoded)
    (folder / "manifest.sig").write_bytes(signed(encoded, person.signing))


# --- Every change is found and named ------------------------------------------------------


@slow
@given(data=st.data())
def test_any_flipped_bit_is_found_and_named(made: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(files_of(made)))
    path = made / name
    before = path.read_bytes()
    place = data.draw(st.integers(0, 8 * len(before) - 1))
    changed = bytearray(before)
    changed[place // 8] ^= 1 << place % 8
    path.write_bytes(changed)
    try:
        check = verify_export(made)
        assert any(name in each for each in check.findings), (name, place, check.findings)
        with pytest.raises(SecurityError, match="not as it was made"):
            require_whole(check)
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("number", range(14))
def test_any_removed_file_is_found_and_named(copy: Path, number: int) -> None:
    names = files_of(copy)
    name = names[number % len(names)]
    (copy / name).unlink()
    assert any(each.startswith(name) for each in verify_export(copy).findings)


@pytest.mark.parametrize("number", range(14))
def test_any_cut_file_is_found_and_named(copy: Path, number: int) -> None:
    names = files_of(copy)
    name = names[number % len(names)]
    os.truncate(copy / name, (copy / name).stat().st_size - 1)
    assert any(name in each for each in verify_export(copy).findings)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a mail more": (lambda f: (f / "mail/000099.eml").write_bytes(b"x"), "mail/000099.eml: was"),
    "a page more": (lambda f: (f / "x\x1b[2J.html").write_bytes(b"x"), "was added"),
    "an empty folder": (lambda f: (f / "more").mkdir(), "more: is an empty folder"),
    "a link for a file": (
        lambda f: ((f / "contacts.vcf").unlink(), (f / "contacts.vcf").symlink_to("/etc/passwd")),
        "contacts.vcf: is neither",
    ),
    "a pipe": (lambda f: os.mkfifo(f / "pipe"), "pipe: is neither"),
    "a folder for the manifest": (
        lambda f: ((f / "manifest.json").unlink(), (f / "manifest.json").mkdir()),
        "manifest.json: ",
    ),
    "no JSON": (lambda f: (f / "manifest.json").write_bytes(b"{"), "manifest.json is not"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_added_is_found_and_named(copy: Path, name: str) -> None:
    change, finding = CHANGES[name]
    change(copy)
    findings = verify_export(copy).findings
    assert any(finding in each for each in findings), findings
    assert not any("\x1b" in each for each in findings)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a folder"):
        verify_export(tmp_path / "missing")


def test_a_folder_that_is_no_export_is_said_and_is_no_alarm(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for other in (tmp_path / "photos", copy / "mail"):
        with pytest.raises(UserError, match=r"is no export: none of its files manifest\.json"):
            verify_export(other)
    for name in ("manifest.json", "manifest.sig"):
        (copy / name).unlink()  # what somebody took away is still an alarm
        assert verify_export(copy).findings


# --- An exporter that is wrong is found too -----------------------------------------------


class Liar(FolderSink):
    """Writes something else than it is told, and is believed by the manifest's hashes."""

    def __init__(self, folder: Path, victim: str, change: Callable[[bytes], bytes]) -> None:
        super().__init__(folder)
        self._victim, self._change = victim, change

    def forge(self, person: Person) -> None:
        build(person, self)
        path = self.partial / self._victim
        path.write_bytes(self._change(path.read_bytes()))
        manifest = json.loads((self.partial / "manifest.json").read_bytes())
        for each in manifest["files"]:
            if each["path"] == self._victim:
                each["bytes"] = path.stat().st_size
                each["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        encoded = encode_manifest(decode_manifest(json.dumps(manifest).encode()))
        (self.partial / "manifest.json").write_bytes(encoded)
        (self.partial / "manifest.sig").write_bytes(signed(encoded, person.signing))


@pytest.mark.parametrize(
    ("victim", "change", "finding"),
    [
        ("mail.mbox", lambda data: data.replace(b"hello", b"hallo", 1), "another mail than"),
        ("mail.mbox", lambda data: data[: len(data) // 2], "has another mail than mail/000003"),
        ("mail.mbox", lambda data: b"", "ends before mail/000001.eml"),
        ("mail.mbox", lambda data: data + b"From x y\n\n", "a mail that no file has"),
        ("contacts.vcf", lambda data: data + b"BEGIN:VCARD\r\n", "says 2 contacts, and there"),
    ],
)
def test_files_that_disagree_are_found(
    tmp_path: Path, victim: str, change: Callable[[bytes], bytes], finding: str
) -> None:
    with Liar(tmp_path / "out", victim, change) as liar:
        liar.forge(ordinary())
    findings = verify_export(tmp_path / "out").findings
    assert any(finding in each for each in findings), findings


# --- Faults while it is written -----------------------------------------------------------


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="exists already"):
        export_into(tmp_path / "out")
    (tmp_path / "two").symlink_to("nowhere")
    with pytest.raises(UserError, match="exists already"):
        export_into(tmp_path / "two")


def test_a_folder_that_is_no_unfinished_export_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "out.partial"
    mine.mkdir()
    (mine / "letter").write_text("mine")
    with pytest.raises(UserError, match="no unfinished export"):
        export_into(tmp_path / "out")
    assert (mine / "letter").read_text() == "mine"


def test_two_at_a_time_are_kept_apart(tmp_path: Path) -> None:
    with FolderSink(tmp_path / "out") as sink:
        with pytest.raises(UserError, match="another export"):
            export_into(tmp_path / "out")
        build(ordinary(), sink)
    assert verify_export(tmp_path / "out").findings == []


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), FolderSink(tmp_path / "out") as sink:
        build(ordinary(), sink)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be made"):
        export_into(tmp_path / "file" / "out")
    with pytest.raises(StorageError, match="cannot be made"):
        export_into(tmp_path / "missing" / "out")


_CHILD = """
import resource, sys, time
from pathlib import Path
from blackthorn.cli import terminal
from tests.faults.test_export_folder import export_into
from tests.support.export_world import Person, mail

class Slow(Person):
    def mails(self):
        for number in range(1, 2000):
            yield mail(number, b"Subject: x\\r\\n\\r\\n" + b"x" * 2000)
            if sys.argv[2] == "slow":
                time.sleep(0.005)
if sys.argv[2] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
sys.exit(terminal.run(lambda: export_into(Path(sys.argv[1]), Slow())))
"""


def child(folder: Path, how: str) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", _CHILD, str(folder), how]
    return subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)


def test_a_full_disk_is_one_clear_line_and_leaves_nothing(tmp_path: Path) -> None:
    """A bound on the size of files is met like a full disk: the mbox cannot grow."""
    process = child(tmp_path / "out", "full")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 5, said
    assert said.startswith("blackthorn: ") and "mail.mbox cannot be written" in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_after_a_kill_nothing_is_taken_for_whole_and_the_next_run_is_clean(tmp_path: Path) -> None:
    process = child(tmp_path / "out", "slow")
    partial = tmp_path / "out.partial"
    deadline = time.monotonic() + 30
    while not (partial / "mail" / "000020.eml").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert [each.name for each in tmp_path.iterdir()] == ["out.partial"]
    with pytest.raises(UserError, match="is no export"):
        verify_export(partial)
    export_into(tmp_path / "out", Person(mail=[mail(1, b"x")]))
    assert [each.name for each in tmp_path.iterdir()] == ["out"]
    assert verify_export(tmp_path / "out").findings == []
