"""The words of a hostile server are harmless on a terminal; of an unknown one none is shown."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackthorn.edges.link.client import LinkClosedError, connect
from blackthorn.link import frames as f
from blackthorn.link.activation.code import ACTIVATE, PAIR, new_code, render_url
from blackthorn.link.codes import MEANINGS
from blackthorn.wire.printable import printable
from tests.support.hostile_link import Hostile, hostile_server
from tests.support.server_process import run

WORDS = (
    "\x1b[2J\x1b]0;x\x07\x1b]52;c;cm0=\x07\rActivated. PIN: 00000000\nblackthorn: \u202eall is well"
)


class Words:
    """The code of the Bye by which the server answers whatever it hears, with words of its own."""

    code = "activation-refused"


def bye(frame: f.AnyFrame) -> list[f.AnyFrame]:
    return [f.Bye(Words.code, WORDS)]


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Hostile]:
    with hostile_server(tmp_path / "false", bye) as running:
        yield running


@pytest.mark.parametrize(
    ("command", "kind", "code"),
    [
        ("activate", ACTIVATE, "activation-refused"),
        ("activate", ACTIVATE, "market-left"),
        ("activate", ACTIVATE, "\x1b[2Jnew"),
        ("device link", PAIR, "pairing-refused"),
    ],
)
def test_before_a_server_is_known_only_our_own_words_are_shown(
    hostile: Hostile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    kind: str,
    code: str,
) -> None:
    monkeypatch.setattr(Words, "code", code)
    made = new_code(lambda size: bytes(range(size)))
    url = render_url(made, "127.0.0.1", hostile.port, kind)
    home, key = tmp_path / "home", tmp_path / "key"
    done = run(*command.split(), url, "--home", str(home), "--key-file", str(key))
    assert done.returncode != 0 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert printable(line) == line
    assert "Activated" not in line and "all is well" not in line
    assert MEANINGS.get(code, "it gave no known reason") in line


def test_the_words_of_a_known_server_are_shown_on_one_harmless_line(hostile: Hostile) -> None:
    async def scene() -> str:
        link = await connect("127.0.0.1", hostile.port, hostile.pin)
        link.send(f.Hello(1, bytes(16), bytes(64)))
        with pytest.raises(LinkClosedError) as ended:
            await link.receive()
        return str(ended.value)

    said = asyncio.run(scene())
    assert "Activated" in said
    shown = printable(said)
    assert "\x1b" not in shown and "\n" not in shown and "\r" not in shown and "\u202e" not in shown
