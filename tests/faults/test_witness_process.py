"""Witnesses as anyone runs them: real processes that are killed, restored from backups and lied to.

The promise under test is one: a witness never signs two roots of one size, whatever is done to
its process and its files, as long as its anchor file is its own.
"""

import base64
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from blackthorn.storage.files.anchor import Anchor
from blackthorn.storage.sqlite.stores.witness import WitnessStore
from blackthorn.tlog.checkpoint import open_checkpoint
from blackthorn.tlog.cosignature import verify_line
from blackthorn.tlog.witness import parse_cosignatures
from blackthorn.wire.note import parse_vkey
from tests.support import runs
from tests.support.server_process import environment, run
from tests.support.witness_process import ORIGIN, Log, WitnessProcess, make_witness, status


@pytest.fixture
def log() -> Log:
    log = Log()
    log.grow(5)
    return log


@pytest.fixture
def folder(tmp_path: Path, log: Log) -> Path:
    make_witness(tmp_path / "witness", log.vkey)
    return tmp_path / "witness"


def vkey_of(folder: Path) -> str:
    return str(status(folder)["vkey"])


# --- The protocol -------------------------------------------------------------------------


def test_the_dialogue_of_the_protocol(folder: Path, log: Log) -> None:
    key = parse_vkey(vkey_of(folder))
    with WitnessProcess(folder) as witness:
        assert witness.latest().status_code == 404

        answer = witness.add(log.request(0))
        assert answer.status_code == 200
        checkpoint, _ = open_checkpoint(log.note(), log.signer.vkey)
        line = parse_cosignatures(answer.content, key, checkpoint)

        note = witness.latest()
        assert note.headers["content-type"] == "text/plain; charset=utf-8"
        shown, parsed = open_checkpoint(note.content, log.signer.vkey)
        assert shown == checkpoint and len(parsed.signatures) == 2
        at = verify_line(parsed.lines_of(key)[0], key, checkpoint)
        assert abs(time.time() - at) < 60 and line in note.text

        log.grow(7)
        answer = witness.add(log.request(0))
        assert (answer.status_code, answer.text) == (409, "5\n")
        assert answer.headers["content-type"] == "text/x.tlog.size"
        assert witness.add(log.request(5)).status_code == 200
        assert witness.add(log.request(12)).status_code == 200, "the same again is fresh again"

        assert witness.add(log.request(5, 9)).status_code == 409
        assert witness.add(b"").status_code == 400
        assert witness.add(b"x" * 100_000).status_code == 413
        assert witness.client.get(f"{witness.url}/add-checkpoint").status_code == 405
        assert witness.client.get(f"{witness.url}/{'0' * 64}/checkpoint").status_code == 404
        assert witness.client.get(f"{witness.url}/x/checkpoint").status_code == 404
        assert witness.add(Log("log.example/other").request(0)).status_code == 404
        forged = Log(seed=2)
        forged.grow(13)
        assert witness.add(forged.request(12)).status_code == 403
        assert witness.stop(signal.SIGTERM) == 0
    assert status(folder)["logs"][0]["size"] == 12


def test_a_log_is_added_while_the_witness_runs(folder: Path, tmp_path: Path) -> None:
    other = Log("log.example/other", seed=3)
    other.grow(3)
    with WitnessProcess(folder) as witness:
        assert witness.add(other.request(0)).status_code == 404
        policy = tmp_path / "policy.txt"
        policy.write_text(f"log {other.vkey}\nquorum none\n")
        done = run("witness", "add-log", str(folder), str(policy))
        assert (done.returncode, done.stdout) == (0, "log.example/other is served from now on.\n")
        assert witness.add(other.request(0)).status_code == 200
    again = run("witness", "add-log", str(folder), other.vkey)
    assert "is served already" in again.stdout
    changed = run("witness", "add-log", str(folder), Log("log.example/other", seed=4).vkey)
    assert changed.returncode == 2 and "with the key" in changed.stderr


