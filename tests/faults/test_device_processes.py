"""Real device processes against a real server: every fault ends in one clear line, nothing lost."""

import json
import os
import random
import shlex
import shutil
import smtplib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from blackthorn.demo.deployment import (
    Deployment,
    Follower,
    Person,
    StepFailedError,
    command_line,
    wait_until,
)


@dataclass
class People:
    """A server that runs, and four people; Bob has a passphrase, the others key files."""

    deployment: Deployment
    alice: Person
    bob: Person
    carol: Person
    dave: Person


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    with Deployment(tmp_path_factory.mktemp("devices")) as deployment:
        deployment.initialise()
        deployment.start_server()
        bob, _ = deployment.enrol("bob", "correct horse battery")
        others = [deployment.enrol(name)[0] for name in ("alice", "carol", "dave")]
        yield People(deployment, others[0], bob, *others[1:])


def failing(person: Person, *arguments: str) -> str:
    """Run a command that must fail; the one line that it says."""
    with pytest.raises(StepFailedError) as caught:
        person.run(*arguments)
    said = caught.value.detail
    assert said.startswith("blackthorn: ") and len(said.splitlines()) == 1, said
    assert "Traceback" not in said
    return said


def ended(person: Person, *arguments: str) -> tuple[int, str, str]:
    """Run a command: its exit code, what it printed, what it said on standard error."""
    done = subprocess.run(
        command_line(*arguments), env=person.environment, capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


def texts(person: Person, of: str) -> list[str]:
    """The received texts that begin so; each test has a beginning of its own."""
    found = (each["text"] for each in person.run_json("inbox") if not each["event"])
    return [text for text in found if text.startswith(of)]


def followed(follower: Follower, of: str) -> list[str]:
    found = [str(line["text"]) for line in follower.lines]
    return [text for text in found if text.startswith(of)]


def start(person: Person, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command_line(*arguments),
        env=person.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_people_write_and_the_follower_prints_while_others_send(people: People) -> None:
    """A follower on one home, and five processes that send to one person at the same time."""
    alice, bob = people.alice, people.bob
    follower = people.deployment.follow(bob)
    assert alice.run_json("send", bob.address, "talk 1")["accepted"] is True
    wait_until(lambda: followed(follower, "talk") == ["talk 1"], 20, "the follower did not print")
    code, shown, told = ended(bob, "inbox")
    assert code == 0 and "talk 1" in shown and "Another process of this device receives" in told
    assert "Another process" not in ended(alice, "inbox")[2]
    sending = [
        start(bob, "send", alice.address, f"talk back {number}", "--json") for number in range(5)
    ]
    said = [each.communicate(timeout=90) for each in sending]
    assert [each.returncode for each in sending] == [0] * 5, said
    sent = [json.loads(out)["messages"][0] for out, _ in said]
    assert all(each["accepted"] and each["id"] and not each["waiting"] for each in sent), sent
    assert sorted(texts(alice, "talk")) == [f"talk back {number}" for number in range(5)]
    follower.stop()
    alice.run("send", bob.address, "talk 2")
    again = people.deployment.follow(bob)
    wait_until(lambda: bool(followed(again, "talk")), 20, "the second follower did not print")
    assert followed(again, "talk") == ["talk 2"]
    again.stop()


def test_changes_of_a_group_at_once_while_both_follow(people: People) -> None:
    """Each `group add` is a process without the receiver lock: it cannot see the winner itself."""
    alice, bob, carol, dave = people.alice, people.bob, people.carol, people.dave
    alice.run("group", "create", "team", bob.address)
    followers = [people.deployment.follow(alice), people.deployment.follow(bob)]
    wait_until(lambda: bool(followers[1].lines), 20, "Bob did not join")
    changes = [
        start(alice, "group", "add", "team", carol.address),
        start(bob, "group", "add", "team", dave.address),
    ]
    assert [each.wait(90) for each in changes] == [0, 0]
    alice.run("group", "send", "team", "all four")
    assert texts(carol, "all") == texts(dave, "all") == ["all four"]
    (team,) = alice.run_json("group", "list")
    assert len(team["members"]) == 4
    for follower in followers:
        follower.stop()


def test_a_wrong_passphrase_and_a_missing_key_file(people: People) -> None:
    bob, carol = people.bob, people.carol
    file = people.deployment.root / "wrong"
    file.write_text("a wrong passphrase\n")
    wrong = bob.environment | {"BLACKTHORN_PASSPHRASE_FILE": str(file)}
    said = failing(replace(bob, environment=wrong), "status")
    assert "not the passphrase of this device" in said
    without = {k: v for k, v in bob.environment.items() if "PASSPHRASE" not in k}
    done = subprocess.run(
        command_line("inbox"), env=without, capture_output=True, text=True, start_new_session=True
    )
    assert done.returncode == 2 and "there is no terminal" in done.stderr
    missing = carol.environment | {"BLACKTHORN_KEY_FILE": str(file.with_name("missing"))}
    assert "cannot be read" in failing(replace(carol, environment=missing), "status")
    assert "no device" in failing(people.deployment.person("nobody"), "status")


def test_a_damaged_database_is_said_and_not_overwritten(people: People) -> None:
    home = people.deployment.root / "damaged"
    shutil.copytree(people.dave.home, home)
    for name in ("device.db-wal", "device.db-shm"):
        (home / name).unlink(missing_ok=True)
    damaged = os.urandom(8192)
    (home / "device.db").write_bytes(damaged)
    environment = people.dave.environment | {"BLACKTHORN_HOME": str(home)}
    copy = replace(people.dave, home=home, environment=environment)
    assert "the database is damaged" in failing(copy, "inbox")
    assert "the database is damaged" in failing(copy, "send", "bob@acme.example", "x")
    assert (home / "device.db").read_bytes() == damaged


def test_a_full_disk_is_said_and_what_was_there_is_kept(people: People) -> None:
    """A bound on the size of files is met like a full disk: the write-ahead log cannot grow."""
    alice, dave = people.alice, people.dave
    for number in range(3):
        alice.run("send", dave.address, f"full {number} " + "x" * 100_000)
    command = f"ulimit -f 200; exec {shlex.join(command_line('inbox'))}"
    done = subprocess.run(
        ["bash", "-c", command], env=dave.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 5, done.stderr
    assert done.stderr.startswith("blackthorn: the disk") and len(done.stderr.splitlines()) == 1
    assert [text[:6] for text in texts(dave, "full")] == ["full 0", "full 1", "full 2"]


def test_bad_arguments_are_one_line(people: People) -> None:
    alice = people.alice
    assert "not an address" in failing(alice, "send", "bob", "text")
    assert "at least one address" in failing(alice, "send", "bob@acme.example")
    assert "there is no user" in failing(alice, "send", "nobody@acme.example", "x")
    assert "no such group" in failing(alice, "group", "send", "no-team", "x")
    assert "there is no mail" in failing(alice, "mail", "read", "1")
    used = "1234-" + "-".join(["absurd", "adroitness"] * 4)
    assert "holds an activated device" in failing(alice, "activate", used)


def test_without_a_server_wishes_are_kept_and_a_follower_comes_back(people: People) -> None:
    deployment, alice, carol = people.deployment, people.alice, people.carol
    follower = deployment.follow(carol)
    alice.run("send", carol.address, "kept 1")
    wait_until(lambda: followed(follower, "kept") == ["kept 1"], 20, "not received")
    deployment.kill_server()
    said = alice.run_json("send", carol.address, "kept 2")
    assert said["accepted"] is False and said["waiting"] is True
    assert "kept and will be sent" in alice.run("send", carol.address, "kept 3")
    code, printed, said = ended(alice, "status", "--json")
    assert (code, len(said.splitlines())) == (6, 1), said
    assert json.loads(printed)["waiting_to_be_sent"] == 2
    code, printed, said = ended(alice, "inbox", "--json")
    assert (code, type(json.loads(printed))) == (6, list) and "stored data" in said
    waiting = [each["text"] for each in alice.run_json("history", carol.address)[-2:]]
    assert waiting == ["kept 2", "kept 3"]
    deployment.start_server()
    alice.run("inbox")
    expected = ["kept 1", "kept 2", "kept 3"]
    wait_until(lambda: followed(follower, "kept") == expected, 30, "not received later")
    assert follower.running
    log = carol.home.with_suffix(".log").read_text()
    assert log.count("Trying again") == log.count("Connected again") == 1 and ".." not in log
    assert "Traceback" not in log
    follower.stop()


def test_a_wish_that_is_refused_later_is_told_once_and_listed(people: People) -> None:
    deployment, alice = people.deployment, people.alice
    deployment.kill_server()
    alice.run("send", "ghost@acme.example", "boo from off line")
    alice.run("group", "create", "ghosts", "ghost@acme.example")
    deployment.start_server()
    code, printed, said = ended(alice, "inbox", "--json")
    assert code == 0 and "boo" not in printed
    reason = "there is no user ghost@acme.example here, which the ledger proves"
    assert f'not sent to ghost@acme.example: {reason}: "boo from off line"' in said
    assert f"not made: the group ghosts: {reason}" in said and len(said.splitlines()) == 2
    assert ended(alice, "inbox")[2] == ""
    assert [each["reason"] for each in alice.run_json("status")["failed"]] == [reason, reason]
    assert alice.run_json("status")["failed"] == []
    line = alice.run_json("history", "ghost@acme.example")[-1]
    assert (line["mine"], line["standing"], line["text"]) == (True, "failed", "boo from off line")
    assert f"(not sent: {reason}): boo from off line" in alice.run("history")


def test_a_member_is_not_added_twice(people: People) -> None:
    alice, bob = people.alice, people.bob
    assert "group twice: made" in alice.run("group", "create", "twice", bob.address)
    assert "in the group already" in failing(alice, "group", "add", "twice", bob.address)
    assert "removed bob" in alice.run("group", "remove", "twice", bob.address)


def test_attachments_are_saved_as_new_private_files(people: People, tmp_path: Path) -> None:
    dave = people.dave
    mail = EmailMessage()
    mail["Subject"] = "two files"
    mail.set_content("see below")
    for data in (b"first", b"second"):
        mail.add_attachment(data, maintype="a", subtype="b", filename="../x\u202e.bin")
    with smtplib.SMTP("127.0.0.1", people.deployment.smtp_port) as smtp:
        smtp.send_message(mail, "carla@outside.example", [dave.address])
    (entry,) = dave.run_json("mail", "list")
    assert entry["from"] == "carla@outside.example (by its envelope)"
    uid = str(entry["uid"])
    assert dave.run_json("mail", "read", uid)["received"] == entry["received"]
    dave.run("mail", "save", uid, str(tmp_path))
    dave.run("mail", "save", uid, str(tmp_path), "2")
    files = sorted(tmp_path.iterdir())
    assert sorted(each.read_bytes() for each in files) == [b"first", b"second", b"second"]
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}
    assert all(each.name.startswith("x") and each.name.isprintable() for each in files)
    assert "has 2 attachments" in failing(dave, "mail", "save", uid, str(tmp_path), "3")
    assert "is no folder" in failing(dave, "mail", "save", uid, str(tmp_path / "none"))


def test_another_server_key_is_a_hard_stop(people: People) -> None:
    deployment, alice = people.deployment, people.alice
    deployment.stop_server()
    other, kept = deployment.root / "other", deployment.root / "kept"
    deployment.administer("init", str(other), "--domain", "acme.example")
    shutil.copytree(deployment.directory, kept)
    for name in ("server.key", "server.crt"):
        shutil.copy(other / name, deployment.directory / name)
    deployment.start_server()
    try:
        said = failing(alice, "send", people.bob.address, "to the right server")
        assert "kept and will be sent when the right server answers" in said
        for arguments in (("status",), ("inbox", "--follow"), ("send", alice.address[1:], "x")):
            assert "the network is intercepting" in failing(alice, *arguments)
    finally:
        deployment.stop_server()
        for name in ("server.key", "server.crt"):
            shutil.copy(kept / name, deployment.directory / name)
        deployment.start_server()


def test_a_device_killed_at_random_moments_loses_nothing(people: People) -> None:
    """SIGKILL of sender and follower; what was accepted is shown, once."""
    seed = 5
    print(f"seed {seed}")
    chance = random.Random(seed)
    alice, bob = people.alice, people.bob
    shown: list[dict[str, object]] = []
    for number in range(6):
        follower = start(bob, "inbox", "--follow", "--json")
        sender = start(alice, "send", bob.address, f"killed {number}")
        time.sleep(0.3 + chance.random() * 0.9)
        sender.kill()
        follower.kill()
        output, _ = follower.communicate()
        sender.communicate()
        whole = output[: output.rfind("\n") + 1]
        shown += [json.loads(line) for line in whole.splitlines()]
    alice.run("send", bob.address, "killed, the last")
    received = bob.run_json("inbox")
    sent = [each["text"] for each in received if each["text"].startswith("killed")]
    assert len(sent) == len(set(sent)), "shown twice"
    assert sent[-1] == "killed, the last"
    assert {str(each["id"]) for each in shown} <= {each["id"] for each in received}
    state = bob.run_json("status")
    assert (state["could_not_be_opened"], state["missing_messages"]) == (0, 0)


def test_an_activation_killed_at_random_moments_is_finished_with_the_same_code(
    people: People,
) -> None:
    seed = 6
    print(f"seed {seed}")
    chance = random.Random(seed)
    erin = people.deployment.person("erin")
    code = people.deployment.add_user("erin")["url"]
    for _ in range(3):
        running = start(erin, "activate", code)
        time.sleep(0.35 + chance.random() * 0.6)
        running.kill()
        running.communicate()
    try:
        erin.run("activate", code)
    except StepFailedError as error:
        assert "holds an activated device" in error.detail
    assert erin.run_json("status")["connection"] == "good"


def test_control_characters_of_others_do_not_reach_the_terminal(people: People) -> None:
    alice, carol = people.alice, people.carol
    alice.run("send", carol.address, "red \x1b[31malert\x07 \u202egnp.exe [bold]x[/bold]")
    printed = carol.run("inbox")
    assert "\x1b" not in printed and "\x07" not in printed and "\u202e" not in printed
    assert "[bold]x[/bold]" in printed
