"""A test deployment of real processes: a server in its own folder, and devices beside it.

The demo, the plaintext audit and tests use it, with the real program on free loopback ports.
"""

import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol, Self

from blackthorn.errors import UnavailableError

READY_SECONDS = 30.0
"""Timeout of the server's start, which takes about two."""

STOP_SECONDS = 30.0
"""Timeout of a process after SIGTERM."""

COMMAND_SECONDS = 60.0
"""Timeout of one command; Argon2id and a first handshake take about two."""

FAMILIES = (
    *("user", "config", "ledger", "group", "mail", "audit", "witness", "device", "recovery"),
    *("role", "directive", "market"),
)
"""Commands with a subcommand; later words may be content and are never shown."""


class StepFailedError(UnavailableError):
    """A command or process failed; `detail` is its last output."""

    def __init__(self, text: str, detail: str = "") -> None:
        super().__init__(text)
        self.detail = detail


class Steps(Protocol):
    """Progress in named steps; a step is done when its block does not raise."""

    def step(self, text: str) -> AbstractContextManager[None]: ...


def command_line(*arguments: str) -> list[str]:
    """The command line of this installation's `blackthorn`."""
    return [sys.executable, "-m", "blackthorn", *arguments]


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment without the user's Blackthorn settings, plus `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BLACKTHORN_")}
    return kept | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1", "COLUMNS": "200"} | extra


def free_ports(count: int) -> list[int]:
    """Currently unused ports of the loopback interface."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(opened.getsockname()[1]) for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def wait_until(true: Callable[[], bool], seconds: float, failing: str) -> None:
    """Wait for `true()`. Raises StepFailedError with `failing` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise StepFailedError(f"{failing} (waited {seconds:.0f} s)")
        time.sleep(0.02)