# --- Nothing is signed twice --------------------------------------------------------------


def test_a_fork_is_refused_and_kept_as_evidence(folder: Path, log: Log) -> None:
    fork = Log()
    fork.grow(4)
    fork.grow(1, "another truth")
    with WitnessProcess(folder) as witness:
        assert witness.add(log.request(0)).status_code == 200
        for _ in range(2):
            assert witness.add(fork.request(5)).status_code == 422
        assert witness.add(fork.request(0)).status_code == 409
        fork.grow(3)
        assert witness.add(fork.request(5)).status_code == 422
    (name,) = status(folder)["evidence"]
    assert name.startswith("fork-")
    path = folder / "evidence" / name
    done = run("audit", "evidence", str(path))
    assert done.returncode == 0 and "has signed two different trees of 5 entries" in done.stdout
    path.write_text(path.read_text().replace(log.vkey[-20:], Log(seed=2).vkey[-20:]))
    assert run("audit", "evidence", str(path)).returncode == 4


def test_a_database_restored_from_a_backup_refuses_to_sign(folder: Path, log: Log) -> None:
    with WitnessProcess(folder) as witness:
        assert witness.add(log.request(0)).status_code == 200
        witness.stop(signal.SIGTERM)
    backup = (folder / "witness.db").read_bytes()
    log.grow(3)
    with WitnessProcess(folder) as witness:
        assert witness.add(log.request(5)).status_code == 200
        witness.stop(signal.SIGTERM)
    (folder / "witness.db").write_bytes(backup)
    for command in (("serve", "--port", "0"), ("status",)):
        done = run("witness", command[0], str(folder), *command[1:])
        assert done.returncode == 4
        assert "signed log.example/one at size 8, its database holds 5" in (
            done.stderr + done.stdout
        )


@pytest.mark.parametrize("missing", ["witness.db", "witness.anchor", "witness.key"])
def test_a_witness_without_its_state_refuses_to_sign(folder: Path, log: Log, missing: str) -> None:
    with WitnessProcess(folder) as witness:
        assert witness.add(log.request(0)).status_code == 200
        witness.stop(signal.SIGTERM)
    (folder / missing).unlink()
    done = run("witness", "serve", str(folder), "--port", "0")
    assert done.returncode in (2, 4, 5) and len(done.stderr.splitlines()) == 1
    assert run("witness", "init", str(folder), "--name", "w.example").returncode == 2


@pytest.mark.parametrize("flaw", ["empty", "cut", "flipped"])
def test_a_damaged_anchor_is_not_read_as_an_old_one(folder: Path, log: Log, flaw: str) -> None:
    with WitnessProcess(folder) as witness:
        assert witness.add(log.request(0)).status_code == 200
        witness.stop(signal.SIGTERM)
    anchor = folder / "witness.anchor"
    data = anchor.read_bytes()
    flawed = {"empty": b"", "cut": data[: data.rindex(b"\n")], "flipped": b"c" + data[1:]}
    anchor.write_bytes(flawed[flaw])
    done = run("witness", "serve", str(folder), "--port", "0")
    assert done.returncode == 4 and "damaged" in done.stderr


def test_a_clock_that_reads_earlier_is_refused(folder: Path, log: Log) -> None:
    with WitnessProcess(folder) as witness:
        assert witness.add(log.request(0)).status_code == 200
        witness.stop(signal.SIGTERM)
    checkpoint, _ = open_checkpoint(log.note(), log.signer.vkey)
    later = int(time.time()) + 3_600
    Anchor.open(folder / "witness.anchor").rise(checkpoint, later)
    log.grow(1)
    with WitnessProcess(folder) as witness:
        answer = witness.add(log.request(5))
    assert answer.status_code == 503 and "behind its last cosignature" in answer.text
    assert status(folder)["logs"][0]["size"] == 5


def test_two_processes_do_not_sign_from_one_folder(folder: Path) -> None:
    with WitnessProcess(folder):
        done = run("witness", "serve", str(folder), "--port", "0")
    assert done.returncode == 2 and "is running on" in done.stderr


