"""`blackthorn export` as a person runs it: a real device, a real server, mail that is damaged."""

import json
import mailbox
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pysequoia
import pytest

from blackthorn.demo.deployment import Deployment, Person, StepFailedError, command_line
from tests.support.processes import interruptible

PASSPHRASE = "correct horse battery"
MAIL = b"From: eve@elsewhere.example\r\nSubject: export %d\r\n\r\nFrom here\r\n>From there\r\n"


@dataclass
class World:
    deployment: Deployment
    alice: Person
    bob: Person
    passphrase: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("export")
    passphrase = root / "passphrase"
    passphrase.write_text(PASSPHRASE + "\n")
    with Deployment(root / "playground") as deployment:
        deployment.initialise()
        deployment.start_server()
        alice, _ = deployment.enrol("alice")
        bob, _ = deployment.enrol("bob", "correct horse battery")
        alice.run("send", bob.address, "<script>hello</script>")
        bob.run("inbox")
        bob.run("send", alice.address, "waits until the export")
        alice.run("group", "create", "team ../..", bob.address)
        for number in range(1, 121):
            deployment.deliver_mail("eve@elsewhere.example", [alice.address], MAIL % number)
        yield World(deployment, alice, bob, passphrase)


def export(world: World, folder: Path) -> dict[str, Any]:
    given = ("--passphrase-file", str(world.passphrase))
    done: dict[str, Any] = world.alice.run_json("export", str(folder), *given)
    return done


