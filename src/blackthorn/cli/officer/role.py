"""Commands of the family `role`: who may decide. Two owners found, and change it ever after."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blackthorn.cli import terminal
from blackthorn.cli.officer import options
from blackthorn.cli.officer.options import (
    DEFAULT_HOME,
    DryRunOption,
    HomeOption,
    JsonOption,
    KeyFileOption,
    YesOption,
    open_decisions,
)

if TYPE_CHECKING:
    from blackthorn.cli.officer.decide import Form
    from blackthorn.device.transparency.decisions import VerifiedDecisions
    from blackthorn.identity.keys import VerifyKeys

role = typer.Typer(help="Officers: who decides on directives and markets.", no_args_is_help=True)
role.command("sign")(options.sign)

DeviceOption = Annotated[
    str | None,
    typer.Option("--device", metavar="NAME", help="With which of his devices the person signs."),
]


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
    app.add_typer(role, name="role")


def _person(officer: str, roles: list[str], keys: "VerifyKeys", suffix: str = "") -> dict[str, Any]:
    return {
        f"officer{suffix}": officer,
        f"roles{suffix}": roles,
        f"ed25519{suffix}": keys.ed25519,
        f"ml_dsa{suffix}": keys.ml_dsa,
    }


def _new_id() -> str:
    from blackthorn.programs.device.home import random

    return f"O-{random(4).hex()}"


# --- open -----------------------------------------------------------------------------------


@role.command("open")
def open_(
    addresses: Annotated[
        list[str], typer.Argument(metavar="ADDRESS ADDRESS", help="The two who may found.")
    ],
    directory: Annotated[
        Path, typer.Option("--dir", envvar="BLACKTHORN_DIR", help="The server's folder.")
    ],
) -> None:
    """On the server's host, once: name the two people who may found the officers.

    Once they have, only officers change officers: this command is refused then.
    """
    import os

    from blackthorn.cli.options import parse_addresses
    from blackthorn.errors import UserError
    from blackthorn.programs.server import configuration
    from blackthorn.storage.files.server import ServerFolder
    from blackthorn.storage.sqlite.stores.cases import open_founding

    people = parse_addresses(addresses)
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
    terminal.out.print(f"{people[0]} and {people[1]} may found the officers.", markup=False)
    terminal.out.print(f"Next, on {people[0]}'s device: blackthorn role found {people[1]}")


# --- found ----------------------------------------------------------------------------------


@role.command("found")
def found(
    other: Annotated[
        str, typer.Argument(metavar="OTHER", help="The address of the other first owner.")
    ],
    device_name: DeviceOption = None,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Found the officers: you and the other person become the first two owners.

    Both must have been named on the server's host. The other person then runs the same with your
    address. Compare your identities in person before (blackthorn verify): these keys decide.
    """
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer.officer_keys import check_people, person_keys
    from blackthorn.cli.options import parse_addresses
    from blackthorn.errors import UserError

    device, office = open_decisions(home, key_file)
    (whose,) = parse_addresses([other])
    me = device.opened.keys.address
    if whose == me:
        raise UserError("name the other person: nobody founds alone")
    if office.cases.officers:
        raise UserError(
            "the officers are founded: owners appoint others by blackthorn role appoint"
        )
    if set(office.founders) != {str(me), str(whose)}:
        named = " and ".join(office.founders) or "nobody yet"
        raise UserError(f"who may found was named on the server's host: {named}")
    output = offices.OutputOptions(json, yes, dry_run)
    waits = office.waiting.get("officers")
    keys = person_keys(device, whose, device_name)
    mine = device.opened.keys.signing.public
    if waits is not None and _founds(waits.signed.statement.public, {mine, keys}):
        offices.approve(device, office, waits, output, check_people(device, waits))
        return
    form = offices.Form(
        "officers",
        "found",
        {**_person(_new_id(), ["owner"], mine), **_person(_new_id(), ["owner"], keys, "_2")},
        private={"address": str(me), "address_2": str(whose)},
    )
    offices.decide(device, office, form, output)


def _founds(public: dict[str, Any], keys: "set[VerifyKeys]") -> bool:
    """Whether what waits names just these two keys, as owners and no more."""
    from blackthorn.identity.keys import VerifyKeys

    if "ed25519_2" not in public:
        return False
    named = {VerifyKeys(public[f"ed25519{each}"], public[f"ml_dsa{each}"]) for each in ("", "_2")}
    return named == keys and public["roles"] == public["roles_2"] == ["owner"]