def test_requests_that_cross_are_taken_one_after_the_other(folder: Path, log: Log) -> None:
    log.grow(400)
    statuses: list[int] = []
    with WitnessProcess(folder) as witness:
        assert witness.add(log.request(0, 5)).status_code == 200

        def ask(size: int) -> None:
            statuses.append(
                httpx.post(f"{witness.url}/add-checkpoint", content=bodies[size]).status_code
            )

        bodies = {size: log.request(5, size) for size in range(10, 26)}
        threads = [threading.Thread(target=ask, args=(size,)) for size in bodies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(statuses) == [200] + [409] * 15


# --- Killed at any moment -----------------------------------------------------------------


def test_a_witness_killed_at_any_moment_has_kept_all_that_it_signed(folder: Path, log: Log) -> None:
    """After each kill the witness is at the size that it answered last, or at the one asked."""
    seed = runs.seed()
    rng = random.Random(seed)
    answered = 0
    log.grow(3_000)
    for _ in range(12):
        with WitnessProcess(folder) as witness:
            threading.Timer(rng.uniform(0.01, 0.25), witness.process.kill).start()
            with contextlib.suppress(httpx.TransportError):
                held = int(witness.add(log.request(0, 1)).text) if answered else 0
                assert held >= answered
                answered = held
                while answered < log.tree.size - 1:
                    assert witness.add(log.request(answered, answered + 1)).status_code == 200
                    answered += 1
            witness.process.wait()
        with contextlib.closing(WitnessStore.open(folder / "witness.db")) as store:
            latest = store.latest(ORIGIN)
        mark = Anchor.open(folder / "witness.anchor").of(ORIGIN)
        held = latest.checkpoint.size if latest else 0
        anchored = mark.checkpoint.size if mark else 0
        assert answered <= anchored <= held <= answered + 1
    assert answered > 12


def test_it_ends_with_its_parent(folder: Path) -> None:
    """Started as the embedded one, it ends when its standard input does."""
    for number in (signal.SIGKILL, signal.SIGTERM):
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(folder)],
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert parent.stdout is not None
        child, port = map(int, parent.stdout.readline().split())
        socket.create_connection(("127.0.0.1", port)).close()
        parent.send_signal(number)
        parent.wait()
        parent.stdout.close()
        deadline = time.monotonic() + 8
        while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, os.WNOHANG)
            time.sleep(0.05)
        assert not Path(f"/proc/{child}").exists()


PARENT = """
import json, subprocess, sys, time
child = subprocess.Popen(
    [sys.executable, "-m", "blackthorn.programs.witness.serve", sys.argv[1], "0"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
)
print(child.pid, json.loads(child.stdout.readline())["port"], flush=True)
time.sleep(60)
"""


# --- Strangers on the network -------------------------------------------------------------


def test_a_peer_that_says_nothing_or_too_much_is_cut(folder: Path) -> None:
    with WitnessProcess(folder) as witness:
        port = int(witness.url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=15) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000)
            with contextlib.suppress(ConnectionError):
                assert b"400" in peer.recv(4096)
        assert witness.latest().status_code == 404
        assert witness.stop(signal.SIGTERM) == 0
        assert [line for line in witness.lines if '"error"' in line] == []


def test_the_key_file_is_the_owners_alone_and_its_text_is_the_common_one(folder: Path) -> None:
    modes = {each.name: each.stat().st_mode & 0o777 for each in folder.iterdir()}
    assert set(modes.values()) == {0o600} and folder.stat().st_mode & 0o777 == 0o700
    form, rest = (folder / "witness.key").read_text().strip().split("+witness.example/w+")
    key_id, encoded = rest.split("+", 1)
    assert form == "PRIVATE+KEY" and key_id == vkey_of(folder).split("+")[1]
    assert base64.b64decode(encoded)[0] == 4
    shutil.rmtree(folder)
