"""`blackthorn directive produce`: the package is checked on the device before anybody signs."""

import hashlib
from dataclasses import replace

import pysequoia
import pytest

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.errors import (
    InputError,
    SecurityError,
    UnavailableError,
    UserError,
    VerificationError,
)
from tests.support import bags
from tests.support.office_world import OfficeWorld

CASE = replace(bags.CASE, id="D-000001", accounts=(bags.ALICE,), categories=("sealed-mail",))
PRODUCE = ("directive", "produce", "D-000001")


def serve(office, case=CASE, *, finished=False):
    """The office has this package."""
    data, built = bags.build(case)
    office.package = bags.whole(case) if finished else data
    office.part = {
        "manifest": built.manifest_hash,
        "items": built.items,
        "accounts_with_data": built.accounts_with_data,
    }
    return built


@pytest.fixture
def world(tmp_path, monkeypatch):
    """An approved directive about ALICE's sealed mail."""
    made = OfficeWorld(tmp_path, monkeypatch)
    made.founded()
    (tmp_path / "demand").write_bytes(b"We demand.")
    words = [
        *("directive", "receive", "--kind", "production", "--country", "PK"),
        *("--authority", "Court", "--basis", "B", "--process", "order", "--channel", "post"),
        *("--received", "2015-07-24", "--document", tmp_path / "demand"),
        *("--account", bags.ALICE, "--category", "sealed-mail", "--category", "account-facts"),
    ]
    made.run("lea", *words, "--yes")
    case = "D-000001"
    made.both("lea", "ann", "directive", "verify", case, "--contact", "c", "--source", "s")
    made.both("lea", "ann", "directive", "assess", case, "--decision", "comply", "--grounds", "G")
    made.both("lea", "cus", "directive", "approve", case, "--category", "sealed-mail")
    monkeypatch.chdir(tmp_path)
    return made


def test_two_people_look_at_the_package_and_sign_its_manifest(world, tmp_path):
    built = serve(world.office)
    told = world.run("cus", *PRODUCE, "--yes")
    assert "every hash holds" in told and built.manifest_hash.hex() in told
    assert "2.sealed" in told and "produce waits for" in told
    assert (tmp_path / "D-000001.tar").read_bytes() == world.office.package
    assert "is there already" in world.run("ann", *PRODUCE, "--yes", error=UserError)
    told = world.run("ann", *PRODUCE, "--out", tmp_path / "second.tar", "--yes")
    assert "produce is decided" in told and "no proof yet" in told
    serve(world.office, finished=True)
    told = world.run("cus", *PRODUCE, "--out", tmp_path / "whole.tar")
    assert "the ledger's proof" in told
    assert (tmp_path / "whole.tar").read_bytes() == world.office.package
    told = world.both("cus", "ann", "directive", "deliver", "D-000001")
    assert "deletes its copy" in told
    fetched = world.run("cus", *PRODUCE, "--out", tmp_path / "late.tar", error=UserError)
    assert "keeps no copy" in fetched
    assert world.json("ann", "directive", "show", "D-000001")["state"] == "delivered"


def test_it_is_sealed_to_the_authority_and_nothing_else_is_written(world, tmp_path):
    secret, certificate = generate_user_key("court@example.org")
    armored = tmp_path / "court.asc"
    armored.write_text(str(pysequoia.Cert.from_bytes(certificate)))
    serve(world.office)
    out = tmp_path / "sealed.pgp"
    world.run("cus", *PRODUCE, "--to", armored, "--out", out, "--yes")
    world.run("ann", *PRODUCE, "--to", armored, "--out", tmp_path / "second.pgp", "--yes")
    shown = world.json("ann", "directive", "show", "D-000001")
    assert shown["steps"][-1]["public"]["recipient"] == hashlib.sha256(certificate).hexdigest()
    key = pysequoia.Tsk.from_bytes(secret.expose())
    opened = pysequoia.decrypt(out.read_bytes(), decryptor=key.decryptor()).bytes
    assert opened == world.office.package
    assert not list(tmp_path.glob("*.part")) and not list(tmp_path.glob("*.tar"))