# --- appoint and dismiss --------------------------------------------------------------------


@role.command("appoint")
def appoint(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Whom to appoint.")],
    roles: Annotated[
        list[str],
        typer.Option(
            "--role",
            metavar="ROLE",
            help="owner, admin, helpdesk, legal, custodian or auditor. Again for each.",
        ),
    ],
    device_name: DeviceOption = None,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Give a person these roles, in place of those he has. Two owners decide it.

    His keys are taken from his identity in the ledger, verified by this device, and never from
    the server's word.
    """
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer.officer_keys import person_keys
    from blackthorn.cli.options import parse_addresses

    device, office = open_decisions(home, key_file)
    (whose,) = parse_addresses([address])
    keys = person_keys(device, whose, device_name)
    form = _appointment(office, str(whose), _roles(roles), keys)
    offices.decide(device, office, form, offices.OutputOptions(json, yes, dry_run))


def _roles(texts: list[str]) -> list[str]:
    from blackthorn.errors import UserError
    from blackthorn.governance.transitions import Role

    for each in texts:
        if each not in tuple(Role):
            raise UserError(f"there is no role {each!r}: {', '.join(Role)}")
    return sorted(set(texts))


def _appointment(
    office: "VerifiedDecisions", whose: str, roles: list[str], keys: "VerifyKeys"
) -> "Form":
    from blackthorn.cli.officer.decide import Form

    known = _officer_of(office, whose)
    public, notes = _person(known or _new_id(), roles, keys), []
    default = {}
    if known is None:
        default["officer"] = public.pop("officer")
    else:
        before = ", ".join(sorted(office.cases.officers[known].roles))
        notes.append(f"{known} has had the roles {before}; these take their place.")
    return Form(
        "officers", "appoint", public, default, private={"address": whose}, notes=tuple(notes)
    )


def _officer_of(office: "VerifiedDecisions", address: str) -> str | None:
    """The officer's id of a person who is one."""
    for officer, whose in office.addresses.items():
        if whose == address and officer in office.cases.officers:
            return officer
    return None


@role.command("dismiss")
def dismiss(
    who: Annotated[str, typer.Argument(metavar="ADDRESS|O-ID", help="Whom to dismiss.")],
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Take all roles from a person. Two owners decide it, and two always remain."""
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer.fields import parse_officer
    from blackthorn.cli.officer.show import whose
    from blackthorn.errors import UserError

    device, office = open_decisions(home, key_file)
    officer = parse_officer(who) or _officer_of(office, who.lower())
    if officer not in office.cases.officers or officer is None:
        raise UserError(f"{who} is no officer: see blackthorn role list")
    form = offices.Form(
        "officers", "dismiss", {"officer": officer}, notes=(f"It is {whose(office, officer)}.",)
    )
    offices.decide(device, office, form, offices.OutputOptions(json, yes, dry_run))


# --- list -----------------------------------------------------------------------------------


@role.command("list")
def list_officers(
    home: HomeOption = DEFAULT_HOME, key_file: KeyFileOption = None, json: JsonOption = False
) -> None:
    """Who the officers are, with their roles; and what waits for an owner."""
    from blackthorn.cli.officer import show

    device, office = open_decisions(home, key_file)
    mine = office.officer_with(device.opened.keys.signing.public)
    known = sorted(office.cases.officers.values(), key=lambda each: each.id)
    waits = office.waiting.get("officers")
    if json:
        document: dict[str, Any] = {
            "officers": [
                {
                    "id": each.id,
                    "address": office.addresses.get(each.id),
                    "roles": sorted(each.roles),
                    "key": each.keys.ed25519.hex(),
                    "me": each == mine,
                }
                for each in known
            ],
            "founders": list(office.founders),
            "waiting": show.waiting_document(waits) if waits is not None else None,
        }
        terminal.print_json(document)
        return
    rows = (
        (
            each.id,
            office.addresses.get(each.id, "-"),
            ", ".join(sorted(each.roles)),
            "you" if each == mine else "",
        )
        for each in known
    )
    show.table(("Officer", "Address", "Roles", ""), rows, "There are no officers yet.")
    show.say_waiting(office, "officers")
