"""Certificates and sealed mail beside GnuPG, sq, openpgp.js and Proton's fork of it."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blackthorn.crypto.openpgp import compatible
from blackthorn.crypto.openpgp.armor import armor_certificate, armor_locked_key
from blackthorn.crypto.openpgp.recipients import judge, seal_to_all
from blackthorn.crypto.openpgp_open import generate_user_key, unseal
from blackthorn.crypto.openpgp_seal import parse_certificate
from blackthorn.crypto.secret import Secret
from blackthorn.mail.pgp.open import open_mail
from blackthorn.mail.pgp.seal import Envelope, seal_mail
from tests.interop.drivers import PEERS

BEA = "bea@acme.example"
WORD = "a long passphrase"
TEXT = "Grüße, and a line that is not.\r\n".encode() * 200
NOW = int(time.time())
KEY_A, CERTIFICATE_A = generate_user_key(BEA)
KEY_B, CERTIFICATE_B = compatible.generate(BEA, NOW - 1, os.urandom)
LIBRARIES = ["openpgp", "@protontech/openpgp"]


def stored(certificate: bytes) -> bytes:
    """A mail as the server keeps it, sealed to this certificate."""
    envelope = Envelope("acme.example", BEA, "eve@out.example", "out", "192.0.2.1", True, NOW)
    return seal_mail(TEXT, envelope, parse_certificate(certificate), os.urandom)


def message_in(mail: bytes) -> bytes:
    start, end = mail.index(b"-----BEGIN PGP MESSAGE"), mail.index(b"-----END PGP MESSAGE-----")
    return mail[start : end + 25]


class Gpg:
    """GnuPG with a home of its own; `run` gives standard output, or fails with the errors."""

    def __init__(self, home: Path) -> None:
        if shutil.which("gpg") is None:
            pytest.fail("GnuPG is not installed: run `make web-peers`", pytrace=False)
        home.mkdir(mode=0o700)
        self._env = {**os.environ, "GNUPGHOME": str(home)}

    def run(self, *words: str, given: bytes = b"", passphrase: str = WORD) -> bytes:
        options = ["--batch", "--pinentry-mode", "loopback", "--passphrase", passphrase]
        done = subprocess.run(
            ["gpg", *options, "--trust-model", "always", *words],
            input=given,
            env=self._env,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def close(self) -> None:
        subprocess.run(["gpgconf", "--kill", "all"], env=self._env, check=False)


@pytest.fixture
def gpg(tmp_path: Path) -> Iterator[Gpg]:
    peer = Gpg(tmp_path / "gnupg")
    yield peer
    peer.close()


class Library:
    """One JavaScript library, running."""

    def __init__(self, name: str) -> None:
        if not (PEERS / "node_modules" / name).exists():
            pytest.fail("the peers are not installed: run `make peers`", pytrace=False)
        self._process = subprocess.Popen(
            ["node", str(PEERS / "openpgp_peer.mjs"), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, command: str, **fields: str) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"cmd": command, **fields}) + "\n")
        self._process.stdin.flush()
        reply: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert reply["ok"], reply["error"]
        return reply

    def opens(self, key: bytes, message: bytes) -> bytes:
        content: str = self.ask("open", key=text(key), message=message.decode())["content"]
        return base64.b64decode(content)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Iterator[Library]:
    peer = Library(request.param)
    yield peer
    peer.close()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_gpg_imports_the_exported_key_and_opens_a_stored_mail(gpg: Gpg) -> None:
    locked = compatible.lock(KEY_B, Secret(WORD.encode()), os.urandom)
    gpg.run("--import", given=armor_locked_key(Secret(locked)))
    assert gpg.run("--decrypt", given=message_in(stored(CERTIFICATE_B))).endswith(TEXT)


def test_gpg_seals_to_the_certificate_and_learns_of_its_end(gpg: Gpg) -> None:
    gpg.run("--import", given=armor_certificate(CERTIFICATE_B))
    sealed = gpg.run("--armor", "--encrypt", "-r", BEA, given=TEXT)
    assert unseal(sealed, KEY_B) == TEXT
    gpg.run("--import", given=armor_certificate(compatible.revoke(KEY_B, NOW)))
    listed = gpg.run("--list-keys", "--with-colons", BEA).decode()
    assert "pub:r:" in listed


def test_gpg_checks_a_signature_and_opens_what_is_sealed_to_its_own_kind(
    gpg: Gpg, tmp_path: Path
) -> None:
    gpg.run("--import", given=CERTIFICATE_B)
    signature, signed = tmp_path / "signature", tmp_path / "signed"
    signature.write_bytes(compatible.sign(TEXT, KEY_B))
    signed.write_bytes(TEXT)
    gpg.run("--verify", str(signature), str(signed))
    gpg.run("--quick-gen-key", "carl@out.example", "future-default", "default", "never")
    carls = judge(gpg.run("--export", "carl@out.example"), "carl@out.example", NOW)
    assert not carls.reads_v2
    assert gpg.run("--decrypt", given=seal_to_all(TEXT, [carls], now=NOW, signer=KEY_B)) == TEXT


def test_sq_opens_a_stored_mail_with_the_exported_key(tmp_path: Path) -> None:
    if shutil.which("sq") is None:
        pytest.fail("sq is not installed: run `make web-peers`", pytrace=False)
    key = tmp_path / "key"
    key.write_bytes(KEY_B.expose())
    opened = subprocess.run(
        ["sq", "decrypt", "--recipient-key", str(key)],
        input=message_in(stored(CERTIFICATE_B)),
        capture_output=True,
        timeout=60,
        check=True,
    ).stdout
    assert opened.endswith(TEXT)


def test_both_libraries_open_what_is_sealed_to_b_and_seal_to_it(library: Library) -> None:
    locked = compatible.lock(KEY_B, Secret(WORD.encode()), os.urandom)
    armored = armor_locked_key(Secret(locked)).decode()
    unlocked = base64.b64decode(library.ask("unlock", armored=armored, passphrase=WORD)["key"])
    assert library.opens(unlocked, message_in(stored(CERTIFICATE_B))).endswith(TEXT)
    sealed = library.ask("seal", certificate=text(CERTIFICATE_B), content=text(TEXT))["message"]
    assert unseal(sealed.encode(), KEY_B) == TEXT


def test_both_libraries_open_what_is_sealed_to_their_own_kind(library: Library) -> None:
    made = library.ask("generate", address="carl@out.example")
    certificate = judge(base64.b64decode(made["certificate"]), "carl@out.example", NOW)
    sealed = seal_to_all(TEXT, [certificate], now=NOW, signer=KEY_B)
    reply = library.ask(
        "open", key=made["key"], message=sealed.decode(), verify=text(CERTIFICATE_B)
    )
    assert (base64.b64decode(reply["content"]), reply["signed"]) == (TEXT, 1)


def test_proton_opens_what_is_sealed_to_a_and_seals_to_it() -> None:
    library = Library("@protontech/openpgp")
    try:
        assert library.opens(KEY_A.expose(), message_in(stored(CERTIFICATE_A))).endswith(TEXT)
        sealed = library.ask("seal", certificate=text(CERTIFICATE_A), content=text(TEXT))["message"]
        assert unseal(sealed.encode(), KEY_A) == TEXT
    finally:
        library.close()


def test_our_devices_open_both_copies() -> None:
    for key, certificate in ((KEY_A, CERTIFICATE_A), (KEY_B, CERTIFICATE_B)):
        assert open_mail(stored(certificate), key).content == TEXT
