"""Commands of the family `market` for officers."""

from functools import partial
from typing import Any

import typer

from blackthorn.cli import terminal
from blackthorn.cli.device import market as user_commands
from blackthorn.cli.officer import decide, fields, generate, options, show
from blackthorn.cli.officer.generate import Invocation
from blackthorn.cli.options import DeviceOptions, JsonOption, on_device, parameter
from blackthorn.errors import UserError
from blackthorn.governance import exits, inputs
from blackthorn.governance.exit_requests import FORMS, STAGES, closure_fields, listed_users
from blackthorn.programs.device import officer
from blackthorn.programs.event_loop import run

market = typer.Typer(help="Leave a market: plan, announce, stop, close.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(market, name="market")


def _plan(call: Invocation) -> None:
    form, code, path = FORMS["plan"], inputs.parse_country(call.values["name"]), call.values["list"]
    entered = call.entered(form)
    users = listed_users(fields.read_file(path), str(path)) if path is not None else None
    device, decisions = call.open()
    if users is None:
        counted = run(officer.count_exit(device, code))
        users = {"users": counted.users, "list": counted.list}
    case = decisions.cases.case(decisions.cases.next_exit(code))
    context = decide.context(device, decisions, case, {"market": code, **users})
    decide.decide(device, decisions, form.request(context, entered), call.output)


def _change(action: str, call: Invocation) -> None:
    entered = call.entered(FORMS[action])
    device, decisions = call.open()
    case = officer.exit_of(decisions, inputs.parse_country(call.values["name"]))
    request = FORMS[action].request(decide.context(device, decisions, case), entered)
    decide.decide(device, decisions, request, call.output)


def _step(name: str, call: Invocation) -> None:
    device, decisions = call.open()
    case = officer.exit_of(decisions, inputs.parse_country(call.values["name"]))
    action = STAGES[name].action(case)
    measured = _closure(call, device, case.id[2:4], action) if name == "close" else {}
    request = FORMS[action].request(decide.context(device, decisions, case, measured), {})
    decide.decide(device, decisions, request, call.output)


def _closure(call: Invocation, device: Any, code: str, action: str) -> dict[str, Any]:
    """The numbers signed by a closing step, from the file or from the server."""
    if action == "prepare":
        return {}
    path = call.values["facts"]
    counted = fields.read_json(path) if path is not None else None
    numbers = run(officer.count_exit(device, code)).fields if counted is None else counted
    if not numbers and counted is None:
        raise UserError(
            "the closure has not counted yet: try again in a moment, or give its numbers by --facts"
        )
    return closure_fields(action, numbers)


@on_device
def status(name: options.MarketArgument, at: DeviceOptions, json: JsonOption = False) -> None:
    """Show a market's exit: dates, all steps, and the pending decision."""
    code = inputs.parse_country(name)
    _, decisions = options.open_decisions(at)
    case, following = decisions.cases.exit_of(code), decisions.cases.next_exit(code)
    if case is None and following not in decisions.waiting:
        raise UserError(f"there is no exit of {code}: its service continues")
    if json:
        shown = case if case is not None else decisions.cases.case(following)
        dates = show.fields_document(exits.dates(shown))
        terminal.print_json({**show.case_document(decisions, shown), "dates": dates})
        return
    if case is not None:
        show.case(decisions, case)
        show.say("The dates that hold now:")
        show.say_fields(exits.dates(case))
    show.say_waiting(decisions, following)


@on_device
def list_exits(at: DeviceOptions, json: JsonOption = False) -> None:
    """List the exits with state, hold, users, dates and pending decisions."""
    _, decisions = options.open_decisions(at)
    cases = decisions.cases.exits
    if json:
        terminal.print_json([show.case_document(decisions, case) for case in cases])
        return
    rows = [show.exit_row(decisions, case) for case in cases]
    show.table(show.EXIT_TITLES, rows, "No market is being left.")
    for name in sorted(name for name in decisions.waiting if name.startswith("X-")):
        if not decisions.cases.case(name).history:
            show.say_waiting(decisions, name)


_NAME = parameter("name", options.MarketArgument)
_LIST = generate.file_parameter("list", "FILE", "The users' addresses, one in a line.")
_FACTS = generate.file_parameter("facts", "FILE", "What the closure has counted, as JSON.")

generate.add(
    *(market, "plan", FORMS["plan"].help, _plan),
    [_NAME, *generate.options_of(FORMS["plan"]), _LIST],
)
for _name, _stage in STAGES.items():
    _parameters = [_NAME, _FACTS] if _name == "close" else [_NAME]
    generate.add(market, _name, _stage.help, partial(_step, _name), _parameters)
for _action in ("extend", "accelerate", "rescind", "hold", "release"):
    _parameters = [_NAME, *generate.options_of(FORMS[_action])]
    generate.add(market, _action, FORMS[_action].help, partial(_change, _action), _parameters)
market.command("sign")(generate.sign)
market.command("list")(list_exits)
market.command("status")(status)
user_commands.add_to(market)
