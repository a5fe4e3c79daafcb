"""The officers' commands of the family `ledger`."""

from dataclasses import replace

from typer import Typer

from blackthorn.cli.officer import decide, generate
from blackthorn.cli.officer.generate import Invocation
from blackthorn.governance.ledger_case import CASE, HEAL
from blackthorn.programs.device import ledger_heal


def add_to(family: Typer) -> None:
    generate.add(family, "heal", HEAL.help, _heal, generate.options_of(HEAL))
    family.command("sign")(generate.sign)


def _heal(call: Invocation) -> None:
    device, decisions = call.open()
    measured = {"ledger": ledger_heal.origin(device)}
    context = decide.context(device, decisions, decisions.cases.case(CASE), measured)
    request = HEAL.request(context, call.entered(HEAL))
    known = {"least_ms": ledger_heal.least_ms(device, request.public["epoch"])}
    waiting = decisions.waiting.get(CASE)
    if waiting is not None and waiting.signed.statement.public["least_ms"] < known["least_ms"]:
        request = replace(request, public={**request.public, **known})
    else:
        request = replace(request, default=known)
    decide.decide(device, decisions, request, call.output)
