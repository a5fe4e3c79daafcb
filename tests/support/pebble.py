"""Pebble, an ACME authority for tests, and the name server that it asks; the block ends both."""

import json
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blackthorn.demo.deployment import free_ports
from tests.support.authority import Authority, pem
from tests.support.fake_dns import DnsServer, name_server

START_SECONDS = 20.0


@dataclass
class Pebble:
    """A running authority."""

    directory: str
    roots: Path
    """PEM of the authority of its own HTTPS."""
    challenge_port: int
    issuer: Path
    """PEM of the root that it issues by."""
    names: DnsServer


@contextmanager
def pebble(folder: Path) -> Iterator[Pebble]:
    """Raises AssertionError when Pebble is not installed."""
    program = shutil.which("pebble")
    assert program, "pebble is not installed: run `make web-peers`"
    authority = Authority()
    chain, key = authority.files(folder, "localhost")
    roots = folder / "pebble-roots.pem"
    roots.write_bytes(pem(authority.root))
    listen, manage, challenge = free_ports(3)
    settings = {
        "listenAddress": f"127.0.0.1:{listen}",
        "managementListenAddress": f"127.0.0.1:{manage}",
        "certificate": str(chain),
        "privateKey": str(key),
        "httpPort": challenge,
        "tlsPort": challenge,
    }
    configuration = folder / "pebble.json"
    configuration.write_text(json.dumps({"pebble": settings}))
    with name_server() as names:
        running = subprocess.Popen(
            [program, "-config", str(configuration), "-dnsserver", names.address],
            env={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            issuer = folder / "issuer.pem"
            issuer.write_bytes(_fetch(f"https://localhost:{manage}/roots/0", roots))
            directory = f"https://localhost:{listen}/dir"
            yield Pebble(directory, roots, challenge, issuer, names)
        finally:
            running.kill()
            running.wait()


def _fetch(url: str, roots: Path) -> bytes:
    context = ssl.create_default_context(cafile=str(roots))
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, context=context, timeout=5) as answer:
                return bytes(answer.read())
        except OSError:
            assert time.monotonic() < end, "pebble does not start"
            time.sleep(0.1)
