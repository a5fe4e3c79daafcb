"""Every way a command can end: one line, an exit code, never a traceback."""

import os
import subprocess
import sys
import time

import pytest

from blackthorn.cli import terminal
from blackthorn.cli.times import local_time
from blackthorn.errors import (
    ConfigError,
    DecodeError,
    DefectError,
    SecurityError,
    StorageError,
    UnavailableError,
)
from blackthorn.programs import entry


def _raising(error: BaseException) -> int:
    def command() -> None:
        raise error

    return terminal.run(command)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("change it"), 2),
        (DecodeError("not a frame"), 3),
        (SecurityError("stop"), 4),
        (StorageError("disk"), 5),
        (UnavailableError("later"), 6),
    ],
)
def test_an_error_is_one_line_and_its_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _raising(error) == code
    assert capsys.readouterr().err == f"blackthorn: {error}\n"


def test_an_interrupt_and_a_closed_pipe_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    assert _raising(KeyboardInterrupt()) == 130
    assert _raising(BrokenPipeError()) == 130
    assert capsys.readouterr().err == ""


def test_a_full_disk_behind_the_output_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert _raising(OSError(28, "No space left on device")) == 5
    assert capsys.readouterr().err == "blackthorn: the system refused: No space left on device\n"


def test_a_terminal_without_the_letters_shows_their_numbers() -> None:
    code = "from blackthorn.cli import terminal; terminal.run(lambda: terminal.say('● ☃'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert done.stdout == rb"\u25cf \u2603" + b"\n"


def test_a_time_that_no_calendar_has_does_not_end_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        assert local_time(253402300799999)
        assert local_time(2**62)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_defect_tells_its_place_and_nothing_of_its_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _raising(ValueError("the secret text")) == entry.EXIT_CODES[DefectError]
    printed = capsys.readouterr().err
    assert printed.startswith("blackthorn: a defect in Blackthorn (ValueError at blackthorn.")
    assert printed.count("\n") == 1
    assert "secret" not in printed
