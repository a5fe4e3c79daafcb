"""Commands of the family `directive`: demands of authorities, and the officers' decisions.

No option can name all users, a keyword or a live feed.
"""

from functools import partial
from pathlib import Path
from typing import Any, Final

import typer

from blackthorn.cli import terminal
from blackthorn.cli.officer import decide, generate, package, show
from blackthorn.cli.officer.generate import Invocation
from blackthorn.cli.officer.options import DirectiveArgument, open_decisions
from blackthorn.cli.options import DeviceOptions, JsonOption, on_device, parameter
from blackthorn.governance.directive_requests import CANARY, FORMS, letter
from blackthorn.governance.warrant_canary import CASE
from blackthorn.programs.device import officer
from blackthorn.programs.device.package import write_letter

directive = typer.Typer(
    help="Directives: a government's demands about single accounts.", no_args_is_help=True
)

_EXTRA: Final[dict[str, tuple[Any, ...]]] = {
    "produce": (generate.file_parameter("out", "FILE", "Where the package goes; a new file."),),
    "refuse": (generate.file_parameter("out", "FILE", "Where the letter goes. Default: ID.txt"),),
}
"""Options of single commands that are not fields of the decision."""


def register(app: typer.Typer) -> None:
    app.add_typer(directive, name="directive")


def _decide(action: str, call: Invocation) -> None:
    form = FORMS[action]
    entered = call.entered(form)
    device, decisions = call.open()
    if action == "receive":
        case = decisions.cases.case(decisions.cases.next_directive())
    else:
        case = officer.directive(decisions, call.values["name"])
    request = form.request(decide.context(device, decisions, case), entered)
    decide.decide(device, decisions, request, call.output)


def _produce(action: str, call: Invocation) -> None:
    device, decisions = call.open()
    case = officer.directive(decisions, call.values["name"])
    package.produce(device, decisions, case, call.input("to"), call.values["out"], call.output)


def _refuse(action: str, call: Invocation) -> None:
    entered = call.entered(FORMS[action])
    device, decisions = call.open()
    case = officer.directive(decisions, call.values["name"])
    context = decide.context(device, decisions, case)
    request = FORMS[action].request(context, entered)
    if "letter" not in entered:
        officer.check_open(decisions, request)
        if not call.output.dry_run:
            path = call.values["out"] or Path(f"{case.id}.txt")
            write_letter(path, letter(case, entered["reason"], context.domain))
            show.say(f"{path}: the letter. Read it before you sign.", to_err=call.output.json)
    decide.decide(device, decisions, request, call.output)


def _canary(call: Invocation) -> None:
    device, decisions = call.open()
    case, entered = decisions.cases.case(CASE), call.entered(CANARY)
    if entered:
        request = CANARY.request(decide.context(device, decisions, case), entered)
        decide.decide(device, decisions, request, call.output)
    elif call.output.json:
        terminal.print_json(show.case_document(decisions, case))
    elif case.history:
        show.case(decisions, case)
    else:
        show.say("Nothing is stated.")
        show.say_waiting(decisions, CASE)


@on_device
def show_directive(name: DirectiveArgument, at: DeviceOptions, json: JsonOption = False) -> None:
    """Show a directive: all steps with their officers, its accounts, and the pending decision."""
    _, decisions = open_decisions(at)
    case = officer.directive(decisions, name, waiting=True)
    if json:
        terminal.print_json(show.case_document(decisions, case))
    else:
        show.case(decisions, case)


@on_device
def list_directives(at: DeviceOptions, json: JsonOption = False) -> None:
    """List the directives with state, accounts, gag, deadline and pending decisions."""
    _, decisions = open_decisions(at)
    cases = decisions.cases.directives
    if json:
        terminal.print_json([show.case_document(decisions, case) for case in cases])
        return
    rows = [show.directive_row(decisions, case, decisions.now_ms) for case in cases]
    show.table(show.DIRECTIVE_TITLES, rows, "There are no directives.")
    for name in (decisions.cases.next_directive(), "canary"):
        show.say_waiting(decisions, name)


def _add(action: str) -> None:
    special = {"produce": _produce, "refuse": _refuse}
    subject = [] if action == "receive" else [parameter("name", DirectiveArgument)]
    parameters = [*subject, *generate.options_of(FORMS[action]), *_EXTRA.get(action, ())]
    run = partial(special.get(action, _decide), action)
    generate.add(directive, action, FORMS[action].help, run, parameters)


for _action in FORMS:
    _add(_action)
directive.command("sign")(generate.sign)
directive.command("list")(list_directives)
directive.command("show")(show_directive)
generate.add(directive, "canary", CANARY.help, _canary, generate.options_of(CANARY))