def test_what_is_no_certificate_seals_nothing(world, tmp_path):
    serve(world.office)
    for text in (b"nonsense", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n=\n"):
        (tmp_path / "bad.asc").write_bytes(text)
        words = (*PRODUCE, "--to", tmp_path / "bad.asc", "--yes")
        world.run("cus", *words, error=(InputError, UserError))
        assert world.office.pending == {}
    assert not list(tmp_path.glob("D-*"))


@pytest.mark.parametrize(
    ("case", "error", "says"),
    [
        (replace(CASE, id="D-000002"), VerificationError, "of D-000002"),
        (replace(CASE, accounts=(bags.ALICE, bags.BOB)), SecurityError, "does not name"),
        (replace(CASE, categories=("account-facts",)), SecurityError, "not approved"),
    ],
)
def test_a_package_of_something_else_is_not_signed_for(world, case, error, says):
    serve(world.office, case)
    assert says in world.run("cus", *PRODUCE, "--yes", error=error)
    assert world.office.pending == {}


def test_a_package_that_was_changed_is_not_signed_for(world, tmp_path):
    serve(world.office)
    data = bytearray(world.office.package)
    data[data.index(b"ustar") + 1000] ^= 1
    world.office.package = bytes(data)
    world.run("cus", *PRODUCE, "--yes", error=SecurityError)
    assert world.office.pending == {} and not list(tmp_path.glob("D-*"))


def test_what_the_server_says_of_it_must_agree(world):
    serve(world.office)
    world.office.part["manifest"] = bytes(32)
    text = world.run("cus", *PRODUCE, "--yes", error=SecurityError)
    assert "not what the server says" in text and world.office.pending == {}


def test_another_package_after_the_signing_is_noticed(world, tmp_path):
    serve(world.office)
    world.run("cus", *PRODUCE, "--yes")
    signing = ("ann", "directive", "sign", "D-000001")
    assert "have not looked" in world.run(*signing, "--yes", error=UserError)
    assert "nothing was signed" in world.run(*signing, "--dry-run")
    world.run("ann", *PRODUCE, "--out", tmp_path / "second.tar", "--yes")
    serve(world.office, replace(CASE, from_ms=2000))
    out = tmp_path / "another.tar"
    text = world.run("cus", *PRODUCE, "--out", out, error=SecurityError)
    assert "another than the one that was signed for" in text and not out.exists()


def test_a_dry_run_lists_it_and_leaves_nothing(world, tmp_path):
    serve(world.office)
    told = world.run("cus", *PRODUCE, "--dry-run")
    assert "2.sealed" in told and "nothing was signed" in told
    assert not list(tmp_path.glob("D-*")) and world.office.pending == {}


def test_what_the_server_has_not_made_yet_is_not_the_persons_fault(world):
    serve(world.office)
    world.office.part |= {"refusal": "the ledger shows it with its next epoch: try again"}
    world.run("cus", *PRODUCE, "--yes", error=UserError)
    world.office.part |= {"later": True}
    world.run("cus", *PRODUCE, "--yes", error=UnavailableError)


def test_before_it_is_approved_there_is_none(world, tmp_path):
    words = ("directive", "contest", "D-000001", "--court", "C", "--filed", "2015-09-01")
    world.both("lea", "ann", *words)
    assert "is contested" in world.run("cus", *PRODUCE, "--yes", error=UserError)


def test_the_letter_that_is_there_is_not_overwritten(world, tmp_path):
    words = ("directive", "contest", "D-000001", "--court", "C", "--filed", "2015-09-01")
    world.both("lea", "ann", *words)
    (tmp_path / "D-000001.txt").write_text("mine")
    words = ("directive", "refuse", "D-000001", "--reason", "not-lawful", "--yes")
    assert "another letter" in world.run("lea", *words, error=UserError)
    told = world.run("lea", *words, "--letter", tmp_path / "D-000001.txt")
    assert hashlib.sha256(b"mine").hexdigest() in told
