"""The walk-through works as printed: every command of it is run, in order.

Whose terminal a block of commands belongs to says the name in bold above it.

Only what differs from person to person is put in: the folder, free ports, the code that `user add`
printed, and a passphrase, which a person would type.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackthorn.demo.deployment import clean_environment, free_ports, wait_until
from tests.docs.pages import ROOT, code_blocks
from tests.docs.test_readme_commands import console_commands
from tests.support.processes import interruptible

pytestmark = pytest.mark.thorough

CODE = re.compile(r"\b\d{4,6}(?:[- ][A-Za-z]+){8}\b")
PORTS = {
    "3101": "LINK",
    "2525": "SMTP",
    "3102": "LEDGER",
    "3103": "LEDGER_WITNESS",
    "8101": "OPS",
}


class Terminals:
    """The four terminals: each has its environment; commands run one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
        self.home = folder
        self.code = ""
        self.printed: list[tuple[str, str]] = []
        self.staying: list[tuple[subprocess.Popen[bytes], Path]] = []
        (folder / "passphrase").write_text("walk through\n")

    def run(self, line: str) -> None:
        """Run one line as its terminal would."""
        line = self._personal(line)
        if line.startswith("source "):
            return
        if variable := re.fullmatch(r"export BLACKTHORN_HOME=(.+)", line):
            self.home = Path(variable[1])
            return
        if line.startswith(("blackthorn serve", "blackthorn inbox --follow")):
            self._stay(line)
            return
        done = subprocess.run(
            ["bash", "-c", line],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        self.printed.append((line, done.stdout))
        if "user add" in line:
            code = CODE.search(done.stdout)
            assert code, f"no code in {done.stdout}"
            self.code = code[0].replace(" ", "-")

    def _personal(self, line: str) -> str:
        line = line.replace("/tmp/", f"{self.folder}/").replace(" CODE", f" {self.code}")
        return re.sub("|".join(PORTS), lambda found: self.ports[found[0]], line)

    def _environment(self) -> dict[str, str]:
        programs = Path(sys.executable).parent
        return clean_environment(
            BLACKTHORN_HOME=str(self.home),
            BLACKTHORN_PASSPHRASE_FILE=str(self.folder / "passphrase"),
            PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
            **{f"BLACKTHORN_{PORTS[port]}_PORT": free for port, free in self.ports.items()},
        )

    def _stay(self, line: str) -> None:
        output = self.folder / f"terminal-{len(self.staying)}"
        with output.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {line}"],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                preexec_fn=interruptible,
            )
        self.staying.append((process, output))
        if "serve" in line:
            wait_until(lambda: "ready" in output.read_text(), 30, "the server was not ready")
        time.sleep(0.2)

    def close(self) -> None:
        """Ctrl-C in every terminal where something runs, the server's last."""
        for process, _ in reversed(self.staying):
            process.send_signal(signal.SIGINT)
            process.wait(30)

    def said(self, start: str) -> list[str]:
        """What the commands that start so printed."""
        return [printed for line, printed in self.printed if line.startswith(start)]


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Terminals]:
    opened = Terminals(tmp_path)
    try:
        yield opened
    finally:
        opened.close()


def walk_through() -> str:
    page = (ROOT / "docs" / "first-five-minutes.md").read_text(encoding="utf-8")
    return page.partition("\n## ")[0]


def test_the_walk_through_works_as_printed(terminals: Terminals) -> None:
    for paragraph in walk_through().split("\n\n"):
        if who := re.search(r"\*\*[^*]*(Alice|Bob|Carol)[^*]*\*\*", paragraph):
            terminals.home = terminals.folder / who[1].lower()
        for line in console_commands(paragraph + "\n"):
            terminals.run(line)
    followed = terminals.staying[1][1]
    for text in ("Lunch at noon?", "The usual place?", "I am in.", "A surprise for Carol."):
        wait_until(lambda text=text: text in followed.read_text(), 10, f"Bob never read {text!r}")
    assert "I am in." in "".join(terminals.said("blackthorn inbox"))
    assert all("entries" in printed for printed in terminals.said("blackthorn audit ledger"))
    assert "Written by hand." in "".join(terminals.said("blackthorn mail read 1"))
    terminals.home = terminals.folder / "carol"
    terminals.run("blackthorn inbox")
    assert "A surprise for Carol." not in terminals.said("blackthorn inbox")[-1]


def test_the_walk_through_is_there() -> None:
    assert len(code_blocks(walk_through(), "console")) >= 8
