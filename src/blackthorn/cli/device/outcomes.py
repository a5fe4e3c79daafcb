"""Outcomes of operations: of the current command, and of operations given up since.

The next connected command reports a later failure once on standard error; `status` lists it once
more.
"""

from collections.abc import Callable

from blackthorn.cli import terminal, times
from blackthorn.device.core import failures
from blackthorn.device.core.failures import Failure
from blackthorn.device.operations import operation
from blackthorn.errors import SecurityError, UserError
from blackthorn.mail.render.text import safe_line
from blackthorn.programs.device import market_exit
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.programs.event_loop import run

Operations = dict[int, tuple[str, str]]
"""Number of an operation → its subject, and the word for its success ("sent")."""

NEXT_COMMANDS = "with your next send, inbox or status"
"""When pending work goes on, in words."""


def report(
    device: DeviceProgram,
    operations: Operations,
    json: bool,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Finish the operations and print their outcomes.

    Raises UserError when one was given up, SecurityError when the server shows another key.
    """
    try:
        outcomes = run(device.see_to(list(operations), progress))
    except SecurityError as error:
        raise SecurityError(_kept(device, operations, str(error))) from None
    ended = market_exit.sending_ended(device)
    if json:
        _print_outcomes(outcomes, operations)
    else:
        for number, (shown, done) in operations.items():
            _print_outcome(outcomes[number], shown, done, ended)
    failed = [number for number in operations if outcomes[number].error and outcomes[number].final]
    with device.opened.vault.transaction() as records:
        failures.forget(records.settings, failed)
    tell_failures(device)
    if failed:
        if ended and all(operations[number][1] == "sent" for number in failed):
            raise UserError(ended)
        reasons = [f"{operations[number][0]}: {outcomes[number].error}" for number in failed]
        raise UserError("; ".join(reasons))


def _kept(device: DeviceProgram, operations: Operations, text: str) -> str:
    """Add to the reason that pending operations are kept."""
    with device.opened.vault.transaction() as records:
        waits = any(records.outbox.get(number) is not None for number in operations)
    note = ". What you asked for is kept and will be sent when the right server answers"
    return text.rstrip(".") + note if waits else text


def _print_outcome(outcome: operation.Outcome, shown: str, done: str, ended: str) -> None:
    if not outcome.error:
        note = f", but {safe_line(outcome.note)}" if outcome.note else ""
        text = f"{shown}: {done}{note}"
    elif not outcome.final and ended:
        text = f"{shown}: not {done} ({outcome.error}). It is kept; but {ended}"
    elif not outcome.final:
        text = (
            f"{shown}: not yet {done} ({outcome.error}). "
            f"It is kept and will be sent {NEXT_COMMANDS}."
        )
    else:
        return
    terminal.say(text)


def _print_outcomes(outcomes: dict[int, operation.Outcome], operations: Operations) -> None:
    """One JSON document: `messages` has all operations, the other keys are about all of them."""
    found = [outcomes[number] for number in operations]
    document = {
        "id": found[0].message.hex(),
        "accepted": not any(outcome.error for outcome in found),
        "waiting": any(not outcome.final for outcome in found),
        "reason": next((outcome.error for outcome in found if outcome.error), ""),
        "messages": [
            {
                "about": operations[outcome.number][0],
                "id": outcome.message.hex(),
                "accepted": not outcome.error,
                "waiting": not outcome.final,
                "reason": outcome.error,
                "note": outcome.note,
            }
            for outcome in found
        ],
    }
    terminal.print_json(document)


def tell_failures(device: DeviceProgram) -> None:
    """Print each failure that was not shown yet, on standard error."""
    with device.opened.vault.transaction() as records:
        found = [failure for failure in failures.all_failures(records.settings) if not failure.told]
    for failure in found:
        terminal.note(failure_line(failure))
    if found:
        with device.opened.vault.transaction() as records:
            failures.set_told(records.settings, [failure.number for failure in found])


def failure_line(failure: Failure) -> str:
    text = f': "{safe_line(failure.text)}"' if failure.text else ""
    return f"{failure.what} {safe_line(failure.name)}: {safe_line(failure.reason)}{text}"


def failure_document(failure: Failure) -> dict[str, str]:
    return {
        "what": f"{failure.what} {failure.name}",
        "reason": failure.reason,
        "text": failure.text,
        "failed": times.rfc3339(failure.failed_ms),
    }