def failing(person: Person, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        command_line(*arguments),
        env=person.environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_everything_is_taken_along_and_verifies_off_line(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    done = export(world, folder)
    assert done["problems"] == []
    counts = {"mails": 120, "conversations": 2, "contacts": 1, "keys": 1, "problems": 0}
    assert {key: done["counts"][key] for key in counts} == counts
    box = mailbox.mbox(folder / "mail.mbox", create=False)
    assert [each["subject"] for each in box] == [f"export {number}" for number in range(1, 121)]
    box.close()
    assert (folder / "mail/000007.eml").read_bytes() == MAIL % 7
    documents = [json.loads(each.read_bytes()) for each in (folder / "messages").glob("*.json")]
    direct = next(each for each in documents if each["kind"] == "direct")
    said = [(each["sender"], each["text"]) for each in direct["messages"]]
    assert said == [
        (world.alice.address, "<script>hello</script>"),
        (world.bob.address, "waits until the export"),
    ]
    assert direct["members"] == [world.alice.address, world.bob.address]
    locked = (folder / "keys/openpgp-secret-001.asc").read_bytes()
    keys = pysequoia.decrypt(locked, passwords=[PASSPHRASE]).bytes
    assert keys is not None
    readable = pysequoia.Tsk.from_bytes(keys).extract_certificate()
    assert world.alice.address in str(readable.user_ids[0])
    without = Person("", folder, {"PATH": world.alice.environment.get("PATH", "")})
    assert without.run_json("export", "verify", str(folder))["ok"] is True


def test_a_change_after_it_is_exit_code_4_and_named(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    export(world, folder)
    (folder / "mail/000003.eml").write_bytes(b"From: eve@elsewhere.example\r\n\r\nforged\r\n")
    (folder / "index.html").unlink()
    code, said = failing(world.alice, "export", "verify", str(folder))
    assert code == 4 and "(and 1 more)" in said and len(said.splitlines()) == 1
    done = subprocess.run(
        command_line("export", "verify", str(folder), "--json"), capture_output=True, text=True
    )
    findings = json.loads(done.stdout)["findings"]
    assert done.returncode == 4 and len(findings) == 2
    assert {each.partition(":")[0] for each in findings} == {"mail/000003.eml", "index.html"}


def test_what_it_refuses_is_one_clear_line(world: World, tmp_path: Path) -> None:
    alice, given = world.alice, ("--passphrase-file", str(world.passphrase))
    short = tmp_path / "short"
    short.write_text("too short\n")
    out = str(tmp_path / "out")
    assert "at least 12" in failing(alice, "export", out, "--passphrase-file", str(short))[1]
    assert "cannot be read" in failing(alice, "export", out, "--passphrase-file", out)[1]
    assert "--passphrase-file" in failing(alice, "export", out)[1]
    assert "exists already" in failing(alice, "export", str(tmp_path), *given)[1]
    code, said = failing(world.deployment.person("nobody"), "export", out, *given)
    assert code == 2 and "no device" in said
    assert not Path(out).exists()


def interrupted(world: World, folder: Path, by: signal.Signals) -> tuple[int, str]:
    """An export that gets a signal after its second mail."""
    command = command_line("export", str(folder), "--passphrase-file", str(world.passphrase))
    process = subprocess.Popen(
        command,
        env=world.alice.environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
    )
    deadline = time.monotonic() + 30
    while not folder.with_name("out.partial").joinpath("mail/000002.eml").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.001)
    process.send_signal(by)
    _, said = process.communicate()
    return process.returncode, said


def test_a_kill_leaves_no_export_and_the_next_run_is_whole(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    interrupted(world, folder, signal.SIGKILL)
    assert not folder.exists()
    export(world, folder)
    assert world.alice.run_json("export", "verify", str(folder))["ok"] is True
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_an_interrupt_leaves_nothing_at_all(world: World, tmp_path: Path) -> None:
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        code, said = interrupted(world, folder / "out", signal.SIGINT)
        if "Exception ignored" not in said:  # Python loses one that falls into a destructor
            break
    assert code == 130 and "Traceback" not in said, said
    assert list(folder.iterdir()) == []


def test_long_mails_come_in_pieces_and_in_their_order(world: World, tmp_path: Path) -> None:
    head = b"From: eve@elsewhere.example\r\nSubject: long\r\n\r\n"
    mails = [head + b"sixteen letters\r\n" * count for count in (400_000, 1, 300_000, 1)]
    for each in mails:
        world.deployment.deliver_mail("eve@elsewhere.example", [world.bob.address], each)
    given = ("--passphrase-file", str(world.passphrase))
    done = world.bob.run_json("export", str(tmp_path / "out"), *given)
    assert done["counts"]["mails"] == len(mails)
    written = sorted((tmp_path / "out/mail").iterdir())
    assert [each.read_bytes() for each in written] == mails
    assert world.bob.run_json("export", "verify", str(tmp_path / "out"))["ok"] is True


def test_damaged_mail_is_listed_and_stops_nothing(world: World, tmp_path: Path) -> None:
    """Last of this server's life: bytes of one stored mail are changed behind its back."""
    deployment = world.deployment
    deployment.stop_server()
    code, said = failing(
        world.alice, "export", str(tmp_path / "o"), "--passphrase-file", str(world.passphrase)
    )
    assert code == 6 and len(said.splitlines()) == 1 and "--without-mail" in said
    assert list(tmp_path.iterdir()) == []
    here = ("--without-mail", "--passphrase-file", str(world.passphrase))
    done = world.alice.run_json("export", str(tmp_path / "here"), *here)
    assert (done["counts"]["mails"], done["counts"]["conversations"]) == (0, 2)
    assert [each["item"] for each in done["problems"]] == ["mail"]
    assert world.alice.run_json("export", "verify", str(tmp_path / "here"))["ok"] is True
    database = apsw.Connection(str(next(deployment.directory.glob("*.db"))))
    (sealed,) = database.execute("SELECT sealed FROM mail WHERE uid = 5").fetchone()
    middle = len(sealed) // 2
    changed = sealed[:middle] + bytes([sealed[middle] ^ 1]) + sealed[middle + 1 :]
    database.execute("UPDATE mail SET sealed = ? WHERE uid = 5", (changed,))
    database.close()
    deployment.start_server()
    done = export(world, tmp_path / "out")
    assert [each["item"] for each in done["problems"]] == ["mail 5"]
    assert done["counts"]["mails"] == 119
    checked = world.alice.run_json("export", "verify", str(tmp_path / "out"))
    assert checked["ok"] is True and checked["counts"]["problems"] == 1


def test_verify_of_nothing_is_said(world: World, tmp_path: Path) -> None:
    with pytest.raises(StepFailedError) as caught:
        world.alice.run("export", "verify", str(tmp_path / "missing"))
    assert "is not a folder" in caught.value.detail
