"""The processes behind demo and audit: what fails is told, with the step and what was printed."""

import io
import re
import socket
from pathlib import Path

import pytest
from rich.console import Console

from blackthorn.cli import terminal
from blackthorn.cli.steps import StepBar
from blackthorn.demo import demonstration, deployment, markers
from blackthorn.demo.deployment import Deployment, StepFailedError


def test_a_server_that_cannot_start_is_told_with_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(StepFailedError, match="at its start") as raised,
        Deployment(tmp_path) as own,
    ):
        own.initialise()
        with socket.create_server(("127.0.0.1", own.link_port)):
            own.start_server()
    assert str(own.link_port) in raised.value.detail


def test_a_command_that_fails_is_told_with_what_it_printed(tmp_path: Path) -> None:
    with pytest.raises(StepFailedError, match="`blackthorn user add") as raised:
        Deployment(tmp_path).add_user("alice")
    assert "blackthorn init" in raised.value.detail


def test_a_command_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Deployment(tmp_path) as own:
        own.initialise()
        monkeypatch.setattr(deployment, "COMMAND_SECONDS", 1.0)
        with pytest.raises(StepFailedError, match="took over"):
            own.administer("serve", str(own.directory))


def test_a_server_survives_a_kill_and_a_stop(tmp_path: Path) -> None:
    with Deployment(tmp_path) as own:
        own.initialise()
        own.start_server()
        first = own.pid
        own.kill_server()
        own.start_server()
        assert own.pid != first
        assert own.stop_server() == 0
        with pytest.raises(StepFailedError, match="does not run"):
            _ = own.pid


def test_mail_that_is_not_taken_is_told(tmp_path: Path) -> None:
    with Deployment(tmp_path) as own:
        with pytest.raises(StepFailedError, match="not taken"):
            own.deliver_mail("carla@outside.example", ["alice@acme.example"], b"\n")
        own.initialise()
        own.start_server()
        with pytest.raises(StepFailedError, match=r"not taken.*550"):
            own.deliver_mail("carla@outside.example", ["nobody@acme.example"], b"\n")


@pytest.mark.parametrize("run", [demonstration.run_demo, markers.run_audit])
def test_a_failing_run_names_its_step(
    run: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_server(self: Deployment) -> None:
        raise StepFailedError("the server ended", "it printed this")

    monkeypatch.setattr(Deployment, "start_server", no_server)
    printed = io.StringIO()
    monkeypatch.setattr(terminal, "err", Console(file=printed, width=200))
    with pytest.raises(StepFailedError), StepBar(7) as steps:
        run(steps)  # type: ignore[operator]
    assert "1/" in printed.getvalue()
    assert "failed at: start a server\nit printed this" in printed.getvalue()


def test_progress_is_a_bar_at_a_terminal_and_lines_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: dict[bool, str] = {}
    for at_terminal in (True, False):
        printed = io.StringIO()
        console = Console(file=printed, force_terminal=at_terminal, width=100)
        monkeypatch.setattr(terminal, "err", console)
        with StepBar(2) as steps:
            with steps.step("first"):
                pass
            with steps.step("second"):
                pass
        shown[at_terminal] = printed.getvalue()
    assert shown[False] == " 1/2 first\n 2/2 second\n"
    assert "2/2" in shown[True] and "━" in shown[True]
    assert re.search(r"\x1b\[", shown[True])


def test_ones_own_settings_do_not_reach_the_playground(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLACKTHORN_HOME", "/home/somebody/.blackthorn")
    assert not any(name.startswith("BLACKTHORN_") for name in deployment.clean_environment())
