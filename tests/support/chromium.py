"""Debian's Chromium without a window, with a profile that knows one authority of the tests."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Page:
    """What Chromium made of an address."""

    dom: str
    log: str


class Chromium:
    """A browser that trusts what the machine trusts, and `root` (PEM), by its NSS database."""

    def __init__(self, folder: Path, root: Path | None, hosts: dict[str, str]) -> None:
        """`hosts`: host name → HOST:PORT where it really is; nothing else is looked up."""
        self._program = shutil.which("chromium")
        assert self._program and shutil.which("certutil"), "run `make web-peers`"
        self._home = folder / "home"
        database = self._home / ".pki" / "nssdb"
        database.mkdir(parents=True)
        self._hosts = hosts
        nss = f"sql:{database}"
        self._run(["certutil", "-N", "-d", nss, "--empty-password"])
        if root is not None:
            self._run(["certutil", "-A", "-d", nss, "-n", "test", "-t", "C,,", "-i", str(root)])

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HOME": str(self._home)}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    def open(self, url: str, picture: Path | None = None) -> Page:
        """The page's document as the browser understood it, and a picture of it."""
        rules = ", ".join(f"MAP {name} {place}" for name, place in self._hosts.items())
        assert self._program is not None
        wanted = ["--dump-dom"] if picture is None else [f"--screenshot={picture}"]
        done = self._run(
            [
                self._program,
                "--headless=new",
                "--no-sandbox",  # as root in a container; the page is our own
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                f"--user-data-dir={self._home / 'profile'}",
                f"--host-resolver-rules={rules}, MAP * ~NOTFOUND",
                "--window-size=1000,900",
                "--virtual-time-budget=5000",
                *wanted,
                url,
            ]
        )
        return Page(done.stdout, done.stderr)
