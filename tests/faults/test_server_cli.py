"""The server as its administrator meets it: real processes, real sockets, real files."""

import asyncio
import json
import os
import shlex
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import time
from pathlib import Path

import apsw
import pytest

from blackthorn.link.activation.code import parse_code
from blackthorn.programs.server import configuration
from tests.support.real_device import ADDRESS, activate, new_device
from tests.support.server_process import ServerProcess, add_user, initialise, run

SECRET_ADDRESS = "zebra-9f31@acme.example"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return initialise(tmp_path_factory.mktemp("pristine") / "server")


@pytest.fixture
def directory(pristine: Path, tmp_path: Path) -> Path:
    """A server's folder that no server has used yet."""
    return shutil.copytree(pristine, tmp_path / "server")


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The error output, which must be one line of ours."""
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 1 and lines[0].startswith("blackthorn: "), done.stderr
    return lines[0]


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """The same of a server that had begun: its witness, a process, may have been warned of."""
    *logged, last = [line for line in done.stderr.splitlines() if line]
    events = {json.loads(line)["event"] for line in logged}
    assert events <= {"embedded_witness_not_independent"}, done.stderr
    assert last.startswith("blackthorn: "), done.stderr
    return last


# --- init ---------------------------------------------------------------------------------


def test_init_makes_a_folder_that_only_its_owner_can_read(directory):
    assert directory.stat().st_mode & 0o777 == 0o700
    modes = {each.name: each.stat().st_mode & 0o777 for each in directory.iterdir()}
    files = ("blackthorn.toml", "server.key", "server.crt", "blackthorn.db", "ledger.keys")
    folders = dict.fromkeys(("tls", "witness"), 0o700)
    assert modes == dict.fromkeys((*files, "policy.txt"), 0o600) | folders


@pytest.mark.real_start
def test_a_second_init_is_refused_and_changes_nothing(directory):
    before = {each: each.read_bytes() for each in directory.rglob("*") if each.is_file()}
    done = run("init", str(directory), "--domain", "other.example")
    assert done.returncode == 2 and "is not empty: nothing was changed" in one_line(done)
    assert {each: each.read_bytes() for each in before} == before


def test_init_names_a_wrong_domain_and_makes_nothing(tmp_path):
    done = run("init", str(tmp_path / "new"), "--domain", "acme")
    assert done.returncode == 2 and "--domain 'acme'" in one_line(done)
    assert not (tmp_path / "new").exists()


# --- What is wrong is told in one line ----------------------------------------------------


def test_config_check_names_a_file_that_others_can_use(directory):
    assert run("config", "check", str(directory)).returncode == 0
    assert run("dkim", "add", "one", "--dir", str(directory)).returncode == 0
    files = ("server.key", "ledger.keys", "blackthorn.db", "witness/witness.key", "dkim/one.key")
    for name in files:
        (directory / name).chmod(0o640)
        done = run("config", "check", str(directory))
        assert done.returncode == 2 and f"chmod go-rwx {directory / name}" in one_line(done)
        (directory / name).chmod(0o600)
    (directory / "server.crt").chmod(0o644)
    assert run("config", "check", str(directory)).returncode == 0


def test_config_check_names_each_file_that_is_missing(directory):
    add_user(directory, ADDRESS)
    keys = ("market-keys/ZZ.key", "ledger.keys")
    files = ("server.key", "server.crt", "blackthorn.db", "policy.txt", "witness/witness.key")
    check = ("config", "check", str(directory))
    assert "no file is missing" in run(*check).stdout
    for name in (*files, *keys):
        (directory / name).rename(directory / "kept")
        done = run(*check)
        assert done.returncode in (2, 5) and str(directory / name) in one_line(done), name
        assert "missing" in done.stderr or "No such file" in done.stderr
        (directory / "kept").rename(directory / name)
    for name in files[:2]:
        (directory / name).unlink()
    named = one_line(run(*check))
    assert all(str(directory / name) in named for name in files[:2])


def test_config_check_names_a_file_of_another_owner(directory):
    """As a command leaves it that root ran: the server, which is another user, cannot read it."""
    strange = directory / "blackthorn.db-strange"
    if os.geteuid():
        strange.symlink_to("/etc/passwd")
    else:
        strange.touch(0o600)
        os.chown(strange, 65534, -1)
    done = run("config", "check", str(directory))
    assert done.returncode == 2 and f"{strange} has another owner" in one_line(done)


def test_no_activation_url_names_an_address_that_nobody_can_reach(directory):
    public = {"BLACKTHORN_LINK_PUBLIC": "", "BLACKTHORN_LINK_HOST": "0.0.0.0"}
    for port, said in (("0", "link.port is 0"), ("3101", "no address that a device can reach")):
        extra = {**public, "BLACKTHORN_LINK_PORT": port}
        done = run("user", "add", "a@acme.example", "--dir", str(directory), **extra)
        assert done.returncode == 2 and said in one_line(done)
    assert json.loads(run("user", "list", "--dir", str(directory), "--json").stdout) == []


def test_words_without_a_server_say_where_nothing_answered(directory, tmp_path):
    code = add_user(directory, ADDRESS)["code"]
    home = {"BLACKTHORN_HOME": str(tmp_path / "home"), "BLACKTHORN_KEY_FILE": str(tmp_path / "key")}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
        done = run("activate", code, BLACKTHORN_LINK_PORT=port, **home)
        assert done.returncode == 6 and "give --server HOST:PORT, or the URL" in done.stderr
        done = run("activate", code, "--server", f"127.0.0.1:{port}", **home)
        assert done.returncode == 6 and "--server" not in done.stderr


def test_a_missing_folder_is_told(tmp_path):
    done = run("serve", str(tmp_path / "nowhere"))
    assert done.returncode == 2 and "blackthorn init" in one_line(done)


def test_an_unknown_key_is_told_with_the_nearest(directory):
    with (directory / "blackthorn.toml").open("a") as file:
        file.write("\n[lnik]\nport = 1\n")
    for command in (("serve",), ("config", "check")):
        done = run(*command, str(directory))
        assert done.returncode == 2
        assert "unknown section [lnik]; did you mean link?" in one_line(done)


@pytest.mark.parametrize(
    ("section", "what"),
    [
        ("LINK", "the link"),
        ("SMTP", "SMTP"),
        ("OPS", "operations HTTP"),
        ("LEDGER", "the ledger"),
    ],
)
def test_a_port_in_use_is_told(directory, section, what):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("serve", str(directory), **{f"BLACKTHORN_{section}_PORT": port})
    assert done.returncode == 6
    assert f"{what} cannot listen on 127.0.0.1:{port}: " in last_line(done)


def test_an_address_that_is_not_ours_is_told(directory):
    done = run("serve", str(directory), BLACKTHORN_OPS_HOST="192.0.2.1")
    assert done.returncode == 6 and "192.0.2.1" in one_line(done)


@pytest.mark.parametrize("place", ["head", "middle", "all"])
def test_a_damaged_database_is_told(directory, place):
    add_user(directory, SECRET_ADDRESS)
    database = directory / "blackthorn.db"
    data = bytearray(database.read_bytes())
    spans = {
        "head": slice(0, 100),
        "middle": slice(8192, len(data)),
        "all": slice(0, len(data)),
    }
    span = spans[place]
    data[span] = b"\xa5" * len(data[span])
    database.write_bytes(data)
    done = run("serve", str(directory))
    assert done.returncode == 5 and "damaged" in one_line(done)


def test_a_missing_database_is_told_and_not_made_anew(directory):
    (directory / "blackthorn.db").unlink()
    done = run("serve", str(directory))
    assert done.returncode == 5 and "blackthorn.db is missing" in one_line(done)
    assert not (directory / "blackthorn.db").exists()


def test_a_key_that_does_not_fit_its_certificate_is_told(directory, tmp_path):
    other = initialise(tmp_path / "other")
    (directory / "server.key").write_bytes((other / "server.key").read_bytes())
    done = run("serve", str(directory))
    assert done.returncode == 5 and "server.key" in one_line(done)


def test_a_second_server_on_the_same_folder_is_refused(directory):
    with ServerProcess(directory):
        done = run("serve", str(directory))
    assert done.returncode == 2 and "is running on" in one_line(done)


# --- Start and stop -----------------------------------------------------------------------


@pytest.mark.real_start
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_drains_and_stops_on_a_signal(directory, number):
    with ServerProcess(directory) as server:
        peers = [
            socket.create_connection(("127.0.0.1", server.ready[port]))
            for port in ("link_port", "smtp_port", "ops_port", "ledger_port")
        ]
        begun = time.monotonic()
        assert server.stop(number) == 0
        assert time.monotonic() - begun < 8
        for peer in peers:
            peer.close()
        assert server.events == ["ready", "stopping", "stopped"]
    assert not (directory / "blackthorn.db-wal").exists()


@pytest.mark.real_start
def test_the_server_starts_after_a_kill_and_keeps_its_users(directory):
    with ServerProcess(directory) as server:
        add_user(directory, "alice@acme.example")
        server.stop(signal.SIGKILL)
    with ServerProcess(directory):
        listed = run("user", "list", "--dir", str(directory), "--json")
    assert [user["address"] for user in json.loads(listed.stdout)] == ["alice@acme.example"]


def test_the_server_process_loads_nothing_of_the_device():
    program = (
        "import sys, blackthorn.cli.main, blackthorn.programs.server.server;"
        "from typer.main import get_command;"
        "get_command(blackthorn.cli.main.app).commands['serve'];"
        "assert 'blackthorn.cli.admin.server' in sys.modules;"
        "print([name for name in sys.modules if name.startswith(("
        "'blackthorn.device', 'blackthorn.mls', 'blackthorn.mail.pgp.open',"
        "'blackthorn.crypto.openpgp_open', 'blackthorn.crypto.hpke'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


# --- Users --------------------------------------------------------------------------------


def test_a_user_is_added_while_the_server_runs_and_no_log_names_him(directory):
    with ServerProcess(directory) as server:
        added = add_user(directory, SECRET_ADDRESS.upper(), "--expires", "30m")
        server.stop(signal.SIGTERM)
        log = "".join(server.lines)
    assert added["address"] == SECRET_ADDRESS
    assert added["url"] == f"blackthorn://127.0.0.1:1/activate#{added['code']}"
    assert len(added["code"].split("-")) == 9
    assert "zebra" not in log
    listed = json.loads(run("user", "list", "--dir", str(directory), "--json").stdout)
    assert listed[0]["code_expires"] == added["expires"] and len(listed[0]["pin"]) == 8


def test_the_code_is_stored_nowhere(directory):
    code = add_user(directory, "alice@acme.example")["code"]
    stored = b"".join(each.read_bytes() for each in directory.rglob("*") if each.is_file())
    words = code.split("-")[1:]
    assert "-".join(words).encode() not in stored
    assert sum(word.encode() in stored for word in words) < 3


def test_user_add_prints_code_url_and_qr_for_people(directory):
    done = run("user", "add", "alice@acme.example", "--dir", str(directory))
    assert done.returncode == 0 and "until 20" in done.stdout
    assert "blackthorn activate 'blackthorn://127.0.0.1:1/activate#" in done.stdout
    assert "▄" in done.stdout or "█" in done.stdout


def test_a_new_code_is_made_for_a_user_who_exists(directory):
    add_user(directory, "alice@acme.example")
    done = run("user", "add", "alice@acme.example", "--dir", str(directory))
    assert done.returncode == 2 and "blackthorn user code alice@acme.example" in one_line(done)
    done = run("user", "code", "alice@acme.example", BLACKTHORN_DIR=str(directory))
    assert done.returncode == 0
    done = run("user", "code", "bob@acme.example", BLACKTHORN_DIR=str(directory))
    assert done.returncode == 2 and "there is no user" in one_line(done)


def test_the_commands_that_an_error_names_can_be_pasted(directory):
    folder = directory.rename(directory.with_name("a server"))
    for command, error in (("code", "there is no user"), ("add", "exists")):
        done = run("user", command, "alice@acme.example", "--dir", str(folder))
        assert done.returncode == 2 and error in one_line(done)
        named = shlex.split(done.stderr.split("`")[1])
        assert named[-2:] == ["--dir", str(folder)]
        assert run(*named[1:]).returncode == 0


def test_a_refused_activation_is_logged_without_address_or_code(directory):
    nameplate = add_user(directory, SECRET_ADDRESS)["code"].split("-")[0]
    wrong = "-".join([nameplate, *["aardvark", "adroitness"] * 4])
    with ServerProcess(directory) as server:
        url = f"blackthorn://127.0.0.1:{server.ready['link_port']}/activate#{wrong}"
        for attempt in range(2):
            home = directory.parent / f"home{attempt}"
            options = ("--home", str(home), "--key-file", str(home) + ".key")
            assert run("activate", url, *options).returncode != 0
        server.stop(signal.SIGTERM)
        log = [json.loads(line) for line in server.lines]
    warnings = [line for line in log if line["level"] == "warning" and "refused" in line]
    assert [each["event"] for each in warnings] == ["activation_not_proven_before"]
    assert all(set(each) == {"event", "level", "timestamp", "refused"} for each in warnings)
    assert nameplate not in "".join(each["event"] for each in warnings)


def test_a_wrong_user_is_told_and_not_added(directory):
    for arguments, message in (
        (("alice@other.example",), "serves users of acme.example"),
        (("alice",), "not an address"),
        (('"a b"@acme.example',), "ASCII letters"),
        (("älice@acme.example",), "ASCII"),
        (("alice@acme.example", "--expires", "59s"), "from 1m to 30d"),
        (("alice@acme.example", "--expires", "31d"), "from 1m to 30d"),
        (("alice@acme.example", "--expires", "soon"), "from 1m to 30d"),
    ):
        done = run("user", "add", *arguments, "--dir", str(directory))
        assert done.returncode == 2 and message in one_line(done)
    assert json.loads(run("user", "list", "--dir", str(directory), "--json").stdout) == []


def test_the_bounds_of_a_code_life_are_allowed(directory):
    add_user(directory, "a@acme.example", "--expires", "1m")
    add_user(directory, "b@acme.example", "--expires", "30d")


# --- Operations ---------------------------------------------------------------------------


@pytest.mark.real_start
def test_health_readiness_and_metrics(directory):
    with ServerProcess(directory) as server:
        assert server.get("/healthz") == (200, "alive\n")
        server.wait_published()
        status, body = server.get("/readyz")
        told = json.loads(body)
        (warning,) = told.pop("warnings")
        assert "no postmaster is named" in warning
        assert (status, told) == (200, {"ready": True, "problems": []})
        status, body = server.get("/metrics")
        assert status == 200
        values = dict(line.rsplit(" ", 1) for line in body.splitlines() if line[0] != "#")
        assert values["blackthorn_connections"] == "0.0"
        assert values["blackthorn_parcels_accepted_total"] == "0.0"
        assert float(values["blackthorn_database_bytes"]) > 0
        assert values["blackthorn_ledger_entries"] == "2.0"
        assert 0 <= float(values["blackthorn_ledger_age_seconds"]) < 60
        assert values["blackthorn_ledger_witnesses_failing"] == "0.0"
        assert server.get("/nothing")[0] == 404


def test_the_postmaster_is_named_at_init_or_later_and_told_of_until_activated(directory, tmp_path):
    def postmaster(folder):
        return configuration.load(folder, {}).enterprise.postmaster

    made = initialise(tmp_path / "named", "--postmaster", "Alice@acme.example")
    assert postmaster(made) == "alice@acme.example"
    refused = run("init", str(tmp_path / "n"), "--domain", "acme.example", "--postmaster", "x@y.z")
    assert refused.returncode == 2 and "is not of acme.example" in one_line(refused)
    begun = run("init", str(tmp_path / "b"), "--domain", "acme.example", "--postmaster", ADDRESS)
    assert f"deferred until you add {ADDRESS} by `blackthorn user add`" in begun.stdout
    settings = directory / "blackthorn.toml"
    for name in ("bob", "carol"):
        done = run("config", "postmaster", str(directory), f"{name}@acme.example")
        add = f"`blackthorn user add {name}@acme.example --dir {directory}` adds one"
        assert done.returncode == 2 and add in one_line(done) and not postmaster(directory)
        add_user(directory, f"{name}@acme.example")
    for name in ("bob", "carol"):
        done = run("config", "postmaster", str(directory), f"{name}@acme.example")
        assert done.returncode == 0 and "restart the server" in done.stdout
        assert postmaster(directory) == f"{name}@acme.example"
    before = settings.read_text()
    for wrong, said in (("bob@example.net", "is not of acme.example"), ("bob", "not an address")):
        done = run("config", "postmaster", str(directory), wrong)
        assert done.returncode == 2 and said in one_line(done)
    assert settings.read_text() == before
    settings.write_text('[enterprise]\ndomain = "acme.example"\n')  # one of an earlier version
    assert run("config", "postmaster", str(directory), "bob@acme.example").returncode == 0
    assert postmaster(directory) == "bob@acme.example"
    settings.write_text(before.replace("carol@acme.example", ADDRESS))
    code = parse_code(add_user(directory, ADDRESS)["code"])

    def warnings():
        status = json.loads(run("ledger", "status", str(directory), "--json").stdout)
        ready, body = server.get("/readyz")
        assert ready == 200 and json.loads(body)["warnings"] == status["warnings"]
        return status["warnings"]

    with ServerProcess(directory) as server:
        server.wait_published()
        (warning,) = warnings()
        assert "the postmaster named for this domain cannot get mail yet; they have to" in warning
        asyncio.run(activate(server.ready["link_port"], code, *new_device()))
        assert warnings() == []
    printed = run("user", "code", ADDRESS, "--dir", str(directory)).stdout
    assert "blackthorn activate --reset '" in printed and "can only reset it" in printed


def test_a_full_disk_makes_the_server_not_ready(directory):
    with ServerProcess(directory, BLACKTHORN_OPS_MIN_FREE_DISK_MIB=str(2**31)) as server:
        status, body = server.get("/readyz")
        assert status == 503 and "of disk are free" in json.loads(body)["problems"][0]
        assert server.get("/healthz")[0] == 200


def test_mail_stops_at_a_floor_of_its_own_and_the_server_stays_ready(directory):
    with ServerProcess(directory, BLACKTHORN_SMTP_MIN_FREE_DISK_MIB=str(2**31)) as server:
        server.wait_published()
        status, body = server.get("/readyz")
        assert status == 200
        assert any("mail is deferred: less than" in each for each in json.loads(body)["warnings"])
        with smtplib.SMTP("127.0.0.1", server.ready["smtp_port"]) as client:
            client.ehlo()
            assert client.mail("eve@example.net")[0] == 452


def test_readiness_writes_nothing_and_an_emptied_database_is_not_ready(directory):
    with ServerProcess(directory) as server:
        server.wait_published()
        other = apsw.Connection(str(directory / "blackthorn.db"))
        before = other.pragma("data_version")
        for _ in range(20):
            server.get("/readyz")
        assert other.pragma("data_version") == before
        other.execute("DELETE FROM ledger_epoch")
        status, body = server.get("/readyz")
        other.close()
        assert status == 503
        assert "the database lacks what the ledger has published: restore it" in body


def ask(port: int, data: bytes) -> bytes:
    """Send raw bytes to the operations port and read to the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        peer.sendall(data)
        answer = b""
        try:
            while chunk := peer.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass
        return answer


def test_bad_requests_to_the_operations_port(directory):
    with ServerProcess(directory) as server:
        port = server.ready["ops_port"]
        end = b"\r\n\r\n"
        assert b" 405 " in ask(port, b"POST /healthz HTTP/1.1" + end)
        assert b" 400 " in ask(port, b"\xff\xfe" + end)
        assert b" 400 " in ask(port, b"GET /healthz" + end)
        assert ask(port, b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + end) == b""
        head = ask(port, b"HEAD /healthz HTTP/1.1" + end)
        assert b" 200 " in head and head.endswith(end)
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
        assert ask(port, b"GET /healthz HTTP/1.1" + end) == b""
        for peer in idle:
            peer.close()
        time.sleep(0.2)
        assert server.get("/healthz") == (200, "alive\n")
        assert server.stop(signal.SIGTERM) == 0


@pytest.mark.real_start
def test_no_core_dump_can_hold_mail(directory):
    with ServerProcess(directory) as server:
        bounds = Path(f"/proc/{server.process.pid}/limits").read_text()
        (line,) = [line for line in bounds.splitlines() if line.startswith("Max core")]
        assert line.split()[4:6] == ["0", "0"]
