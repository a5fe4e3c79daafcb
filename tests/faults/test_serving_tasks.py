"""A whole server in a child process: its periodic tasks survive, its listeners are watched."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.server_process import environment

SURVIVING = """
import json, os, signal, sys
from pathlib import Path
from blackthorn.programs import periodic
from blackthorn.programs.periodic import Supervisor
from blackthorn.programs.server.folder import initialise
from blackthorn.programs.server.server import serve

calls, keep = {}, Supervisor.keep

def failing_first(supervisor, name, work, first_pause=0.25):
    calls[name] = 0

    async def attempt():
        calls[name] += 1
        if calls[name] == 1:
            raise OSError(5, "Input/output error")
        if all(count > 1 for count in calls.values()) and len(calls) >= int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGTERM)
        await work()

    return keep(supervisor, name, attempt, 0.01)

Supervisor.keep = failing_first
signal.alarm(120)
ports = {(part, "port"): 0 for part in ("link", "smtp", "ops", "ledger")}
ports["ledger", "witness_port"] = 0
path = Path(sys.argv[1]) / "server"
initialise(path, "acme.example", {**ports, ("link", "public"): "127.0.0.1:1"})
serve(path)
print(json.dumps(calls))
"""

ENDING = """
import json, signal, sys
from pathlib import Path
from blackthorn.edges.http.server import HttpServer
from blackthorn.edges.link.server import LinkServer
from blackthorn.edges.smtp.server import SmtpServer
from blackthorn.errors import UnavailableError
from blackthorn.programs.server import server
from blackthorn.programs.server.folder import initialise

signal.alarm(120)
ports = {(part, "port"): 0 for part in ("link", "smtp", "ops", "ledger")}
ports["ledger", "witness"] = "none"
ended = property(lambda listener: False)
said = []
for number, kind in enumerate((LinkServer, SmtpServer, HttpServer, None)):
    path = Path(sys.argv[1]) / str(number)
    initialise(path, "acme.example", {**ports, ("link", "public"): "127.0.0.1:1"})
    if kind is None:
        server.is_listening = lambda listener: False
    else:
        listening, kind.listening = kind.listening, ended
    try:
        server.serve(path)
    except UnavailableError as error:
        said.append(str(error))
    if kind is not None:
        kind.listening = listening
print(json.dumps(said))
"""

TASKS = {"purge", "free disk", "listeners", "decisions", "closures", "ledger", "notices"}


def child(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_periodic_task_of_the_server_ends_at_an_error_of_the_system(tmp_path: Path) -> None:
    calls = json.loads(child(SURVIVING, str(tmp_path), str(len(TASKS) + 2)))
    assert set(calls) >= TASKS | {"embedded witness"}
    assert all(count > 1 for count in calls.values()), calls


def test_any_listener_that_has_ended_ends_the_server_with_a_message(tmp_path: Path) -> None:
    said = json.loads(child(ENDING, str(tmp_path)))
    assert said == [
        f"{what} has stopped listening: start the program again"
        for what in ("the link", "SMTP", "the ledger", "operations HTTP")
    ]
