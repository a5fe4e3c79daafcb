"""The import contracts hold, they bite, and a server that runs has nothing that opens.

Numbered as in ARCHITECTURE.md, "Layers": nothing on the server's side reaches what opens.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from blackthorn.demo.deployment import Deployment

ROOT = Path(__file__).resolve().parents[2]

OPENERS = re.compile(r"blackthorn\.(device|mls|mail\.pgp\.open|crypto\.(openpgp_open|hpke))\b")


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the tree below `root`."""
    linter = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [linter, "--no-cache", "--config", root / ".importlinter"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the source and its contracts, to break."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src/blackthorn", tmp_path / "src/blackthorn", ignore=ignored)
    shutil.copy(ROOT / ".importlinter", tmp_path / ".importlinter")
    return tmp_path


def test_the_contracts_hold(tree: Path) -> None:
    done = lint(tree)
    assert done.returncode == 0, done.stdout


OPENS = "Nothing on the server's side can open anything"
VIOLATIONS = {
    "the server opens mail": ({"server/spy.py": "from blackthorn.mail.pgp import open"}, OPENS),
    "the server opens messages": ({"server/spy.py": "import blackthorn.mls.group"}, OPENS),
    "an edge knows a device": ({"edges/spy.py": "import blackthorn.device"}, OPENS),
    "storage unwraps keys": ({"storage/spy.py": "import blackthorn.crypto.hpke"}, OPENS),
    "only inside a function": (
        {"server/spy.py": "def spy() -> None:\n    from blackthorn.mail.pgp import open"},
        OPENS,
    ),
    "by way of a port": (
        {
            "ports/spy.py": "from blackthorn.mail.pgp import open",
            "server/spy.py": "import blackthorn.ports.spy",
        },
        OPENS,
    ),
    "the server does its own cryptography": (
        {"server/spy.py": "import cryptography"},
        "Only crypto imports the cryptographic libraries",
    ),
    "an engine asks the clock": (
        {"mls/spy.py": "import time"},
        "Engines do no input or output and ask no clock",
    ),
    "an engine knows the server": (
        {"mls/spy.py": "import blackthorn.server"},
        "Each layer imports only what lies below it",
    ),
}


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_the_contracts_bite(tree: Path, violation: str) -> None:
    files, contract = VIOLATIONS[violation]
    for name, source in files.items():
        (tree / "src/blackthorn" / name).write_text(f'"""Breaks a contract."""\n\n{source}\n')
    done = lint(tree)
    assert done.returncode == 1, done.stdout
    assert f"{contract} BROKEN" in done.stdout


def test_importing_the_server_brings_in_nothing_that_opens() -> None:
    program = "import sys, blackthorn.programs.server.server; print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    modules = done.stdout.splitlines()
    assert "blackthorn.server.handlers.dispatcher" in modules
    assert not [module for module in modules if OPENERS.match(module)]


def test_a_running_server_has_imported_nothing_that_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    with Deployment(tmp_path) as deployment:
        deployment.initialise()
        deployment.start_server()
        deployment.stop_server()
        imported = re.findall(r"\| +([\w.]+)$", deployment.log.read_text(), re.MULTILINE)
    assert "blackthorn.server.handlers.dispatcher" in imported
    assert not [module for module in imported if OPENERS.match(module)]
