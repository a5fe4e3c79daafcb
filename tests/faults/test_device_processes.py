"""Real device processes against a real server: every fault ends in one clear line, nothing lost."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackthorn.apps.playground import (
    Person,
    Playground,
    StepFailedError,
    command_line,
    wait_until,
)


@pytest.fixture
def playground(tmp_path: Path) -> Iterator[Playground]:
    with Playground(tmp_path) as opened:
        opened.initialise()
        opened.start_server()
        yield opened


def failing(person: Person, *arguments: str) -> str:
    """Run a command that must fail; the one line that it says."""
    with pytest.raises(StepFailedError) as caught:
        person.run(*arguments)
    said = caught.value.detail
    assert said.startswith("blackthorn: ") and len(said.splitlines()) == 1, said
    assert "Traceback" not in said
    return said


def texts(person: Person) -> list[str]:
    return [each["text"] for each in person.run_json("inbox") if not each["event"]]


def start(person: Person, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command_line(*arguments),
        env=person.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_people_write_and_the_follower_prints_while_others_send(playground):
    """Three processes on one home: a follower, and two that send at the same time."""
    alice, _ = playground.enrol("alice")
    bob, _ = playground.enrol("bob", "correct horse battery")
    follower = playground.follow(bob)
    assert alice.run_json("send", bob.address, "hello")["accepted"] is True
    wait_until(lambda: follower.texts() == ["hello"], 20, "the follower did not print")
    sending = [start(bob, "send", alice.address, f"from bob {number}") for number in range(2)]
    assert [each.wait(60) for each in sending] == [0, 0]
    assert sorted(texts(alice)) == ["from bob 0", "from bob 1"]
    alice.run("send", bob.address, "and on")
    wait_until(lambda: follower.texts() == ["hello", "and on"], 20, "the follower stopped")
    follower.stop()
    again = playground.follow(bob)
    alice.run("send", bob.address, "after a restart")
    wait_until(lambda: bool(again.texts()), 20, "the second follower did not print")
    assert again.texts() == ["after a restart"]


def test_a_commit_by_one_process_and_a_follower_in_another(playground):
    """`group add` while another member's change is under way and the follower holds the lock."""
    alice, _ = playground.enrol("alice")
    bob, _ = playground.enrol("bob")
    carol, _ = playground.enrol("carol")
    dave, _ = playground.enrol("dave")
    alice.run("group", "create", "team", bob.address)
    playground.follow(alice)
    followed = playground.follow(bob)
    wait_until(lambda: bool(followed.lines), 20, "bob did not join")
    changes = [
        start(alice, "group", "add", "team", carol.address),
        start(bob, "group", "add", "team", dave.address),
    ]
    assert [each.wait(90) for each in changes] == [0, 0]
    for person in (carol, dave):
        wait_until(
            lambda person=person: (
                len(person.run_json("group", "list")) == 1 or not person.run("inbox")
            ),
            20,
            "not added",
        )
    alice.run("group", "send", "team", "all four")
    for person in (carol, dave):
        assert "all four" in texts(person)
    (team,) = alice.run_json("group", "list")
    assert len(team["members"]) == 4


def test_a_wrong_passphrase_and_a_missing_key_file(playground):
    alice, _ = playground.enrol("alice", "correct horse battery")
    bob, _ = playground.enrol("bob")
    Path(alice.environment["BLACKTHORN_PASSPHRASE_FILE"]).write_text("wrong\n")
    assert "not the passphrase of this device" in failing(alice, "status")
    without = {k: v for k, v in alice.environment.items() if "PASSPHRASE" not in k}
    assert "there is no terminal" in failing(Person("", alice.home, without), "inbox")
    Path(bob.environment["BLACKTHORN_KEY_FILE"]).unlink()
    assert "cannot be read" in failing(bob, "status")
    assert "no device" in failing(playground.person("carol"), "send", bob.address, "x")


def test_a_damaged_database_is_said_and_not_overwritten(playground):
    alice, _ = playground.enrol("alice")
    database = alice.home / "device.db"
    damaged = os.urandom(database.stat().st_size)
    database.write_bytes(damaged)
    for name in ("device.db-wal", "device.db-shm"):
        (alice.home / name).unlink(missing_ok=True)
    for arguments in (("status",), ("inbox",), ("send", "bob@acme.example", "x")):
        assert "the database is damaged" in failing(alice, *arguments)
    assert database.read_bytes() == damaged


def test_bad_arguments_are_one_line(playground):
    alice, code = playground.enrol("alice")
    assert "not an address" in failing(alice, "send", "bob", "text")
    assert "at least one address" in failing(alice, "send", "bob@acme.example")
    assert "no text" in failing(alice, "send", "bob@acme.example", " ")
    assert "there is no user" in failing(alice, "send", "nobody@acme.example", "x")
    assert "no such group" in failing(alice, "group", "send", "team", "x")
    assert "there is no mail" in failing(alice, "mail", "read", "1")
    assert "holds an activated device" in failing(alice, "activate", code)
    again = failing(playground.person("thief"), "activate", f"{code}", "--server", "127.0.0.1:1")
    assert "cannot be reached" in again


