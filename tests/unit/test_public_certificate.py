"""The certificate of HTTPS and SMTP: what is refused, in which words, and what stays in use."""

import asyncio
import contextlib
import datetime
import hashlib
import secrets
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption as Encrypted
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from blackthorn.crypto import certificates
from blackthorn.crypto.certificates import CertificateError, Fault
from blackthorn.crypto.secret import Secret
from blackthorn.edges.acme import client
from blackthorn.edges.public_tls import PublicTls, leads_to_known_authority
from blackthorn.errors import ConfigError, UnavailableError
from blackthorn.programs.server import configuration
from blackthorn.programs.server.certificates import limits as certificate_limits
from blackthorn.programs.server.certificates import sources
from blackthorn.programs.server.certificates.renewal import Renewal
from blackthorn.programs.server.certificates.serving import PublicCertificate
from blackthorn.programs.server.certificates.sources import Kind
from blackthorn.programs.server.settings.tls import TlsSettings
from blackthorn.server.counters import Counters
from blackthorn.storage.files.certificates import CertificateFiles
from tests.support.authority import DAY, Authority, new_key, pem, pem_key
from tests.support.tls import unchecked

HOST = "mail.acme.example"
SETTINGS = TlsSettings(host_name=HOST, certificate="chain.pem", key="key.pem")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def shown(tls: PublicTls, **limits: ssl.TLSVersion) -> tuple[bytes, str, str]:
    """The certificate (DER) that a client sees, version and cipher."""
    peer = unchecked()
    for name, value in limits.items():
        setattr(peer, name, value)
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs, contextlib.suppress(OSError):
            tls.context.wrap_socket(theirs, server_side=True).close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with ours, peer.wrap_socket(ours) as connection:
            cipher = connection.cipher()
            assert cipher is not None
            return connection.getpeercert(True) or b"", cipher[1], cipher[0]
    finally:
        thread.join()


class Server:
    """The certificate of a server in a folder, with a clock that can be set."""

    def __init__(self, folder: Path, settings: TlsSettings = SETTINGS) -> None:
        self.moment = datetime.datetime.now(datetime.UTC)
        self.counters = Counters()
        self.running = PublicCertificate(
            settings, "acme.example", folder, self.counters, lambda: self.moment
        )

    @property
    def kind(self) -> Kind:
        return self.running.current.source.kind


def test_without_a_setting_the_server_makes_one_that_browsers_can_use(tmp_path: Path) -> None:
    server = Server(tmp_path, TlsSettings(host_name=HOST, other_names="mta-sts.acme.example"))
    made = server.running.current.certificate
    assert server.kind is Kind.SELF_SIGNED and made.key == "ECDSA P-256" and made.strong
    assert made.names == (HOST, "mta-sts.acme.example")
    file = tmp_path / "tls" / "self-signed.pem"
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    der, version, _ = shown(server.running.tls)
    assert version == "TLSv1.3" and hashlib.sha256(der).hexdigest() == made.fingerprint
    assert server.running.warnings() == []
    again = Server(tmp_path, TlsSettings(host_name=HOST, other_names="mta-sts.acme.example"))
    assert again.running.current.certificate == made, "kept over a restart"


def test_the_self_signed_one_is_made_anew_with_its_key(tmp_path: Path) -> None:
    settings = TlsSettings(host_name=HOST)
    server = Server(tmp_path, settings)
    made = server.running.current.certificate
    server.moment = made.not_after - 3 * DAY
    server.running.watch()
    renewed = server.running.current.certificate
    assert renewed.not_after > made.not_after and renewed.key_hash == made.key_hash
    other = Server(tmp_path, TlsSettings(host_name="mx.acme.example")).running.current.certificate
    assert other.names == ("mx.acme.example",) and other.key_hash == made.key_hash


def test_tls_is_modern(tmp_path: Path) -> None:
    tls = Server(tmp_path, TlsSettings()).running.tls
    _, version, cipher = shown(tls, maximum_version=ssl.TLSVersion.TLSv1_2)
    assert version == "TLSv1.2" and cipher.startswith("ECDHE-ECDSA-") and "CBC" not in cipher
    with pytest.raises((ssl.SSLError, OSError)), pytest.warns(DeprecationWarning):
        shown(tls, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)


def test_files_that_change_are_taken_and_open_connections_continue(
    tmp_path: Path, authority: Authority
) -> None:
    authority.files(tmp_path, HOST)
    server = Server(tmp_path)
    first = shown(server.running.tls)[0]
    assert server.kind is Kind.FILES and server.running.warnings() == []
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = server.running.tls.context.wrap_bio(incoming, outgoing, server_side=True)
    there = unchecked().wrap_bio(outgoing, incoming)
    for one in (there, here, there, here):
        with contextlib.suppress(ssl.SSLWantReadError):
            one.do_handshake()
    authority.files(tmp_path, HOST, key=rsa.generate_private_key(65537, 2048))
    server.running.watch()
    second = shown(server.running.tls)[0]
    assert second not in (first, b"") and server.running.current.certificate.key == "RSA 2,048"
    there.write(b"still here")
    assert here.read(20) == b"still here"


