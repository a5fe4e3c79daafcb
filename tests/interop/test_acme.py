"""A certificate from an ACME authority, Pebble: ordered, used, renewed, and refused."""

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackthorn.errors import UnavailableError
from blackthorn.programs.server.certificates import limits
from blackthorn.programs.server.certificates.renewal import last_attempt
from blackthorn.programs.server.certificates.running import renew_once
from blackthorn.programs.server.settings.tls import TlsSettings
from blackthorn.storage.files.certificates import CertificateFiles
from tests.faults.test_certificate_served import HOST, over_smtp, verified, wait_for
from tests.support.pebble import Pebble, pebble
from tests.support.server_process import ServerProcess, initialise, run

MTA_STS = "mta-sts.acme.example"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    with pebble(tmp_path_factory.mktemp("pebble")) as running:
        running.names.zone[HOST, "A"] = (60, ["127.0.0.1"])
        yield running


def settings(authority: Pebble) -> dict[str, str]:
    return {
        "BLACKTHORN_TLS_HOST_NAME": HOST,
        "BLACKTHORN_TLS_OTHER_NAMES": MTA_STS,
        "BLACKTHORN_TLS_ACME": authority.directory,
        "BLACKTHORN_TLS_ACME_ROOTS": str(authority.roots),
        "BLACKTHORN_TLS_ACME_HOST": "127.0.0.1",
        "BLACKTHORN_TLS_ACME_PORT": str(authority.challenge_port),
        "BLACKTHORN_TLS_ACME_CONTACT": "postmaster@acme.example",
    }


def test_a_server_gets_a_certificate_and_renews_it(authority: Pebble, tmp_path: Path) -> None:
    directory = initialise(tmp_path / "server")
    values = settings(authority)
    with ServerProcess(directory, **values) as server:
        wait_for(lambda: "certificate_renewal_failed" in server.events)
        told = run("certificate", "show", str(directory), "--json", **values)
        value = json.loads(told.stdout)
        assert value["source"] == "acme" and MTA_STS in value["renewal_error"]
        assert value["problems"][0]["text"].startswith("not issued yet")
        authority.names.zone[MTA_STS, "A"] = (60, ["127.0.0.1"])
        done = run("certificate", "renew", str(directory), "--json", **values)
        assert done.returncode == 0, done.stderr
        first = json.loads(done.stdout)
        assert (first["names"], first["problems"]) == ([HOST, MTA_STS], [])
        wait_for(lambda: server.events[-1] == "certificate_in_use")
        https, smtp = server.ready["ledger_port"], server.ready["smtp_port"]
        assert verified(https, authority.issuer) == first["fingerprint"]
        assert over_smtp(smtp, authority.issuer) == first["fingerprint"]
        assert "certificate" not in server.get("/readyz")[1]
        assert server.stop(signal.SIGTERM) == 0
    done = run("certificate", "renew", str(directory), "--json", **values)
    second = json.loads(done.stdout)
    assert second["fingerprint"] != first["fingerprint"], "renewed without a running server"
    assert second["key_hash"] == first["key_hash"]
    for name in ("acme.pem", "acme-account.key", "renewal.json"):
        assert (directory / "tls" / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"acme": "https://localhost:1/dir"}, "cannot be reached"),
        ({"acme_roots": ""}, "see tls.acme_roots"),
        ({"other_names": "www.other.example"}, "www.other.example"),
        ({"acme": "https://localhost:{port}/nothing"}, "does not answer as an ACME server"),
    ],
)
def test_what_the_authority_refuses_is_one_line(
    authority: Pebble, tmp_path: Path, change: dict[str, str], words: str
) -> None:
    port = authority.directory.split(":")[2].partition("/")[0]
    values = {
        name.removeprefix("BLACKTHORN_TLS_").lower(): value
        for name, value in settings(authority).items()
    } | {name: text.format(port=port) for name, text in change.items()}
    wrong = TlsSettings(**{**values, "acme_port": int(values["acme_port"])})
    for failures in (1, 2):
        with pytest.raises(UnavailableError, match=words) as failed:
            asyncio.run(renew_once(wrong, "acme.example", tmp_path))
        assert "\n" not in str(failed.value)
        attempt = last_attempt(CertificateFiles(tmp_path))
        assert attempt.failures == failures
        assert attempt.due - attempt.tried == limits.FIRST_RETRY_SECONDS * failures
