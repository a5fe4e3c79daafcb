"""A process that has imported the program and forks it at request: a start in milliseconds.

What it forks is `python -m blackthorn` in a process of its own in all but the import, which else
is most of the time of a test that starts many. tests/support/quick_start.py talks to it.
"""

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import runpy
import signal
import socket
import sys
import threading
import traceback
from typing import Any, NoReturn

import typer

from blackthorn.cli import main
from blackthorn.cli.lazy import LazyCommand

STREAMS = 3
ORDER_BYTES = 1 << 20


def preload() -> None:
    """Import what the commands import."""
    for command in main.COMMANDS.values():
        if isinstance(command, LazyCommand):
            importlib.import_module(command.module)
    importlib.import_module("blackthorn.programs.server.server")
    importlib.import_module("blackthorn.programs.witness.serve")
    with contextlib.redirect_stdout(io.StringIO()):  # imports what Typer needs for any command
        typer.main.get_command(main.app).main(["user", "add", "--help"], standalone_mode=False)
    gc.freeze()


def fork_at_request(orders: socket.socket) -> list[str]:
    """Fork for each order and tell the process id; returns in what was forked: what to run.

    Forked twice: as the process in the middle ends, the test becomes the parent (it has asked
    to be given orphans), and only then it is told.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        data, descriptors, _, _ = socket.recv_fds(orders, ORDER_BYTES, STREAMS)
        if not data:
            os._exit(0)
        reading, writing = os.pipe()
        middle = os.fork()
        if not middle:
            child = os.fork()
            if child:
                os.write(writing, str(child).encode())
                os._exit(0)
            order = json.loads(data)
            become(order, descriptors)
            return list(order["words"])
        os.waitpid(middle, 0)
        orders.send(os.read(reading, 32))
        for each in (*descriptors, reading, writing):
            os.close(each)


def become(order: dict[str, Any], descriptors: list[int]) -> None:
    """Take over the streams, the environment and the folder that were asked for."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.closerange(STREAMS, os.sysconf("SC_OPEN_MAX"))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, "utf-8", "backslashreplace", closefd=False)


def run(words: list[str]) -> NoReturn:
    """The program, and its end without taking the modules down, which takes as long as it ran."""
    sys.argv = words
    code: object = 0
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
        code = 1
    assert code is None or isinstance(code, int), code
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    preload()
    run(fork_at_request(socket.socket(fileno=int(sys.argv[1]))))
