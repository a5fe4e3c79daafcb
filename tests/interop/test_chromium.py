"""The public pages in Chromium, over HTTPS, by an authority that the browser knows."""

from pathlib import Path

from tests.faults.test_certificate_served import HOST
from tests.support.authority import Authority, pem
from tests.support.chromium import Chromium
from tests.support.server_process import ServerProcess, initialise


def test_ledger_and_report_open_over_https(tmp_path: Path) -> None:
    authority = Authority()
    root = tmp_path / "root.pem"
    root.write_bytes(pem(authority.root))
    directory = initialise(tmp_path / "server")
    authority.files(directory, HOST)
    settings = {
        "BLACKTHORN_TLS_HOST_NAME": HOST,
        "BLACKTHORN_TLS_CERTIFICATE": "chain.pem",
        "BLACKTHORN_TLS_KEY": "key.pem",
    }
    with ServerProcess(directory, **settings) as server:
        server.wait_published()
        hosts = {HOST: f"127.0.0.1:{server.ready['ledger_port']}"}
        browser = Chromium(tmp_path / "knows", root, hosts)
        ledger = browser.open(f"https://{HOST}/")
        assert "This is a ledger of Blackthorn" in ledger.dom, ledger.log
        assert f"blackthorn audit ledger https://{HOST}" in ledger.dom
        report = browser.open(f"https://{HOST}/report/")
        assert "<h1>Transparency report" in report.dom, report.log
        picture = tmp_path / "report.png"
        browser.open(f"https://{HOST}/report/", picture)
        assert picture.stat().st_size > 5_000
        stranger = Chromium(tmp_path / "does-not", None, hosts).open(f"https://{HOST}/")
        assert "This is a ledger" not in stranger.dom, "the certificate is really checked"
