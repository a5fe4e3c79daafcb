"""Draw the README's pictures: what real commands print, as SVG without fonts or scripts to fetch.

`python -m tools.pictures` runs a server and three people's devices in a temporary folder. The
pictures hold times and keys of that run, so no test compares them byte by byte.
"""

import subprocess
import tempfile
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from blackthorn.demo.deployment import Deployment, Person, command_line

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"

COLUMNS = 96
"""Width of a picture's terminal, in characters."""

_SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: monospace;
font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g></g></svg>
"""


def draw(name: str, title: str, printed: Sequence[tuple[str, str]]) -> None:
    """Write `name`.svg with each command line and what it printed."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    for line, output in printed:
        console.print(Text(f"$ {line}", style="bold"))
        console.print(Text.from_ansi(output.rstrip("\n") + "\n"))
    svg = console.export_svg(title=title, theme=MONOKAI, code_format=_SVG, unique_id=name)
    (PICTURES / f"{name}.svg").write_text(svg, encoding="utf-8")


def shown(environment: dict[str, str], *arguments: str) -> tuple[str, str]:
    """Run a command as a terminal of COLUMNS shows it; returns its line and its output."""
    colours = {name: value for name, value in environment.items() if name != "NO_COLOR"}
    done = subprocess.run(
        command_line(*arguments),
        env=colours | {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    words = [f'"{word}"' if " " in word else word for word in arguments]
    return " ".join(["blackthorn", *words]), done.stdout


def conversation(alice: Person, bob: Person) -> list[tuple[str, str]]:
    """Let two people talk in a group; returns what Alice's terminal shows."""
    alice.run("send", bob.address, "Lunch at noon?")
    bob.run("inbox")
    bob.run("send", alice.address, "Gladly. I bring the contract.")
    alice.run("group", "create", "tender", bob.address)
    bob.run("inbox")
    bob.run("group", "send", "tender", "The bid is due on Friday.")
    return [
        shown(alice.environment, "inbox"),
        shown(alice.environment, "group", "send", "tender", "I sign it on Thursday."),
        shown(alice.environment, "history", "--last", "5"),
    ]


def main() -> None:
    """Draw every picture."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Deployment(Path(folder)) as deployment:
        deployment.initialise()
        deployment.start_server()
        alice, _ = deployment.enrol("alice")
        bob, _ = deployment.enrol("bob")
        draw("messages", "alice@acme.example", conversation(alice, bob))
        deployment.deliver_mail(
            "carla@outside.example",
            [alice.address],
            b"From: Carla <carla@outside.example>\r\nSubject: The offer\r\n\r\nUntil Friday.\r\n",
        )
        mail = [("mail", "list"), ("mail", "read", "1")]
        draw("mail", "alice@acme.example", [shown(alice.environment, *words) for words in mail])
        ledger = ("audit", "ledger", f"https://127.0.0.1:{deployment.ledger_port}")
        status = [shown(alice.environment, "status"), shown(alice.environment, *ledger)]
        draw("audit", "An auditor's terminal", status)


if __name__ == "__main__":
    main()