def _unreadable(folder: Path, _: Authority) -> None:
    (folder / "chain.pem").write_text("no certificate")


def _gone(folder: Path, _: Authority) -> None:
    (folder / "key.pem").unlink()


def _encrypted(folder: Path, authority: Authority) -> None:
    key = new_key()
    authority.files(folder, HOST, key=key)
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, Encrypted(b"secret"))
    (folder / "key.pem").write_bytes(sealed)


def _other_key(folder: Path, _: Authority) -> None:
    (folder / "key.pem").write_bytes(pem_key(new_key()))


def _expired(folder: Path, authority: Authority) -> None:
    authority.files(folder, HOST, begins=-9 * DAY, ends=-DAY)


def _future(folder: Path, authority: Authority) -> None:
    authority.files(folder, HOST, begins=2 * DAY)


def _other_name(folder: Path, authority: Authority) -> None:
    authority.files(folder, "mail.other.example", "*.mail.acme.example", "acme.example")


def _no_intermediate(folder: Path, authority: Authority) -> None:
    key, made = authority.issue(HOST)
    (folder / "key.pem").write_bytes(key)
    (folder / "chain.pem").write_bytes(pem(made))


def _disordered(folder: Path, authority: Authority) -> None:
    key, made = authority.issue(HOST)
    (folder / "key.pem").write_bytes(key)
    (folder / "chain.pem").write_bytes(pem(made, authority.root, authority.intermediate))


def _ed25519(folder: Path, authority: Authority) -> None:
    authority.files(folder, HOST, key=Ed25519PrivateKey.generate())


BAD: dict[Callable[[Path, Authority], None], tuple[Fault, str]] = {
    _unreadable: (Fault.UNREADABLE, "there is no PEM certificate in the file"),
    _gone: (Fault.UNREADABLE, "cannot be read: No such file"),
    _encrypted: (Fault.UNREADABLE, "encrypted by a passphrase"),
    _other_key: (Fault.KEY_MISMATCH, "does not belong to the first certificate"),
    _expired: (Fault.EXPIRED, "expired on "),
    _future: (Fault.NOT_YET_VALID, "set the clock, or wait"),
    _other_name: (Fault.WRONG_NAME, f"does not name {HOST}"),
    _no_intermediate: (Fault.CHAIN_INCOMPLETE, "append the certificates of its authority"),
    _disordered: (Fault.CHAIN_INCOMPLETE, "each behind the one that it issued"),
    _ed25519: (Fault.WEAK_KEY, "Ed25519 is not accepted by browsers"),
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_bad_files_are_told_in_one_line_and_the_last_good_certificate_stays(
    tmp_path: Path, authority: Authority, spoil: Callable[[Path, Authority], None]
) -> None:
    authority.files(tmp_path, HOST)
    server = Server(tmp_path)
    good = shown(server.running.tls)[0]
    spoil(tmp_path, authority)
    server.running.watch()
    fault, words = BAD[spoil]
    (warning,) = server.running.warnings()
    assert words in warning and "\n" not in warning
    assert server.running._refused is not None and server.running._refused.fault is fault
    assert server.counters.certificates_refused == 1
    assert shown(server.running.tls)[0] == good
    server.running.watch()
    assert server.counters.certificates_refused == 1, "told once for each change"
    authority.files(tmp_path, HOST)
    server.running.watch()
    assert server.running.warnings() == [] and shown(server.running.tls)[0] != good


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_a_server_starts_with_bad_files_and_says_so(
    tmp_path: Path, authority: Authority, spoil: Callable[[Path, Authority], None]
) -> None:
    authority.files(tmp_path, HOST)
    spoil(tmp_path, authority)
    server = Server(tmp_path)
    usable = BAD[spoil][0] not in (Fault.UNREADABLE, Fault.KEY_MISMATCH)
    assert server.kind is (Kind.FILES if usable else Kind.SELF_SIGNED)
    assert any(BAD[spoil][1] in warning for warning in server.running.warnings())
    authority.files(tmp_path, HOST)
    server.running.watch()
    assert server.running.warnings() == [] and server.kind is Kind.FILES


def test_a_chain_that_was_mended_is_served(tmp_path: Path, authority: Authority) -> None:
    key, made = authority.issue(HOST)
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "chain.pem").write_bytes(pem(made))
    server = Server(tmp_path)
    (tmp_path / "root.pem").write_bytes(pem(authority.root))
    root = ssl.create_default_context(cafile=str(tmp_path / "root.pem"))
    assert not leads_to_known_authority(server.running.tls.context, root)
    (tmp_path / "chain.pem").write_bytes(pem(made, authority.intermediate, authority.root))
    server.running.watch()
    assert server.running.warnings() == []
    assert leads_to_known_authority(server.running.tls.context, root)


