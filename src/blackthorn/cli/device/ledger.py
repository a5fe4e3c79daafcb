"""`ledger check` and `ledger trust` on a user's device."""

from typing import TYPE_CHECKING, Annotated, Any

from typer import Abort, Option

from blackthorn.cli import terminal, times
from blackthorn.cli.options import AgreeOption, DeviceOptions, JsonOption, on_device, program
from blackthorn.errors import SecurityError
from blackthorn.programs.event_loop import run

if TYPE_CHECKING:
    from blackthorn.programs.device.ledger_terms import Comparison
    from blackthorn.programs.device.program import DeviceProgram


@on_device
def check(at: DeviceOptions, json: JsonOption = False) -> None:
    """On a device: replay the log up to the newest checkpoint, from the last replay's end.

    The entries must match the cosigned checkpoint and keep all rules of the map; otherwise an alarm
    is raised, with exit code 4. Exit code 6: no connection. --json prints {"entries", "checked",
    "finding"}.
    """
    from blackthorn.cli.device.alarm_texts import show_open
    from blackthorn.cli.progress import timed_bar
    from blackthorn.programs.device.ledger_replay import replay

    device = program(at)
    # A hidden bar prints no empty line.
    with timed_bar("entries of the ledger", transient=True, hidden=json) as bar:
        task = bar.add_task("", total=None)
        done = run(
            replay(device, lambda done, total: bar.update(task, completed=done, total=total))
        )
    if json:
        checked, finding = times.rfc3339(done.at_ms), done.finding or None
        terminal.print_json({"entries": done.size, "checked": checked, "finding": finding})
    show_open(device)
    if done.finding:
        raise SecurityError(f"ledger verification failed: {done.finding}")
    if not json:
        terminal.say(f"All {done.size} entries of the ledger keep its rules.")


@on_device
def trust(
    at: DeviceOptions,
    accept: Annotated[bool, Option("--accept", help="Pin the server's current policy.")] = False,
    yes: AgreeOption = False,
    json: JsonOption = False,
) -> None:
    """On a device: show the pinned policy, and differences to the server's current one.

    The policy defines the witnesses that must cosign the ledger. --accept pins the server's policy;
    first ask the administrator over another channel for the digest, which `blackthorn ledger
    status` shows on the server. It is refused while the ledger is not cosigned as it asks; other
    keys or a shorter reset delay are never accepted. --json prints {"policy", "quorum", "differs",
    "changes", "weaker", "digest", "accepted"}.
    """
    from blackthorn.device.transparency import trust as device_trust
    from blackthorn.programs.device import ledger_terms

    device = program(at)
    found = run(ledger_terms.compare(device))
    document: dict[str, Any] = {
        "policy": found.policy_text,
        "quorum": device_trust.quorum(found.pinned.policy),
        "differs": bool(found.changes),
        "changes": found.changes,
        "weaker": found.weaker,
        "digest": found.offer.digest,
        "accepted": False,
    }
    if not json:
        _print(document, found)
    if accept and found.changes:
        ledger_terms.check_met(found)
        question = "Has the administrator told you this digest, and do you trust it?"
        if not terminal.confirm(question, yes=yes):
            raise Abort
        _accept(device, found, json)
        document["accepted"] = True
    if json:
        terminal.print_json(document)


def _print(document: dict[str, Any], found: "Comparison") -> None:
    terminal.say(f"Ledger: {found.pinned.config.origin}")
    terminal.say(f"Who must cosign it: {document['quorum']}")
    if not document["differs"]:
        terminal.say("The server uses the same policy.")
        return
    terminal.say("The server uses another policy now:")
    for line in document["changes"]:
        terminal.say(f"  {line}")
    if document["weaker"]:
        terminal.say("It accepts a ledger that the pinned policy would refuse.", style="bold red")
    terminal.say(f"Its digest: {document['digest']}")
    terminal.say("The administrator sees it on the server by: blackthorn ledger status")
    if found.not_yet:
        terminal.say(f"Not to be accepted yet: {found.not_yet}.", style="bold red")


def _accept(device: "DeviceProgram", found: "Comparison", json: bool) -> None:
    from blackthorn.programs.device import ledger_terms

    settled = ledger_terms.accept(device, found)
    if json:
        return
    terminal.say("This device trusts this policy from now on.")
    for alarm in settled:
        terminal.say(f"Alarm {alarm.number} ({alarm.code}) is settled by it.")
