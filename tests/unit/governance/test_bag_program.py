"""A package on disk: made whole or not at all, finished again and again, sealed, checked."""

import errno
import gzip
import io
import json
import tarfile

import pysequoia
import pytest
from typer.testing import CliRunner

from blackthorn.audit import evidence, package
from blackthorn.cli import main, terminal
from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.openpgp_seal import CertificateError
from blackthorn.crypto.secret import Secret
from blackthorn.errors import StorageError, UserError, VerificationError
from blackthorn.programs.server import production
from blackthorn.programs.server.production import finish, produce, seal_package
from blackthorn.tlog.policy import format_policy
from tests.support.bags import (
    CASE,
    ORIGIN,
    POLICY,
    REGISTER,
    SEED,
    MemoryRows,
    build,
    prove,
    whole,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "D-000002.tar"


@pytest.fixture
def made(path):
    path.write_bytes(whole())
    return path


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.txt"
    path.write_text(format_policy(POLICY))
    return path


@pytest.fixture
def folder(tmp_path):
    with tarfile.open(fileobj=io.BytesIO(whole())) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / CASE.id


def test_it_is_made_and_finished_as_the_engine_says(path) -> None:
    built = produce(CASE, MemoryRows(), path)
    assert (path.read_bytes(), built) == build()
    assert path.stat().st_mode & 0o777 == 0o600
    proof = prove(CASE.id, built.manifest_hash)
    finish(CASE, path, ORIGIN, SEED, proof)
    assert path.read_bytes() == whole()
    finish(CASE, path, ORIGIN, SEED, proof)
    assert path.read_bytes() == whole()


@pytest.mark.parametrize("cut", [1, 700, 1_500, 3_000])
def test_finishing_that_was_killed_is_done_again(made, cut: int) -> None:
    """Whatever part of the end was written when the machine stopped."""
    _, built = build()
    made.write_bytes(whole()[: built.end + cut])
    finish(CASE, made, ORIGIN, SEED, prove(CASE.id, built.manifest_hash))
    assert made.read_bytes() == whole()


def test_what_is_no_whole_bag_is_not_finished(path) -> None:
    data, built = build()
    proof = prove(CASE.id, built.manifest_hash)
    path.write_bytes(data[: built.end - 2_000])
    with pytest.raises((StorageError, VerificationError)):
        finish(CASE, path, ORIGIN, SEED, proof)
    path.write_bytes(bytes(1024))
    with pytest.raises(StorageError, match="not a complete package"):
        finish(CASE, path, ORIGIN, SEED, proof)


def test_a_file_that_is_there_is_kept(made) -> None:
    with pytest.raises(UserError, match="exists already"):
        produce(CASE, MemoryRows(), made)
    assert made.read_bytes() == whole()


@pytest.mark.parametrize("after", [0, 5, 40])
def test_a_full_disk_leaves_no_file(path, monkeypatch, after: int) -> None:
    pieces = iter(range(10_000))

    def full(file, piece) -> None:
        if next(pieces) >= after:
            raise OSError(errno.ENOSPC, "No space left on device")
        file.write(piece)

    monkeypatch.setattr(production, "_write", full)
    with pytest.raises(StorageError, match="No space left"):
        produce(CASE, MemoryRows(), path)
    assert not list(path.parent.iterdir())


def decryptor(key: Secret) -> pysequoia.PyDecryptor:
    return pysequoia.Tsk.from_bytes(key.expose()).decryptor()


def test_sealed_to_the_authority_it_opens_with_its_key_alone(made) -> None:
    key, certificate = generate_user_key("authority@court.example")
    sealed = seal_package(made, certificate, now=CASE.approved_ms // 1000 + 10**9)
    assert sealed.name == "D-000002.tar.pgp"
    assert b"D-000002/" not in sealed.read_bytes()
    data = sealed.read_bytes()
    assert pysequoia.decrypt(data, decryptor=decryptor(key)).bytes == whole()
    other, _ = generate_user_key("other@court.example")
    with pytest.raises(Exception, match="decrypt"):
        pysequoia.decrypt(data, decryptor=decryptor(other))
    assert sealed.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UserError, match="exists already"):
        seal_package(made, certificate, now=0)


def test_no_certificate_no_file(made) -> None:
    with pytest.raises(CertificateError):
        seal_package(made, b"no certificate", now=0)
    assert [each.name for each in made.parent.iterdir()] == [made.name]


# --- blackthorn audit package -----------------------------------------------------------------


def test_tar_and_folder_are_checked_alike(made, folder, policy) -> None:
    of_tar = package.check_package(made, str(REGISTER), policy)
    packed = made.with_suffix(".tar.gz")
    packed.write_bytes(gzip.compress(made.read_bytes()))
    assert of_tar == package.check_package(packed, str(REGISTER), policy)
    (folder / ".DS_Store").write_bytes(b"Bud1")
    (folder / "data" / "._a").write_bytes(b"x")
    assert of_tar == package.check_package(folder, str(REGISTER), policy)
    enclosed = str(folder / "proof" / "register.vkey")
    assert of_tar == package.check_package(folder, enclosed, policy)


def test_P3_a_link_in_a_folder_is_not_followed(folder, policy) -> None:
    target = folder / "README.txt"
    target.unlink()
    target.symlink_to("/etc/passwd")
    with pytest.raises(VerificationError, match="P3"):
        package.check_package(folder, str(REGISTER), policy)


def test_what_cannot_be_read_is_the_callers_fault(tmp_path, made, policy) -> None:
    for arguments in (
        (tmp_path / "none", None, None),
        (made, "no key", None),
        (made, "a+b+c", None),
        (made, None, made),
        (made, None, tmp_path / "none"),
    ):
        with pytest.raises(UserError):
            package.check_package(*arguments)


def test_a_file_that_is_plainly_none_is_told_from_a_damaged_one(tmp_path, made) -> None:
    letter, empty = tmp_path / "letter", tmp_path / "empty"
    letter.write_text("Dear all, " * 200)
    empty.mkdir()
    for target in (letter, empty):
        with pytest.raises(UserError, match="is no package of a directive"):
            package.check_package(target, None, None)
    with pytest.raises(UserError, match="this is no file of evidence"):
        evidence.verify(letter.read_bytes())
    whole = made.read_bytes()
    for damaged in (b"?" + whole[1:], whole[:700]):
        letter.write_bytes(damaged)
        with pytest.raises(VerificationError):
            package.check_package(letter, None, None)
    with pytest.raises(VerificationError):
        evidence.verify(b"{")


def test_the_command_says_what_was_pinned(made, policy) -> None:
    run = CliRunner().invoke
    pinned = ["--register", str(REGISTER), "--policy", str(policy)]
    result = run(main.app, ["audit", "package", str(made), "--json", *pinned])
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (document["register_key"], document["policy"]) == ("given", "given")
    assert document["manifest"] == build()[1].manifest_hash.hex()
    result = run(main.app, ["audit", "package", str(made)])
    assert result.exit_code == 0
    assert "(only the package names it)" in result.output
    assert "(checked with the policy that the package encloses)" in result.output
    assert "package is consistent" in result.output
    result = run(main.app, ["audit", "package", str(made), *pinned])
    assert "(you gave it)" in result.output
    assert "(checked with the policy that you gave)" in result.output


def test_the_command_says_that_a_package_is_not_finished(tmp_path, monkeypatch, capsys) -> None:
    early = tmp_path / "early.tar"
    early.write_bytes(build()[0])
    monkeypatch.setattr("sys.argv", ["blackthorn", "audit", "package", str(early)])
    assert terminal.run(main.app) == 6
    said = capsys.readouterr().err
    assert "is not finished, so it proves nothing yet" in said


def test_the_command_fails_with_the_rule(made) -> None:
    made.write_bytes(whole()[:-600])
    result = CliRunner().invoke(main.app, ["audit", "package", str(made)])
    assert isinstance(result.exception, VerificationError)
    assert result.exception.rule == "P1"