def run_command(arguments: Sequence[str], environment: dict[str, str], standard_input: str) -> str:
    """Run one `blackthorn` command; its standard output.

    Raises StepFailedError with its error output when it fails or takes over COMMAND_SECONDS.
    """
    shown = "blackthorn " + " ".join(arguments[: 2 if arguments[0] in FAMILIES else 1])
    try:
        done = subprocess.run(
            command_line(*arguments),
            env=environment,
            input=standard_input,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StepFailedError(f"`{shown} …` took over {COMMAND_SECONDS:.0f} s") from None
    if done.returncode:
        raise StepFailedError(f"`{shown} …` failed with {done.returncode}", done.stderr.strip())
    return done.stdout


class Follower:
    """`blackthorn inbox --follow --json` in a process, with its lines."""

    def __init__(self, arguments: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self.lines: list[dict[str, Any]] = []
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command_line(*arguments),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(json.loads(line))

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """End the process and read its remaining output."""
        if self.running:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(STOP_SECONDS)


@dataclass(frozen=True)
class Person:
    """One user with one device; each command is a process on the device's home."""

    address: str
    home: Path
    environment: dict[str, str]

    def run(self, *arguments: str, standard_input: str = "") -> str:
        """Run one device command, such as `run("status")`."""
        return run_command(arguments, self.environment, standard_input)

    def run_json(self, *arguments: str) -> Any:
        """Run one device command with `--json`; the decoded output."""
        printed = self.run(*arguments, "--json")
        try:
            return json.loads(printed)
        except ValueError:
            raise StepFailedError(f"`blackthorn {arguments[0]} … --json` printed no JSON") from None

    def follow(self) -> Follower:
        log = self.home.with_suffix(".log")
        return Follower(("inbox", "--follow", "--json"), self.environment, log)


class Deployment:
    """One enterprise below `root`, with one folder per person.

    The server writes only to `server`, `server-tmp` (its TMPDIR) and `server-log`.
    """

    def __init__(
        self, root: Path, domain: str = "acme.example", settings: Mapping[str, str] | None = None
    ) -> None:
        """`settings` are further variables of the server's environment."""
        self.domain = domain
        self.settings = dict(settings or {})
        self.root = root
        self.directory = root / "server"
        self.temporary = root / "server-tmp"
        self.logs = root / "server-log"
        self.log = self.logs / "stderr.log"
        self.link_port, self.smtp_port, self.ops_port, self.ledger_port = free_ports(4)
        self.server: subprocess.Popen[bytes] | None = None
        self._followers: list[Follower] = []
        self.temporary.mkdir(parents=True)
        self.logs.mkdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """End every process; a failure gets the end of the server's log."""
        for follower in self._followers:
            follower.stop()
        self.kill_server()
        if isinstance(error, StepFailedError) and (tail := self.log_tail()):
            error.detail = f"{error.detail}\nthe server's log ends with:\n{tail}".strip()

    @property
    def pid(self) -> int:
        if self.server is None:
            raise StepFailedError("the server does not run")
        return self.server.pid

    def server_environment(self) -> dict[str, str]:
        """The server's environment: loopback, free ports, immediate epochs, a TMPDIR."""
        return clean_environment(
            BLACKTHORN_DIR=str(self.directory),
            BLACKTHORN_LINK_PORT=str(self.link_port),
            BLACKTHORN_SMTP_PORT=str(self.smtp_port),
            BLACKTHORN_OPS_PORT=str(self.ops_port),
            BLACKTHORN_LEDGER_PORT=str(self.ledger_port),
            BLACKTHORN_LEDGER_WITNESS_PORT="0",
            BLACKTHORN_LEDGER_EPOCH_SECONDS="0",
            TMPDIR=str(self.temporary),
            **self.settings,
        )

    def initialise(self) -> None:
        self.administer("init", str(self.directory), "--domain", self.domain)

    def administer(self, *arguments: str) -> str:
        """Run one administrator's command on the server's folder."""
        return run_command(arguments, self.server_environment(), "")

    def start_server(self) -> None:
        """Start `blackthorn serve` and wait until it is ready."""
        begun = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.server = subprocess.Popen(
                command_line("serve", str(self.directory)),
                env=self.server_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: self._ready(begun), READY_SECONDS, "the server did not become ready")

    def _ready(self, begun: int) -> bool:
        if self.server is not None and self.server.poll() is not None:
            raise StepFailedError(f"the server ended with {self.server.returncode} at its start")
        return b'"ready"' in self.log.read_bytes()[begun:] and self._serves()

    def _serves(self) -> bool:
        """Whether /readyz reports ready: the ledger's first epoch is cosigned."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.ops_port}/readyz", timeout=COMMAND_SECONDS
            ) as answer:
                return int(answer.status) == HTTPStatus.OK
        except OSError:  # HTTPError among it
            return False

    def stop_server(self) -> int:
        """Send SIGTERM; the exit code."""
        assert self.server is not None
        self.server.terminate()
        try:
            code = self.server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise StepFailedError("the server did not stop on SIGTERM") from None
        self.server = None
        return code

    def kill_server(self) -> None:
        if self.server is not None:
            self.server.kill()
            self.server.wait()
            self.server = None

    def log_tail(self) -> str:
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def add_user(self, name: str) -> dict[str, str]:
        """`blackthorn user add`: address, code, url and expires of the activation."""
        printed = self.administer("user", "add", f"{name}@{self.domain}", "--json")
        return {key: str(value) for key, value in json.loads(printed).items()}

    def person(self, name: str, passphrase: str | None = None) -> Person:
        """A device that is not activated; without a passphrase it has a key file."""
        home = self.root / name
        secret = {"BLACKTHORN_KEY_FILE": str(self.root / f"{name}.key")}
        if passphrase is not None:
            file = self.root / f"{name}.passphrase"
            file.write_text(passphrase + "\n")
            file.chmod(0o600)
            secret = {"BLACKTHORN_PASSPHRASE_FILE": str(file)}
        environment = clean_environment(BLACKTHORN_HOME=str(home), **secret)
        return Person(f"{name}@{self.domain}", home, environment)

    def enrol(self, name: str, passphrase: str | None = None) -> tuple[Person, str]:
        """Add a user and activate a device; the person and the code."""
        activation = self.add_user(name)
        person = self.person(name, passphrase)
        person.run("activate", activation["url"])
        return person, activation["code"]

    def follow(self, person: Person) -> Follower:
        """Follow an inbox until it is stopped or the deployment closes."""
        follower = person.follow()
        self._followers.append(follower)
        return follower

    def deliver_mail(self, sender: str, recipients: Sequence[str], message: bytes) -> None:
        """Send one e-mail by SMTP. Raises StepFailedError when the server refuses it."""
        try:
            with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=COMMAND_SECONDS) as smtp:
                smtp.sendmail(sender, list(recipients), message)
        except OSError as error:
            raise StepFailedError(f"an e-mail was not taken: {error}") from None