def test_what_is_sent_without_a_server_is_kept_and_sent_later(playground):
    alice, _ = playground.enrol("alice")
    bob, _ = playground.enrol("bob")
    alice.run("send", bob.address, "one")
    playground.stop_server()
    said = alice.run_json("send", bob.address, "two")
    assert said["accepted"] is False and said["waiting"] is True
    assert "kept and will be sent" in alice.run("send", bob.address, "three")
    assert alice.run_json("status")["waiting_to_be_sent"] == 2
    assert alice.run_json("inbox") == []
    playground.start_server()
    alice.run("inbox")
    assert alice.run_json("status")["waiting_to_be_sent"] == 0
    assert texts(bob) == ["one", "two", "three"]


def test_a_follower_survives_a_restart_of_the_server(playground):
    alice, _ = playground.enrol("alice")
    bob, _ = playground.enrol("bob")
    follower = playground.follow(bob)
    alice.run("send", bob.address, "before")
    wait_until(lambda: follower.texts() == ["before"], 20, "not received")
    playground.kill_server()
    alice.run("send", bob.address, "while it was down")
    playground.start_server()
    alice.run("inbox")
    wait_until(lambda: len(follower.texts()) == 2, 30, "not received after the restart")
    assert follower.running
    log = bob.home.with_suffix(".log").read_text()
    assert log.count("Trying again") == 1 and "Traceback" not in log


def test_another_server_key_is_a_hard_stop(playground):
    alice, _ = playground.enrol("alice")
    playground.stop_server()
    other = playground.root / "other"
    playground.administer("init", str(other), "--domain", "acme.example")
    for name in ("server.key", "server.crt"):
        shutil.copy(other / name, playground.directory / name)
    playground.start_server()
    for arguments in (("status",), ("inbox",), ("inbox", "--follow"), ("mail", "list")):
        assert "the network is intercepting" in failing(alice, *arguments)
    said = failing(alice, "send", "bob@acme.example", "not over this wire")
    assert "the network is intercepting" in said


def test_a_device_killed_at_random_moments_loses_nothing(playground):
    """SIGKILL of sender and follower; what was accepted is shown, once."""
    seed = 5
    print(f"seed {seed}")
    chance = random.Random(seed)
    alice, _ = playground.enrol("alice")
    bob, _ = playground.enrol("bob")
    shown: list[dict[str, object]] = []
    for number in range(8):
        follower = start(bob, "inbox", "--follow", "--json")
        sender = start(alice, "send", bob.address, f"text {number}")
        time.sleep(0.2 + chance.random() * 0.8)
        sender.send_signal(signal.SIGKILL)
        follower.send_signal(signal.SIGKILL)
        output, _ = follower.communicate()
        sender.communicate()
        whole = output[: output.rfind("\n") + 1]
        shown += [json.loads(line) for line in whole.splitlines()]
    alice.run("inbox")
    wait_until(
        lambda: alice.run_json("status")["waiting_to_be_sent"] == 0, 30, "the outbox is stuck"
    )
    received = bob.run_json("inbox")
    sent = [each["text"] for each in received]
    assert len(sent) == len(set(sent)), "shown twice"
    assert {str(each["id"]) for each in shown} <= {each["id"] for each in received}
    state = bob.run_json("status")
    assert (state["could_not_be_opened"], state["missing_messages"]) == (0, 0)
    wished = {f"text {number}" for number in range(8)}
    assert set(sent) <= wished
    alice.run("send", bob.address, "the last")
    assert texts(bob)[-1] == "the last"


def test_an_activation_killed_at_random_moments_is_finished_with_the_same_code(playground):
    seed = 6
    print(f"seed {seed}")
    chance = random.Random(seed)
    alice = playground.person("alice")
    code = playground.add_user("alice")["url"]
    for _ in range(3):
        running = start(alice, "activate", code)
        time.sleep(0.35 + chance.random() * 0.5)
        running.send_signal(signal.SIGKILL)
        running.communicate()
    try:
        alice.run("activate", code)
    except StepFailedError as error:
        assert "holds an activated device" in error.detail
    assert alice.run_json("status")["connection"] == "good"


def test_control_characters_of_others_do_not_reach_the_terminal(playground):
    alice, _ = playground.enrol("alice")
    bob, _ = playground.enrol("bob")
    alice.run("send", bob.address, "red \x1b[31malert\x07 \u202egnp.exe [bold]x[/bold]")
    printed = bob.run("inbox")
    assert "\x1b" not in printed and "\x07" not in printed and "\u202e" not in printed
    assert "[bold]x[/bold]" in printed
