"""`python -m blackthorn` started quickly: forked from a process that has imported the program.

Within `quick_start()` `subprocess` does so for these programs; whatever else is started is
started as ever. The process is a child of the test's, with the streams, environment and folder
that were asked for; only its import was done before. Tests of a start itself do without.
"""

import contextlib
import ctypes
import functools
import inspect
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROGRAMS = ("blackthorn", "tests.support.closure_process")
PR_SET_CHILD_SUBREAPER = 36

_signature = inspect.signature(subprocess.Popen._execute_child)


class Zygote:
    """The process that forks; it ends with this one. `preload` is a library that it has loaded."""

    def __init__(self, preload: str) -> None:
        loaded = {
            "LD_PRELOAD": preload,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
        }
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._orders = ours
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.zygote", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=Path(__file__).parents[2],
                env=os.environ | (loaded if preload else {}),
            )
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl
        self._lock = threading.Lock()

    def fork(self, order: dict[str, Any], streams: list[int]) -> int:
        """Start it; the id of a process whose parent is this one."""
        with self._lock:
            self._prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            try:
                socket.send_fds(self._orders, [json.dumps(order).encode()], streams)
                return int(self._orders.recv(32))
            finally:
                self._prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@functools.cache
def zygote(preload: str) -> Zygote:
    """The only one with this library, made when it is needed."""
    return Zygote(preload)


class _QuickPopen(subprocess.Popen[Any]):
    """Starts the program from the zygote, and everything else as its base does."""

    def _execute_child(self, *arguments: Any) -> None:  # type: ignore[override]
        asked = _signature.bind(self, *arguments).arguments
        words = list(map(str, asked["args"])) if not isinstance(asked["args"], str) else []
        quick = words[:2] == [sys.executable, "-m"] and words[2] in PROGRAMS
        if not quick or asked["pass_fds"] or asked["preexec_fn"]:
            super()._execute_child(*arguments)
            return
        order = {
            "words": words[2:],
            "environment": dict(os.environ if asked["env"] is None else asked["env"]),
            "folder": str(asked["cwd"] or Path.cwd()),
        }
        ends = [asked[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        streams = [own if end == -1 else end for own, end in enumerate(ends)]
        self.pid = zygote(order["environment"].get("LD_PRELOAD", "")).fork(order, streams)
        self._child_created = True
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(asked[name] for name in pipes))


@contextlib.contextmanager
def quick_start() -> Iterator[None]:
    """Start the program quickly within this block."""
    usual = subprocess.Popen
    subprocess.Popen = _QuickPopen  # type: ignore[misc]
    try:
        yield
    finally:
        subprocess.Popen = usual  # type: ignore[misc]
