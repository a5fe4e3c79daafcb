"""The ledger of real servers: audited over HTTPS by our own command, killed, restored from backups.

The promise under test: whatever happens to its process and its files, a server never signs two
trees of one size, and everybody can check that, and which byte is wrong where one is.
"""

import contextlib
import json
import random
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackthorn.audit import package
from blackthorn.audit.database import audit_rows
from blackthorn.demo.deployment import free_ports
from blackthorn.governance.package.build import register_key
from blackthorn.ids import Address
from blackthorn.ports.ledger import ReadChain, ReadCheckpoints, ReadRoots
from blackthorn.programs.server.closure import register_seed
from blackthorn.storage.files.ledger import LedgerFiles
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import host_store
from blackthorn.storage.sqlite.stores.ledger_rows import LedgerRows
from blackthorn.tlog.checkpoint import open_checkpoint
from blackthorn.tlog.tiles import tiles_between
from blackthorn.wire.note import VerifierKey, parse_vkey
from tests.support import runs
from tests.support.forked_server import ForkedServer
from tests.support.ledger_people import People
from tests.support.server_process import ServerProcess, initialise, run, wait_for
from tests.support.tls import unchecked
from tests.support.witness_process import WitnessProcess, make_witness, status

USERS = 5


def url(server: ServerProcess) -> str:
    return f"https://127.0.0.1:{server.ready['ledger_port']}"


def fetch(server: ServerProcess, path: str) -> tuple[int, dict[str, str], bytes]:
    """Status, header fields and body of a GET."""
    try:
        with urllib.request.urlopen(
            f"{url(server)}/{path}", context=unchecked(), timeout=10
        ) as got:
            return got.status, dict(got.headers), got.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def published_size(server: ServerProcess) -> int:
    status_code, _, note = fetch(server, "checkpoint")
    return int(note.split(b"\n")[1]) if status_code == 200 else 0


def audit(target: object, *options: str) -> subprocess.CompletedProcess[str]:
    return run("audit", "ledger", str(target), *options)


