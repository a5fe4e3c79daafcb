"""Devices of people who type: what is asked at a terminal, how often, and what a pipe may give."""

import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from blackthorn.demo.deployment import Deployment, command_line
from tests.support.terminal import TerminalCommand

FIRST, SECOND = "correct horse battery", "staple and another"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with Deployment(tmp_path_factory.mktemp("terminal")) as deployment:
        deployment.initialise()
        deployment.start_server()
        yield deployment


def test_activation_asks_for_the_passphrase_twice_and_a_change_for_both(
    deployment: Deployment,
) -> None:
    """Neither the wait for the ledger nor anything else asks a third time."""
    url = deployment.add_user("bob")["url"]
    bob = deployment.person("bob", FIRST)
    activating = TerminalCommand(bob, "activate")
    activating.answer("The code, or its URL:", url)
    activating.answer("Passphrase for this device", FIRST)
    activating.answer("The same again:", FIRST)
    assert activating.end() == 0, activating.shown
    assert "The ledger shows it." in activating.shown
    assert activating.shown.lower().count("passphrase") == 1

    changing = TerminalCommand(bob, "device", "passphrase")
    changing.answer("Passphrase:", FIRST)
    changing.answer("New passphrase for this device", SECOND)
    changing.answer("The same again:", SECOND)
    assert changing.end() == 0 and "The passphrase is changed." in changing.shown
    for passphrase, code in ((FIRST, 2), (SECOND, 0)):
        showing = TerminalCommand(bob, "history")
        for _ in range(3 if code else 1):  # a mistyped one is asked for again
            showing.answer("Passphrase:", passphrase)
        assert showing.end() == code, showing.shown


def test_linking_asks_for_the_passphrase_twice(deployment: Deployment) -> None:
    alice, _ = deployment.enrol("alice")
    adding = subprocess.Popen(
        command_line("device", "add", "--json"),
        env=alice.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert adding.stdin is not None and adding.stdout is not None
    url = json.loads(adding.stdout.readline())["url"]
    linking = TerminalCommand(deployment.person("phone", FIRST), "device", "link", url)
    linking.answer("Passphrase for this device", FIRST)
    linking.answer("The same again:", FIRST)
    linking.wait("Type yes:")
    shown = re.search(r"It shows (\d{3}) (\d{3})", linking.shown)
    assert shown is not None, linking.shown
    assert "joined" in json.loads(adding.stdout.readline())
    adding.stdin.write("".join(shown.groups()) + "\n")
    adding.stdin.flush()
    assert "digits" in json.loads(adding.stdout.readline())
    linking.answer("Type yes:", "yes")
    assert linking.end() == 0 and "The ledger shows it." in linking.shown, linking.shown
    assert linking.shown.lower().count("passphrase") == 1
    assert json.loads(adding.communicate(timeout=60)[0])["added"] and adding.returncode == 0