def test_an_end_that_nears_is_warned_of(tmp_path: Path, authority: Authority) -> None:
    authority.files(tmp_path, HOST)
    server = Server(tmp_path)
    server.moment = server.running.current.certificate.not_after - 10 * DAY
    (warning,) = server.running.warnings()
    assert "ends in 10 days" in warning and server.running.seconds_left() == 864_000
    server.moment += 11 * DAY
    assert "expired on" in server.running.warnings()[0] and server.running.seconds_left() < 0


def test_names_of_certificates_match_as_rfc_9525_says() -> None:
    covers = certificates.covers
    assert covers(("*.acme.example",), HOST) and covers((HOST,), HOST)
    for names in ((), ("*.example",), ("*",), ("acme.example",), ("*.mail.acme.example",)):
        assert not covers(names, HOST)


def test_a_key_of_any_random_bytes_is_a_key() -> None:
    for fill in (b"\x00", b"\xff"):
        key = certificates.make_key(lambda size, fill=fill: fill * size)
        assert b"PRIVATE KEY" in key.expose()
    key = certificates.make_key(secrets.token_bytes)
    now = datetime.datetime.now(datetime.UTC)
    chain = certificates.make_self_signed(key, [HOST], secrets.token_bytes, now)
    parsed = certificates.parse(key.expose() + chain, key)
    assert parsed.self_signed and parsed.ends_in_root and parsed.issuer == HOST


def test_no_bytes_break_the_parser(authority: Authority) -> None:
    key, made = authority.issue(HOST)
    whole = pem(made)
    for cut in range(0, len(whole), 97):
        for data in (whole[:cut], whole[:cut] + b"A" + whole[cut + 1 :]):
            try:
                certificates.parse(data, Secret(key))
            except CertificateError as error:
                assert "\n" not in str(error)


@pytest.mark.parametrize("curve", [ec.SECP521R1(), ec.SECP256K1()])
def test_a_curve_that_browsers_lack_is_told(authority: Authority, curve: Any) -> None:
    key, made = authority.issue(HOST, key=ec.generate_private_key(curve))
    parsed = certificates.parse(pem(made), Secret(key))
    found = certificates.problems(parsed, [HOST], authority.now, True)
    assert [problem.fault for problem in found] == [Fault.WEAK_KEY]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('host_name = "Mail.acme.example"', "lower case"),
        ('host_name = "mail acme"', "tls.host_name"),
        ('other_names = "mta-sts.acme.example *"', "tls.other_names"),
        ('certificate = "a.pem"', "belong together"),
        ('certificate = "a"\nkey = "b"\nacme = "https://ca.example"', "exclude each other"),
        ('acme = "http://ca.example"', "https:// address"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("//", "//")):
        configuration.parse(f'[enterprise]\ndomain = "acme.example"\n[tls]\n{text}\n', {})


def test_it_is_looked_seldom_whether_a_renewal_is_due(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, made = authority.issue(HOST)
    files = CertificateFiles(tmp_path)
    files.write(files.acme, key + pem(made, authority.intermediate))
    loaded, load, moment = [], sources.load, authority.now

    def count(*arguments: Any) -> sources.Loaded:
        loaded.append(moment)
        return load(*arguments)

    monkeypatch.setattr(sources, "load", count)
    settings = TlsSettings(host_name=HOST, acme="https://ca.example")
    renewal = Renewal(settings, "acme.example", tmp_path, Counters(), lambda: moment)
    assert not renewal._due() and not renewal._due() and len(loaded) == 1
    moment = made.not_valid_after_utc - 20 * DAY
    assert renewal._due() and len(loaded) == 2

    def refuse(*_: object) -> bytes:
        raise UnavailableError("the authority does not answer")

    monkeypatch.setattr(client, "obtain", refuse)
    failed = asyncio.run(renewal.renew())  # it is tried again when it is told, not when looked
    assert failed.due - moment.timestamp() < certificate_limits.LOOK_SECONDS
    moment = datetime.datetime.fromtimestamp(failed.due, datetime.UTC)
    assert renewal._due()


@pytest.mark.parametrize("failed", [False, True])
def test_a_clock_that_was_far_ahead_delays_no_renewal(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch, failed: bool
) -> None:
    def refuse(*_: object) -> bytes:
        raise UnavailableError("the authority does not answer")

    monkeypatch.setattr(client, "obtain", refuse)
    settings = TlsSettings(host_name=HOST, acme="https://ca.example")
    moment = authority.now + 3_650 * DAY
    renewal = Renewal(settings, "acme.example", tmp_path, Counters(), lambda: moment)
    assert renewal._due()  # there is no certificate yet
    if failed:
        asyncio.run(renewal.renew())
        renewal = Renewal(settings, "acme.example", tmp_path, Counters(), lambda: moment)
    moment = authority.now
    assert renewal._due() and not renewal._due()


def test_renewal_is_due_when_a_third_is_left_or_a_name_is_missing(authority: Authority) -> None:
    key, made = authority.issue(HOST)
    parsed = certificates.parse(pem(made), Secret(key))
    due = sources.renewal_due
    assert not due(parsed, [HOST], authority.now)
    assert due(parsed, [HOST], parsed.not_after - 30 * DAY)
    assert due(parsed, [HOST, "mta-sts.acme.example"], authority.now)
