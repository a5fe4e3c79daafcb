"""`blackthorn dns` as a command: the zone, and ten mistakes that it finds by name."""

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from blackthorn.programs.server import configuration
from blackthorn.programs.server.zone.setup import make_setup
from tests.support.authority import pem_key
from tests.support.fake_dns import name_server
from tests.support.mail_zone import DOMAIN, HOST, TEN, spoil
from tests.support.server_process import initialise, run


def test_print_and_check(tmp_path: Path) -> None:
    directory = initialise(tmp_path / "server")
    keys = directory / "dkim"
    keys.mkdir(mode=0o700)
    for name in ("bt1.key", "bt0.retired"):
        (keys / name).write_bytes(pem_key(Ed25519PrivateKey.generate()))
    values = {
        "BLACKTHORN_TLS_HOST_NAME": HOST,
        "BLACKTHORN_SUBMISSION_HOST": "127.0.0.1",
        "BLACKTHORN_TLS_ACME": "https://acme-v02.api.letsencrypt.org/directory",
    }
    addresses = ("--address", "203.0.113.5")
    done = run("dns", "print", str(directory), *addresses, **values)
    assert done.returncode == 0, done.stderr
    assert f"{DOMAIN}. 3600 IN MX 10 {HOST}.\n" in done.stdout
    assert f"_submissions._tcp.{DOMAIN}. 3600 IN SRV 0 1 465 {HOST}.\n" in done.stdout
    assert f'bt1._domainkey.{DOMAIN}. 3600 IN TXT "v=DKIM1; k=ed25519; p=' in done.stdout
    assert f'bt0._domainkey.{DOMAIN}. 3600 IN TXT "v=DKIM1; k=ed25519; p=' in done.stdout
    assert f'{DOMAIN}. 3600 IN CAA 0 issue "letsencrypt.org"\n' in done.stdout

    settings = configuration.load(directory, values)
    setup = make_setup(
        DOMAIN, settings.tls, settings.mta_sts, directory, addresses[1:], submission=True
    )
    with name_server() as server:
        values["BLACKTHORN_DNS_SERVERS"] = server.address
        spoil(server, *TEN, setup=setup)
        done = run("dns", "check", str(directory), *addresses, "--json", **values)
        assert done.returncode == 1, done.stderr
        found = {each["code"]: each for each in json.loads(done.stdout)}
        assert set(TEN) <= set(found)
        assert found["sts-policy-unreachable"]["name"] == f"mta-sts.{DOMAIN}"
        done = run("dns", "check", str(directory), *addresses, **values)
        assert "has 2 SPF records" in done.stdout.replace("\n", " ") and " errors, " in done.stdout
    done = run("dns", "print", str(directory), "--address", "here")
    assert done.returncode == 2 and "is no IP address" in done.stderr
