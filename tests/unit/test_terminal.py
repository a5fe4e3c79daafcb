"""Every way a command can end: one line, an exit code, never a traceback."""

import pytest

from blackthorn.apps import terminal
from blackthorn.errors import (
    ConfigError,
    DecodeError,
    SecurityError,
    StorageError,
    UnavailableError,
)


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


def test_a_defect_tells_its_place_and_nothing_of_its_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _raising(ValueError("the secret text")) == terminal.EXIT_DEFECT
    printed = capsys.readouterr().err
    assert printed.startswith("blackthorn: a defect in Blackthorn (ValueError at blackthorn.apps.")
    assert printed.count("\n") == 1
    assert "secret" not in printed
