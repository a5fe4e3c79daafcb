"""`blackthorn mail certificate` and `mail keys` on a device whose server cannot be reached."""

import json
import os

import pysequoia
import pytest

from blackthorn.crypto.openpgp import compatible
from blackthorn.crypto.openpgp.armor import armor_certificate, read_certificates
from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.openpgp_seal import parse_certificate
from blackthorn.device.mail import keys, limits, outside_keys
from blackthorn.ids import Address
from blackthorn.ports.outside.keys import Source
from tests.support.device_home import activated, invoke

BEA = Address("bea@out.example")
MADE = 1_700_000_000
FIRST = compatible.generate(BEA, MADE, os.urandom)[1]
SECOND = compatible.generate(BEA, MADE + 1, os.urandom)[1]
NOW_MS = 1_790_000_000_000


def fingerprint(certificate: bytes) -> str:
    return parse_certificate(certificate).fingerprint.lower()


def test_a_changed_certificate_is_shown_accepted_and_forgotten(monkeypatch, tmp_path) -> None:
    _, vault, _ = activated(tmp_path, monkeypatch)
    with vault.transaction() as records:
        outside_keys.learn(records, BEA, Source.WKD, FIRST, NOW_MS)
        outside_keys.learn(records, BEA, Source.WKD, SECOND, NOW_MS)
    shown = invoke("mail", "keys", "list").output
    assert fingerprint(FIRST) in shown and "changed: wkd offers" in shown
    (listed,) = json.loads(invoke("mail", "keys", "list", "--json").output)
    assert listed["offered_fingerprint"] == fingerprint(SECOND)
    assert invoke("mail", "keys", "accept", BEA).exit_code != 0  # no terminal, and no --yes
    assert fingerprint(SECOND) in invoke("mail", "keys", "accept", BEA, "--yes").output
    (listed,) = json.loads(invoke("mail", "keys", "list", "--json").output)
    assert (listed["fingerprint"], listed["source"]) == (fingerprint(SECOND), "person")
    assert invoke("mail", "keys", "forget", BEA).exit_code == 0
    assert json.loads(invoke("mail", "keys", "list", "--json").output) == []
    assert "nothing is known" in str(invoke("mail", "keys", "forget", BEA).exception)


def test_a_certificate_from_a_file_is_pinned_once_the_person_vouches(monkeypatch, tmp_path) -> None:
    _, vault, _ = activated(tmp_path, monkeypatch)
    file = tmp_path / "bea.asc"
    file.write_bytes(armor_certificate(FIRST))
    assert invoke("mail", "keys", "add", BEA, file).exit_code != 0  # no terminal, and no --yes
    assert json.loads(invoke("mail", "keys", "list", "--json").output) == []
    assert fingerprint(FIRST) in invoke("mail", "keys", "add", BEA, file, "--yes").output
    with vault.transaction() as records:
        outside_keys.learn(records, BEA, Source.WKD, SECOND, NOW_MS)
        assert outside_keys.learn(records, BEA, Source.WKD, SECOND, NOW_MS).offered
    file.write_bytes(SECOND)  # binary
    assert invoke("mail", "keys", "add", BEA, file, "--yes").exit_code == 0
    (listed,) = json.loads(invoke("mail", "keys", "list", "--json").output)
    assert (listed["fingerprint"], listed["source"]) == (fingerprint(SECOND), "person")
    assert listed["offered_fingerprint"] is None


@pytest.mark.parametrize(
    ("whose", "content", "says"),
    [
        ("eve@out.example", FIRST, "not for eve@out.example"),
        (BEA, b"", "not an OpenPGP certificate"),
        (BEA, b"junk", "no OpenPGP certificate"),
        (BEA, armor_certificate(FIRST)[:-90], "no OpenPGP certificate"),
        (BEA, b" " * (limits.MAX_CERTIFICATE_FILE_BYTES + 1), "1024 KiB"),
        (BEA, FIRST * 9, "9 certificates"),
        ("bob@acme.example", FIRST, "the ledger shows"),
    ],
)
def test_a_file_without_their_good_certificate_is_refused(
    monkeypatch, tmp_path, whose, content, says
) -> None:
    activated(tmp_path, monkeypatch)
    file = tmp_path / "bea.asc"
    file.write_bytes(content)
    assert says in str(invoke("mail", "keys", "add", whose, file, "--yes").exception)
    assert json.loads(invoke("mail", "keys", "list", "--json").output) == []


def test_the_compatible_certificate_is_made_on_the_device_and_exported(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    _, vault, _ = activated(tmp_path, monkeypatch)
    assert "--compatible" in str(invoke("mail", "certificate", "add", "--yes").exception)
    file, word = tmp_path / "key.asc", tmp_path / "word"
    word.write_text("a passphrase that is long\n")
    exported = ("mail", "certificate", "export", file, "--passphrase-file", word)
    assert "add --compatible" in str(invoke(*exported).exception)
    first = tmp_path / "first.asc"
    secret, certificate = generate_user_key("me@acme.example")
    with vault.transaction() as records:
        keys.keep(records, secret, certificate, NOW_MS)
    assert invoke("mail", "certificate", "export", first, "--public").exit_code == 0
    assert read_certificates(first.read_bytes()) == [certificate]
    with vault.transaction() as records:
        secret, certificate = compatible.generate("me@acme.example", MADE, os.urandom)
        keys.keep(records, secret, certificate, NOW_MS)
    (listed,) = json.loads(invoke("mail", "certificate", "list", "--json").output)
    assert listed["fingerprint"] == fingerprint(certificate) and not listed["post_quantum"]
    result = invoke(*exported)
    assert result.exit_code == 0, result.exception
    assert file.stat().st_mode & 0o777 == 0o600
    key = pysequoia.Tsk.from_bytes(file.read_bytes())
    assert parse_certificate(bytes(key.extract_certificate())).fingerprint == fingerprint(
        certificate
    )
    public = tmp_path / "public.asc"
    assert invoke("mail", "certificate", "export", public, "--public").exit_code == 0
    assert b"PUBLIC KEY BLOCK" in public.read_bytes()