def told(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of an error."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("blackthorn: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a server, stopped, whose ledger has some users; copy it, do not use it."""
    directory = initialise(tmp_path_factory.mktemp("grown") / "server")
    with ServerProcess(directory) as server:
        server.wait_published()
        People(directory).enrol(server.ready["link_port"], USERS)
        wait_for(lambda: json.loads(ledger_status(directory))["users"] == USERS)
        assert server.stop(signal.SIGTERM) == 0
    return directory


def ledger_status(directory: Path) -> str:
    return run("ledger", "status", str(directory), "--json").stdout


@pytest.fixture
def directory(grown: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(grown, tmp_path / "server"))


@pytest.fixture
def mirror(directory: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder with everything that the server shows, as a mirror has it."""
    folder = tmp_path / "mirror"
    with ServerProcess(directory) as server:
        server.wait_published()
        size = published_size(server)
        tiles = [tile.path for tile in tiles_between(0, size)]
        for path in ("checkpoint", "policy", *tiles):
            code, _, body = fetch(server, path)
            assert code == 200, path
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(body)
    yield folder


# --- Over HTTPS ---------------------------------------------------------------------------


def test_the_status_tells_the_key_that_audits_are_given(directory: Path) -> None:
    """`audit package` and `audit closure` take it by --register, from a source of their own."""
    found = json.loads(ledger_status(directory))
    key = package.read_register(found["register"])
    assert key.name == f"{found['origin']}/register"
    signs = register_seed(LedgerFiles(directory).read_keys())  # packages and statements
    assert key == register_key(found["origin"], signs)
    printed = run("ledger", "status", str(directory)).stdout
    assert f"the register's key: {found['register']}" in printed
    assert "Note: the witness embedded is not independent of its log" in printed


def test_a_served_ledger_is_audited_over_https(directory: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.txt"
    policy.write_text(run("ledger", "policy", str(directory)).stdout)
    with ServerProcess(directory) as server:
        server.wait_published()
        done = audit(url(server), "--policy", str(policy), "--json")
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert (result["users"], result["changes"], result["policy"]) == (USERS, USERS, "given")
        assert result["origin"] == "acme.example/ledger" and result["resets"] is None
        assert result["freshest"] == result["cosignatures"]["embedded"]
        assert result["entries"] == published_size(server)
        done = audit(url(server))
        assert done.returncode == 0 and "freshest cosignature" in done.stdout
        assert "give a trusted one by --policy" in done.stderr
        done = audit(directory, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["resets"] == 0
        log = "".join(server.lines)
    assert "127.0.0.1" not in log and "checkpoint" not in log


def test_an_address_of_the_other_scheme_is_told(directory: Path) -> None:
    with ServerProcess(directory) as server:
        server.wait_published()
        for scheme, port, advice in (
            ("http", "ledger_port", "is served by https: try https://127.0.0.1:"),
            ("https", "ops_port", "does not speak TLS: try http://127.0.0.1:"),
        ):
            done = audit(f"{scheme}://127.0.0.1:{server.ready[port]}")
            assert done.returncode == 6 and advice in told(done), done.stderr


def test_only_what_is_published_is_shown_and_with_the_right_headers(directory: Path) -> None:
    with ServerProcess(directory) as server:
        server.wait_published()
        size = published_size(server)
        for path, kind in {
            "checkpoint": "text/plain; charset=utf-8",
            "policy": "text/plain; charset=utf-8",
            "config": "application/cbor",
            f"tile/0/000.p/{size}": "application/octet-stream",
            f"tile/entries/000.p/{size}": "application/octet-stream",
            f"pending/tile/entries/000.p/{size}": "application/octet-stream",
            "": "text/html; charset=utf-8",
        }.items():
            code, headers, body = fetch(server, path)
            assert (code, headers["content-type"]) == (200, kind), path
            assert body and "server" not in headers
            assert ("immutable" in headers["cache-control"]) == ("tile" in path)
        for path in (
            f"tile/0/000.p/{size + 1}",
            f"tile/entries/000.p/{size + 1}",
            f"pending/tile/0/000.p/{size + 1}",
            "tile/0/000",
            "tile/1/000.p/1",
            "tile/0/000.p/0",
            "tile/entries/../entries/000.p/1",
            "pending/checkpoint",
            "ledger.keys",
            "%2e%2e/ledger.keys",
            "pending/..%2f..%2fledger.keys",
        ):
            assert fetch(server, path)[0] == 404, path
        page = fetch(server, "")[2].decode()
        assert "acme.example/ledger" in page and "<script" not in page
        assert fetch(server, "policy")[2].decode() == run("ledger", "policy", str(directory)).stdout


# --- One wrong byte -----------------------------------------------------------------------


def test_a_flipped_byte_in_any_file_of_a_mirror_is_found_and_named(mirror: Path) -> None:
    seed = runs.seed()
    chance = random.Random(seed)
    assert audit(mirror).returncode == 0
    files = [path for path in mirror.rglob("*") if path.is_file() and path.name != "policy"]
    assert len(files) >= 3
    for path in files * 2:
        good = path.read_bytes()
        at = chance.randrange(len(good))
        path.write_bytes(good[:at] + bytes([good[at] ^ 1 << chance.randrange(8)]) + good[at + 1 :])
        done = audit(mirror)
        assert done.returncode == 4, (path, at, done.stdout)
        assert str(path.relative_to(mirror)) in told(done), (path, at, told(done))
        path.write_bytes(good)
    assert audit(mirror).returncode == 0


def test_a_tile_that_is_hidden_is_found(mirror: Path) -> None:
    (entries,) = (mirror / "tile" / "entries").rglob("*.p/*")
    entries.unlink()
    done = audit(mirror)
    assert done.returncode == 4 and "tile/entries/000.p/" in told(done)
    assert "is missing, although the log signed it" in told(done)


def test_a_flipped_byte_in_the_servers_own_rows_is_found_and_named(directory: Path) -> None:
    for table, column, where in (
        ("ledger_entry", "entry", "place = 3"),
        ("ledger_epoch", "root", "size = (SELECT min(size) FROM ledger_epoch)"),
        ("ledger_epoch", "note", "note IS NOT NULL"),
        ("ledger_leaf", "head", "user = 2"),
        ("ledger_label", "salt", "user = 3"),
        ("chain_statement", "statement", "user = 4"),
    ):
        copy = Path(shutil.copytree(directory, directory.with_name(f"{table}-{column}")))
        database = Database.open(copy / "blackthorn.db")
        query = f"SELECT {column} FROM {table} WHERE {where}"
        value = bytearray(database.reading.execute(query).get)
        value[len(value) // 2] ^= 0x10
        change = f"UPDATE {table} SET {column} = ? WHERE {where}"
        database.writing.execute(change, (bytes(value),))
        database.close()
        done = audit(copy)
        assert done.returncode == 4 and f"blackthorn: {table}" in told(done), told(done)


# --- What an auditor remembers, and cosigns -----------------------------------------------


def test_a_log_that_is_smaller_than_at_the_last_audit_leaves_evidence(
    directory: Path, grown: Path, tmp_path: Path
) -> None:
    memory = tmp_path / "memory"
    with ServerProcess(directory) as server:
        server.wait_published()
        later = People(directory, USERS + 1)
        later.enrol(server.ready["link_port"], 1)
        wait_for(lambda: json.loads(ledger_status(directory))["users"] == USERS + 1)
        assert audit(url(server), "--evidence", str(memory)).returncode == 0
        assert audit(url(server), "--evidence", str(memory)).returncode == 0
        server.stop(signal.SIGTERM)
    done = audit(grown, "--evidence", str(memory))
    assert done.returncode == 4 and "at the last audit" in told(done)
    (evidence,) = memory.glob("rollback-*.json")
    assert str(evidence) in told(done)
    verified = run("audit", "evidence", str(evidence))
    assert verified.returncode == 0 and "had signed a tree of" in verified.stdout
    evidence.write_bytes(evidence.read_bytes().replace(b'"first"', b'"fisrt"'))
    refused = run("audit", "evidence", str(evidence))
    assert refused.returncode == 4 and "[D34]" in told(refused)


def test_an_auditor_cosigns_what_has_passed_and_nothing_smaller(
    directory: Path, grown: Path, tmp_path: Path
) -> None:
    files = LedgerFiles(directory)
    vkey = files.read_keys().log_vkey
    make_witness(tmp_path / "auditor", name="auditor.example/a")
    done = audit(directory, "--cosign", str(tmp_path / "auditor"))
    assert done.returncode == 2 and "witness add-log" in told(done)
    assert run("witness", "add-log", str(tmp_path / "auditor"), vkey).returncode == 0
    with ServerProcess(directory) as server:
        server.wait_published()
        later = People(directory, USERS + 1)
        later.enrol(server.ready["link_port"], 1)
        wait_for(lambda: json.loads(ledger_status(directory))["users"] == USERS + 1)
        done = audit(url(server), "--cosign", str(tmp_path / "auditor"), "--json")
        server.stop(signal.SIGTERM)
    assert json.loads(done.stdout)["cosigned"].startswith("— auditor.example/a ")
    done = audit(grown, "--cosign", str(tmp_path / "auditor"))
    assert done.returncode == 4 and "has cosigned" in told(done)


def test_a_witness_that_audits_signs_what_holds_and_stands_in_the_quorum(
    directory: Path, tmp_path: Path
) -> None:
    vkey = LedgerFiles(directory).read_keys().log_vkey
    auditor = make_witness(tmp_path / "auditor", vkey, name="auditor.example/a")
    ledger_port, auditor_port = free_ports(2)
    at = f"http://127.0.0.1:{auditor_port}"
    added = run(
        "ledger", "witness", "add", str(directory), auditor, at, "--quorum", "2", "--offline"
    )
    assert added.returncode == 0 and "restart the server" in added.stdout
    with (
        WitnessProcess(
            tmp_path / "auditor",
            "--audit",
            f"https://127.0.0.1:{ledger_port}",
            port=auditor_port,
        ),
        ServerProcess(directory, BLACKTHORN_LEDGER_PORT=str(ledger_port)) as server,
    ):
        before = published_size(server)
        later = People(directory, USERS + 1)
        later.enrol(server.ready["link_port"], 2)
        wait_for(lambda: published_size(server) > before)
        done = audit(url(server), "--json")
        assert set(json.loads(done.stdout)["cosignatures"]) == {"embedded", "auditor.example/a"}
        told_ = json.loads(ledger_status(directory))
        assert all(each["cosigned"] for each in told_["witnesses"])
        assert [each["embedded"] for each in told_["witnesses"]] == [True, False]
    assert status(tmp_path / "auditor")["logs"][0]["size"] >= before


# --- Killed at any moment -----------------------------------------------------------------

KILLS = runs.pick(12, 40)
LIFE_SECONDS = 4
"""A server that makes no step for so long, as all has been published, is killed too."""

OWNERS = 6


def test_a_server_killed_at_any_moment_of_publishing_leaves_a_log_that_passes_every_audit(
    tmp_path: Path,
) -> None:
    """SIGKILL while epochs are made, cosigned and published; then rows, tiles and notes hold.

    The witness is a process of its own that stays: it would see a fork first.
    """
    seed = runs.seed()
    directory = initialise(tmp_path / "server", "--witness", "none")
    vkey = LedgerFiles(directory).read_keys().log_vkey
    port, own = free_ports(1)[0], make_witness(tmp_path / "witness", vkey)
    where = f"http://127.0.0.1:{port}"
    run("ledger", "witness", "add", str(directory), own, where, "--quorum", "1", "--offline")
    with WitnessProcess(tmp_path / "witness", port=port):
        people, size = kill_and_check(directory, random.Random(seed), parse_vkey(vkey))
        with ServerProcess(directory) as server:
            server.wait_published()
            wait_for(lambda: json.loads(ledger_status(directory))["waiting"] is None)
            served = json.loads(audit(url(server), "--json").stdout)
            server.stop(signal.SIGTERM)
    assert status(tmp_path / "witness")["evidence"] == []
    done = audit(directory, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    print(
        f"{KILLS} kills, {people.stored} changes answered, {result['epochs']} epochs, "
        f"{result['entries']} entries: no fork, nothing lost"
    )
    assert served["users"] == result["users"] == OWNERS
    assert result["entries"] >= served["entries"] >= size
    check_chains(directory, people)
    assert result["epochs"] > KILLS


def kill_and_check(directory: Path, chance: random.Random, log: VerifierKey) -> tuple[People, int]:
    """Kill servers that publish, and look at what each leaves behind."""
    people = People(directory)
    seen: dict[int, bytes] = {}
    size = 0
    at_once = {"BLACKTHORN_LEDGER_EPOCH_SECONDS": "0"}
    with ForkedServer(people.directory, **at_once) as server:
        people.enrol(server.port, OWNERS)
    for _ in range(KILLS):
        with ForkedServer(people.directory, **at_once) as server:
            steps, after = chance.randrange(9), chance.choice((0.0, chance.uniform(0.0, 0.1)))
            kill = threading.Thread(target=kill_server, args=(server, directory, steps, after))
            kill.start()
            people.change(server.port)
            kill.join()
        size = check_log(directory, log, seen, size)
    return people, size


def check_chains(directory: Path, people: People) -> None:
    """What the server said it had stored is there, and in its place."""
    with contextlib.closing(Database.open(directory / "blackthorn.db")) as database:
        for owner in people.owners:
            chain = host_store(database).read(ReadChain(Address(owner.address), 0))
            assert chain is not None
            rows = chain.statements
            assert len(rows) >= owner.seq and rows[owner.seq - 1].head == owner.head


def kill_server(server: ForkedServer, directory: Path, steps: int, after: float) -> None:
    """SIGKILL a moment after the ledger has made so many steps: an epoch stored, or published."""
    database = Database.open(directory / "blackthorn.db")
    store = host_store(database)
    deadline = time.monotonic() + LIFE_SECONDS
    before = store.read(ReadCheckpoints())
    while steps and time.monotonic() < deadline:
        time.sleep(0.001)
        now = store.read(ReadCheckpoints())
        steps -= now != before
        before = now
    time.sleep(after)
    server.kill()
    database.close()


def check_log(directory: Path, log: VerifierKey, seen: dict[int, bytes], before: int) -> int:
    """No size has two roots, nothing published is gone, and the rows pass the audit."""
    database = Database.open(directory / "blackthorn.db")
    store = host_store(database)
    checkpoints = store.read(ReadCheckpoints())
    for size, root in store.read(ReadRoots(0, 2**31)):
        assert seen.setdefault(size, root) == root, f"a fork at size {size}"
    published = max((each.size for each in checkpoints if each.published), default=0)
    assert published >= before
    for each in checkpoints:
        checkpoint, _ = open_checkpoint(each.note, log)
        assert seen[checkpoint.size] == checkpoint.root
    if published:
        files = LedgerFiles(directory)
        rows, now_ms = LedgerRows(database.reading), time.time_ns() // 1_000_000
        audit_rows(rows, files.read_keys(), files.read_policy(), now_ms, lambda done, total: None)
    database.close()
    return published


# --- Restored from a backup ---------------------------------------------------------------


def test_a_ledger_restored_from_an_old_backup_refuses_to_fork(directory: Path, grown: Path) -> None:
    """The witness is ahead: the server stops publishing, says so, and signs no other tree."""
    people = People(directory, USERS + 1)
    with ServerProcess(directory) as server:
        server.wait_published()
        people.enrol(server.ready["link_port"], 2)
        wait_for(lambda: json.loads(ledger_status(directory))["users"] == USERS + 2)
        ahead = published_size(server)
        server.stop(signal.SIGTERM)
    shutil.copy(grown / "blackthorn.db", directory / "blackthorn.db")
    with ServerProcess(directory) as server:
        behind = published_size(server)
        assert behind < ahead
        wait_for(lambda: "the ledger has stopped" in server.get("/readyz")[1])
        assert server.get("/readyz")[0] == 503
        time.sleep(0.5)
        assert published_size(server) == behind
        server.stop(signal.SIGTERM)
    witnessed = status(directory / "witness")
    assert witnessed["logs"][0]["size"] == ahead and witnessed["evidence"] == []
    done = run("ledger", "status", str(directory))
    assert done.returncode == 1 and "its database is an old state" in done.stdout


def test_an_embedded_witness_restored_from_a_backup_does_not_sign(
    directory: Path, grown: Path
) -> None:
    people = People(directory, USERS + 1)
    with ServerProcess(directory) as server:
        server.wait_published()
        people.enrol(server.ready["link_port"], 1)
        wait_for(lambda: json.loads(ledger_status(directory))["users"] == USERS + 1)
        server.stop(signal.SIGTERM)
    for name in ("witness.db", "witness.db-wal", "witness.db-shm"):
        (directory / "witness" / name).unlink(missing_ok=True)
    shutil.copy(grown / "witness" / "witness.db", directory / "witness" / "witness.db")
    with ServerProcess(directory) as server:
        size = published_size(server)
        people.enrol(server.ready["link_port"], 1)
        wait_for(lambda: "restored from a backup" in server.get("/readyz")[1])
        assert published_size(server) == size
        assert server.stop(signal.SIGTERM) == 0
    done = run("ledger", "status", str(directory))
    assert done.returncode == 1 and "must not sign any more" in done.stdout


# --- Its processes and files --------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_embedded_witness_ends_with_its_server(directory: Path, number: int) -> None:
    with ServerProcess(directory) as server:
        wait_for(lambda: children(server.process.pid))
        (child,) = children(server.process.pid)
        server.stop(number)
        wait_for(lambda: not Path(f"/proc/{child}/cmdline").exists() or not cmdline(child), 8)


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in listed if "programs.witness.serve" in cmdline(int(each))]


def cmdline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_an_embedded_witness_that_dies_is_started_again(directory: Path) -> None:
    with ServerProcess(directory) as server:
        server.wait_published()
        wait_for(lambda: children(server.process.pid))
        (child,) = children(server.process.pid)
        subprocess.run(["kill", "-KILL", str(child)], check=True)
        wait_for(lambda: children(server.process.pid) not in ([], [child]))
        size = published_size(server)
        people = People(directory, USERS + 1)
        people.enrol(server.ready["link_port"], 1)
        wait_for(lambda: published_size(server) > size)
        assert server.stop(signal.SIGTERM) == 0


def test_a_folder_of_an_earlier_version_is_told_what_to_do(tmp_path: Path) -> None:
    directory = initialise(tmp_path / "server")
    shutil.rmtree(directory / "witness")
    for name in ("ledger.keys", "policy.txt"):
        (directory / name).unlink()
    done = run("serve", str(directory))
    assert done.returncode == 2 and f"`blackthorn ledger init {directory}`" in told(done)
    made = run("ledger", "init", str(directory))
    assert made.returncode == 0 and "acme.example/ledger+" in made.stdout
    with ServerProcess(directory) as server:
        server.wait_published()
    again = run("ledger", "init", str(directory))
    assert again.returncode == 2 and "exists already" in told(again)
    (directory / "ledger.keys").unlink()
    lost = run("ledger", "init", str(directory))
    assert lost.returncode == 2 and "restore it from a backup" in told(lost)


@pytest.mark.parametrize("flaw", [b"", b"{}", b"[]", b'{"origin": 3}', b"\xff"])
def test_damaged_ledger_keys_are_told(directory: Path, flaw: bytes) -> None:
    (directory / "ledger.keys").write_bytes(flaw)
    done = run("serve", str(directory))
    assert done.returncode == 5 and "ledger.keys is damaged" in told(done)


def test_a_server_without_a_witness_publishes_at_once(tmp_path: Path) -> None:
    directory = initialise(tmp_path / "server", "--witness", "none")
    assert not (directory / "witness").exists()
    with ServerProcess(directory) as server:
        server.wait_published()
        assert server.events == ["ready"]
        assert audit(url(server)).returncode == 0


def test_a_witness_is_added_to_the_policy_of_a_folder(tmp_path: Path) -> None:
    directory = initialise(tmp_path / "server")
    vkey = make_witness(tmp_path / "one", name="one.example")
    add = ("ledger", "witness", "add", str(directory))
    done = run(*add, vkey, "https://one.example/", "--quorum", "2", "--offline")
    assert done.returncode == 0 and "until their owner accepts the new one" in done.stdout
    policy = run("ledger", "policy", str(directory)).stdout
    assert "group witnesses 2 embedded one.example\nquorum witnesses\n" in policy
    done = run(*add, "nonsense", "https://one.example/")
    assert done.returncode == 2 and "[N10]" in told(done)
    assert run("ledger", "policy", str(directory)).stdout == policy
