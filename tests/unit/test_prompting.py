"""Questions at a terminal: Ctrl-C ends them at once, also inside an event loop."""

import getpass
import os
import signal

import pytest

from blackthorn.programs.device import home
from blackthorn.programs.event_loop import run


@pytest.fixture(autouse=True)
def _handled():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_ends_the_question_for_a_passphrase(tmp_path, monkeypatch):
    asked = []

    def interrupted(prompt):
        asked.append(prompt)
        os.kill(os.getpid(), signal.SIGINT)
        return "never typed"

    async def activating():
        home.Home(tmp_path / "home", None).new_secret()

    monkeypatch.setattr(getpass, "getpass", interrupted)
    monkeypatch.setattr(home, "_has_terminal", lambda: True)
    with pytest.raises(KeyboardInterrupt):
        run(activating())
    assert len(asked) == 1


def test_an_ignored_interrupt_stays_ignored(tmp_path, monkeypatch):
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def typed(prompt):
        os.kill(os.getpid(), signal.SIGINT)
        return "a long passphrase"

    monkeypatch.setattr(getpass, "getpass", typed)
    monkeypatch.setattr(home, "_has_terminal", lambda: True)
    monkeypatch.delenv(home.PASSPHRASE_FILE, raising=False)
    assert home.Home(tmp_path / "home", None).new_secret()[0] == "passphrase"
