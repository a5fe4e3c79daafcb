"""The peers as processes: a verifier that answers questions, and a witness on a socket."""

import http.client
import json
import os
import queue
import re
import subprocess
import threading
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[2]
PYTHON = ROOT / ".peers/ledger/bin/python"
REPLY_SECONDS = 60


class Refused(Exception):  # noqa: N818 - it is what happened, not an error of the test's
    """The peer answered `ok: false`."""


class Peer:
    """`peer_log.py`, running."""

    def __init__(self) -> None:
        path = {**os.environ, "PYTHONPATH": str(FOLDER.parent / "peers")}
        self._process = subprocess.Popen(
            [PYTHON, FOLDER / "peer_log.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=path,
        )

    def ask(self, command: str, **fields: object) -> dict[str, Any]:
        """The reply. Raises `Refused`, and `AssertionError` when there is none."""
        assert self._process.stdin and self._process.stdout
        watchdog = threading.Timer(REPLY_SECONDS, self._process.kill)
        watchdog.start()
        try:
            self._process.stdin.write(json.dumps({"cmd": command, **fields}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        assert line, f"the peer ended, or did not answer {command} in {REPLY_SECONDS} s"
        reply: dict[str, Any] = json.loads(line)
        if not reply["ok"]:
            raise Refused(reply["error"])
        return reply

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(REPLY_SECONDS)


class Witness:
    """`aics-witness serve`, with its own key and database in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._config = str(folder / "witness.json")
        self.vkey = self._run("init", "--name", name).strip()
        self._process: subprocess.Popen[str] | None = None
        self._port = 0

    def _line(self, command: str, *words: str) -> list[str]:
        return [str(PYTHON), "-m", "aics_witness", command, "--config", self._config, *words]

    def _run(self, command: str, *words: str) -> str:
        line = self._line(command, *words)
        done = subprocess.run(line, capture_output=True, text=True, timeout=REPLY_SECONDS)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def trust(self, origin: str, vkey: str) -> None:
        """Lets the witness follow a log; before `start`."""
        self._run("add-log", "--origin", origin, "--vkey", vkey)

    def start(self) -> None:
        """Serves on a free port of this machine."""
        self._process = subprocess.Popen(
            self._line("serve", "--listen", "127.0.0.1:0"), stderr=subprocess.PIPE, text=True
        )
        said: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, args=(self._process, said), daemon=True).start()
        lines = []
        while not self._port:
            lines.append(said.get(timeout=REPLY_SECONDS))
            assert lines[-1], f"the witness ended: {''.join(lines)}"
            found = re.search(r"listening on http://127\.0\.0\.1:([0-9]+)", lines[-1])
            self._port = int(found[1]) if found else 0

    @staticmethod
    def _listen(process: "subprocess.Popen[str]", said: "queue.Queue[str]") -> None:
        """Reads what the witness logs to the end, so that it never waits for a reader."""
        assert process.stderr
        for line in process.stderr:
            said.put(line)
        said.put("")

    def add_checkpoint(self, body: bytes) -> tuple[int, str, bytes]:
        """Status, media type and body of the answer to a request."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=REPLY_SECONDS)
        try:
            connection.request("POST", "/add-checkpoint", body)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Content-Type", ""), answer.read()
        finally:
            connection.close()

    def stop(self) -> None:
        """Ends the process; its database stays."""
        assert self._process
        self._process.terminate()
        self._process.wait(REPLY_SECONDS)
        self._port = 0
