"""`--help` of each family lists its commands in the order of use: begin, use, change, look on."""

from typing import Any, Final

from typer.main import get_command

from blackthorn.cli import main
from blackthorn.governance import directives
from tests.docs.pages import ROOT

ORDER: Final = {
    "user": "add code move throttle list",
    "alias": "add remove list",
    "list": "add remove list",
    "config": "postmaster check",
    "certificate": "show check renew",
    "dns": "print check",
    "ledger": "status policy trust check init heal sign witness",
    "ledger witness": "add",
    "group": "create send add remove confirm move list",
    "mail": (
        "list read save raw delete send reply forward sent trace draft certificate keys queue"
    ),
    "mail draft": "save send show delete list",
    "mail certificate": "add export revoke list",
    "mail keys": "list add accept forget",
    "app-password": "add list revoke",
    "dkim": "add list retire",
    "mail queue": "list retry drop",
    "device": "add link list passphrase settings revoke reset-status cancel-reset",
    "recovery": "create use",
    "alarms": "export accept",
    "export": "make verify",
    "role": "open found appoint dismiss sign list",
    "directive": (
        "receive verify assess approve produce deliver refuse contest extend-gag lift-gag correct "
        "sign list show canary"
    ),
    "market": (
        "plan approve announce drain stop close extend accelerate rescind hold release "
        "sign list status forward receipt"
    ),
    "audit": "ledger canary residue report package closure evidence",
    "witness": "init serve add-log status",
}
"""Family → its commands in the order of use."""


def families() -> dict[str, list[str]]:
    """Every family of the program, with its commands as `--help` lists them."""
    found: dict[str, list[str]] = {}
    root: Any = get_command(main.app)
    waiting: list[tuple[str, Any]] = [(name, root.commands[name]) for name in main.COMMANDS]
    while waiting:
        name, command = waiting.pop()
        if hasattr(command, "commands"):
            listed = command.list_commands(None)
            found[name] = [inner for inner in listed if not command.commands[inner].hidden]
            waiting += [(f"{name} {inner}", command.commands[inner]) for inner in found[name]]
    return found


def test_every_family_lists_its_commands_in_the_order_of_use() -> None:
    assert {name: " ".join(names) for name, names in families().items()} == ORDER


def test_the_old_name_of_the_notices_still_works() -> None:
    """Servers have sent notices that name it."""
    root: Any = get_command(main.app)
    old, new = root.commands["market"].commands["notice"], root.commands["notices"]
    assert old.hidden and old.help == new.help
    assert [one.name for one in old.params] == [one.name for one in new.params]


def test_a_directive_and_an_exit_are_listed_in_the_order_of_their_steps() -> None:
    actions = list(dict.fromkeys(move.action for move in directives.TRANSITIONS))
    assert families()["directive"][: len(actions)] == actions
    assert actions[0] == "receive"


def test_the_page_of_commands_has_the_same_order() -> None:
    text = (ROOT / "docs" / "commands.md").read_text()
    places = [text.index(f"\n## `blackthorn {command}`\n") for command in main.COMMANDS]
    assert places == sorted(places)


def test_the_program_sorts_its_commands_by_who_uses_them() -> None:
    """A panel of `--help` is one run of the table."""
    panels = [command.panel for command in main.COMMANDS.values()]
    runs = [panel for before, panel in zip(["", *panels], panels, strict=False) if panel != before]
    assert len(runs) == len(set(panels)) > 1
