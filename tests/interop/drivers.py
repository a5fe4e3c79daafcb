"""Drivers as processes, and people who live in them. What a scenario says is a dialogue."""

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).parent / "peers"
PEERS_PYTHON = ROOT / ".peers/bin/python"
REPLY_SECONDS = 120

COMMANDS: dict[str, list[str]] = {
    "blackthorn": [sys.executable, "-m", "blackthorn.mls.driver"],
    "mls-rs": [str(PEERS_PYTHON), str(PEERS / "mls_rs_driver.py")],
    "ts-mls": ["node", str(PEERS / "ts_mls_driver.mjs")],
}


class Refused(Exception):  # noqa: N818 - it is what happened, not an error of the test's
    """The driver answered `ok: false`."""


class Driver:
    """One implementation, running."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._process = subprocess.Popen(
            COMMANDS[name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        self._asked = 0
        hello = self.ask("hello")
        self.features: frozenset[str] = frozenset(hello["features"])
        self.quirks: frozenset[str] = frozenset(hello["quirks"])

    def ask(self, command: str, **fields: object) -> dict[str, Any]:
        """The reply. Raises `Refused`, and `AssertionError` when there is none."""
        self._asked += 1
        request = json.dumps({"id": self._asked, "cmd": command, **fields})
        watchdog = threading.Timer(REPLY_SECONDS, self._process.kill)
        watchdog.start()
        try:
            assert self._process.stdin and self._process.stdout
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            watchdog.cancel()
        assert line, f"{self.name} ended, or did not answer {command} in {REPLY_SECONDS} s"
        reply: dict[str, Any] = json.loads(line)
        assert reply["id"] == self._asked
        if not reply["ok"]:
            raise Refused(f"{self.name}, {command}: {reply['error']}")
        return reply

    def close(self) -> None:
        """End the process."""
        self.ask("quit")
        assert self._process.wait(REPLY_SECONDS) == 0


class Person:
    """Somebody with a client in a driver, and later a group."""

    def __init__(self, driver: Driver, name: str, suite: int, **options: object) -> None:
        self.driver = driver
        self.name = name
        self.identity = name.encode().hex()
        self.suite = suite
        self.group = ""
        driver.ask("new_client", client=name, identity=self.identity, suite=suite, **options)

    def __repr__(self) -> str:
        return f"{self.name}@{self.driver.name}"

    def _ask(self, command: str, **fields: object) -> dict[str, Any]:
        return self.driver.ask(command, group=self.group, **fields)

    # --- Into a group ---

    def key_package(self) -> str:
        """A new key package."""
        return str(self.driver.ask("key_package", client=self.name)["key_package"])

    def found(self) -> None:
        """Create a group."""
        self.group = self.driver.ask("create_group", client=self.name)["group"]

    def join(self, made: dict[str, Any]) -> None:
        """Join by the Welcome of a Commit."""
        (welcome,) = made["welcomes"]
        self.group = self.driver.ask("join", client=self.name, welcome=welcome)["group"]

    # --- Committing: made, not yet merged ---

    def add(self, *people: "Person") -> dict[str, Any]:
        """A Commit that adds people."""
        return self._ask("add", key_packages=[person.key_package() for person in people])

    def remove(self, *people: "Person") -> dict[str, Any]:
        """A Commit that removes people."""
        return self._ask("remove", identities=[person.identity for person in people])

    def update(self) -> dict[str, Any]:
        """A Commit of nothing but a path."""
        return self._ask("update")

    def commit(self, **fields: object) -> dict[str, Any]:
        """A Commit of what was proposed."""
        return self._ask("commit", **fields)

    def propose_add(self, *people: "Person") -> list[str]:
        """Proposals to add people."""
        packages = [person.key_package() for person in people]
        return list(self._ask("propose_add", key_packages=packages)["proposals"])

    def propose_remove(self, *people: "Person") -> list[str]:
        """Proposals to remove people."""
        identities = [person.identity for person in people]
        return list(self._ask("propose_remove", identities=identities)["proposals"])

    def merge(self) -> None:
        """Take the last Commit of one's own."""
        self._ask("merge")

    # --- Messages ---

    def process(self, message: str) -> dict[str, Any]:
        """Whatever the message is."""
        return self._ask("process", message=message)

    def say(self, text: bytes) -> str:
        """An application message."""
        return str(self._ask("encrypt", plaintext=text.hex())["message"])

    def hear(self, message: str) -> bytes:
        """The text of an application message."""
        reply = self.process(message)
        assert reply["kind"] == "application"
        return bytes.fromhex(reply["plaintext"])

    # --- Looking ---

    def exported(self) -> str:
        """A secret of the epoch."""
        reply = self._ask("export", label="interop", context="0badcafe", length=48)
        return str(reply["secret"])

    def state(self) -> dict[str, Any]:
        """The state, as far as the library tells."""
        state = self._ask("state")
        del state["id"], state["ok"]
        return state


def apply(committer: Person, made: dict[str, Any], others: Sequence[Person]) -> None:
    """Let a Commit happen: the others follow it, then the committer merges it."""
    for other in others:
        assert other.process(made["commit"])["kind"] == "commit"
    committer.merge()


def bring_in(committer: Person, joiners: Sequence[Person], others: Sequence[Person] = ()) -> None:
    """Add people by one Commit and let them join."""
    made = committer.add(*joiners)
    apply(committer, made, others)
    for joiner in joiners:
        joiner.join(made)


def agree(*people: Person) -> None:
    """All are in one epoch with one secret; where libraries tell, with one member list too."""
    assert len({person.exported() for person in people}) == 1, people
    states = [person.state() for person in people]
    for key in ("epoch", "members", "epoch_authenticator"):
        told = [state[key] for state in states if key in state]
        assert all(value == told[0] for value in told), (key, people)


def talk(*people: Person) -> None:
    """Everybody says something that everybody else can read."""
    for speaker in people:
        text = f"{speaker.name} says: Grüße".encode()
        message = speaker.say(text)
        for listener in people:
            if listener is not speaker:
                assert listener.hear(message) == text
