"""Commands of the family `role`: appoint and dismiss officers."""

from typing import Annotated, Any

from typer import Argument, Option, Typer

from blackthorn.cli import options as cli_options
from blackthorn.cli import terminal
from blackthorn.cli.officer import decide, generate, officer_keys, options, show
from blackthorn.cli.officer.generate import Invocation
from blackthorn.errors import UserError
from blackthorn.governance import officer_requests as forms
from blackthorn.governance.transitions import Role
from blackthorn.programs.device.home import random

role = Typer(help="Officers: who decides on directives and markets.", no_args_is_help=True)


def register(app: Typer) -> None:
    app.add_typer(role, name="role")


def _new_id() -> str:
    return f"O-{random(4).hex()}"


def open_(
    addresses: Annotated[list[str], Argument(metavar="ADDRESS ADDRESS", help="The two founders.")],
    directory: cli_options.DirectoryOption,
) -> None:
    """On the server's host, once: name the two people who may found the officers.

    After the founding only officers change officers, and this command is refused.
    """
    import os

    from blackthorn.programs.server import configuration
    from blackthorn.storage.files.server import ServerFolder
    from blackthorn.storage.sqlite.stores.cases import open_founding

    people = cli_options.parse_addresses(addresses)
    if len(set(people)) != 2:
        raise UserError("name two different people: nobody decides alone")
    configuration.load(directory, os.environ)
    database = ServerFolder(directory).open_database()
    try:
        refusal = open_founding(database.writing, people)
    finally:
        database.close()
    if refusal:
        raise UserError(refusal)
    terminal.say(f"{people[0]} and {people[1]} may found the officers.")
    terminal.say(f"Next, on {people[0]}'s device: blackthorn role found {people[1]}")


_FOUND = """Found the officers: you and the other person become the first two owners.

Both must have been named on the server's host. The other person then runs
`blackthorn role sign officers`. Compare your identities in person before, by
`blackthorn verify`: these keys decide.
"""


def _found(call: Invocation) -> None:
    device, decisions = call.open()
    (other,) = cli_options.parse_addresses([call.values["other"]])
    me = device.opened.keys.address
    if other == me:
        raise UserError("name the other person: nobody founds alone")
    if decisions.cases.officers:
        raise UserError(
            "the officers are founded: owners appoint others by blackthorn role appoint"
        )
    if set(decisions.founders) != {str(me), str(other)}:
        named = " and ".join(decisions.founders) or "nobody yet"
        raise UserError(f"who may found was named on the server's host: {named}")
    theirs = forms.Person(
        str(other), officer_keys.person_keys(device, other, call.values["device_name"])
    )
    mine = forms.Person(str(me), device.opened.keys.signing.public)
    waiting = decisions.waiting.get("officers")
    if waiting is not None and forms.founds(
        waiting.signed.statement.public, {mine.keys, theirs.keys}
    ):
        notes = officer_keys.check_people(device, waiting)
        decide.approve(device, decisions, waiting, call.output, notes)
        return
    request = forms.found_request(mine, theirs, (_new_id(), _new_id()))
    decide.decide(device, decisions, request, call.output)


_APPOINT = """Give a person these roles, in place of those they have. Two owners decide it.

Their keys are taken from their identity in the ledger, verified by this device, and never from
the server's word.
"""


def _appoint(call: Invocation) -> None:
    device, decisions = call.open()
    (address,) = cli_options.parse_addresses([call.values["address"]])
    keys = officer_keys.person_keys(device, address, call.values["device_name"])
    officers = decisions.cases.officers
    request = forms.appoint_request(
        officers,
        forms.officer_of(officers, decisions.addresses, str(address)),
        _new_id(),
        forms.Person(str(address), keys),
        forms.parse_roles(call.values["roles"], "--role"),
    )
    decide.decide(device, decisions, request, call.output)


_DISMISS = "Take all roles from a person. Two owners decide it, and two always remain."


def _dismiss(call: Invocation) -> None:
    device, decisions = call.open()
    officer = forms.parse_officer(decisions.cases.officers, decisions.addresses, call.values["who"])
    request = forms.dismiss_request(officer, show.whose(decisions, officer))
    decide.decide(device, decisions, request, call.output)


@cli_options.on_device
def list_officers(at: cli_options.DeviceOptions, json: cli_options.JsonOption = False) -> None:
    """List the officers with their roles, and the pending decision."""
    device, decisions = options.open_decisions(at)
    mine = decisions.officer_with(device.opened.keys.signing.public)
    known = sorted(decisions.cases.officers.values(), key=lambda officer: officer.id)
    if json:
        waiting = decisions.waiting.get("officers")
        document: dict[str, Any] = {
            "officers": [
                {
                    "id": officer.id,
                    "address": decisions.addresses.get(officer.id),
                    "roles": sorted(officer.roles),
                    "key": officer.keys.ed25519.hex(),
                    "me": officer == mine,
                }
                for officer in known
            ],
            "founders": list(decisions.founders),
            "waiting": show.waiting_document(waiting) if waiting is not None else None,
        }
        terminal.print_json(document)
        return
    rows = (
        (
            officer.id,
            decisions.addresses.get(officer.id, "-"),
            ", ".join(sorted(officer.roles)),
            "you" if officer == mine else "",
        )
        for officer in known
    )
    show.table(("Officer", "Address", "Roles", ""), rows, "There are no officers yet.")
    show.say_waiting(decisions, "officers")


def _argument(name: str, metavar: str, text: str) -> Any:
    return cli_options.parameter(name, Annotated[str, Argument(metavar=metavar, help=text)])


_DEVICE = cli_options.parameter(
    "device_name",
    Annotated[
        str | None,
        Option("--device", metavar="NAME", help="The device with which the person signs."),
    ],
    None,
)
*_OTHERS, _LAST = Role
_ROLES = cli_options.parameter(
    "roles",
    Annotated[
        list[str],
        Option("--role", metavar="ROLE", help=f"{', '.join(_OTHERS)} or {_LAST}. Again for each."),
    ],
)
_OTHER = _argument("other", "OTHER", "The address of the other first owner.")
_ADDRESS = _argument("address", "ADDRESS", "The person to appoint.")
_WHO = _argument("who", "ADDRESS|O-ID", "The officer to dismiss.")

role.command("open")(open_)
generate.add(role, "found", _FOUND, _found, [_OTHER, _DEVICE])
generate.add(role, "appoint", _APPOINT, _appoint, [_ADDRESS, _ROLES, _DEVICE])
generate.add(role, "dismiss", _DISMISS, _dismiss, [_WHO])
role.command("sign")(generate.sign)
role.command("list")(list_officers)
