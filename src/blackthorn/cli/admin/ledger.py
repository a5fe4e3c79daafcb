"""Commands of the family `ledger` for the server's administrator."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Exit, Option, Typer

from blackthorn.cli import options, terminal
from blackthorn.errors import UserError, VerificationError
from blackthorn.wire.words import count

ledger = Typer(help="The server's ledger: the public log of its users' keys.", no_args_is_help=True)
witness = Typer(help="The witnesses that must cosign the ledger.", no_args_is_help=True)


def register(app: Typer) -> None:
    ledger.add_typer(witness, name="witness")
    app.add_typer(ledger, name="ledger")


def status(directory: options.ServerDirectory, json: options.JsonOption = False) -> None:
    """Tell size, users, last epoch, the policy's digest, when each witness cosigned, what is wrong.

    It reads the folder, whether the server runs or not. Users compare the digest before they accept
    a new policy by `blackthorn ledger trust --accept`. The register's key is what auditors of
    packages and closed markets give by --register: publish it. Exits with 1 when there is a
    problem; warnings and notes do not count.
    """
    import os

    from blackthorn.programs.server.ledger_status import report

    found = report(directory, dict(os.environ))
    if json:
        terminal.print_json(found)
    else:
        _print(found)
    if found["problems"]:
        raise Exit(1)


def init(directory: options.ServerDirectory) -> None:
    """Make ledger.keys, policy.txt and the embedded witness in a folder of an earlier version."""
    import os

    from blackthorn.programs.server.folder import make_ledger

    vkey = make_ledger(directory, dict(os.environ))
    terminal.say(f"The ledger's public key: {vkey}")


def _print(found: dict[str, Any]) -> None:
    published = found["published"] or "never"
    entries, users = count(found["size"], "entry", "entries"), count(found["users"], "user")
    terminal.say(f"{found['origin']}: {entries}, {users}")
    terminal.say(f"epoch {found['epoch']}, published {published}")
    terminal.say(f"digest of the policy: {found['digest']}")
    terminal.say(f"the register's key: {found['register']}")
    if found["pending_resets"]:
        terminal.say(f"resets that wait for their delay: {found['pending_resets']}")
    table = terminal.Table("witness", "cosigned the newest", "address", boxed=False)
    for each in found["witnesses"]:
        address = "embedded" if each["embedded"] else each["url"] or "-"
        table.add_row(each["name"], each["cosigned"] or "no", address)
    table.show()
    for each in found["witnesses"]:
        if each["remark"]:
            terminal.say(f"Note: the witness {each['name']} is {each['remark']}.")
    for warning in found["warnings"]:
        terminal.say(f"Warning: {warning}", style="yellow")
    for problem in found["problems"]:
        terminal.say(f"Problem: {problem}", style="red")


def policy(directory: options.ServerDirectory) -> None:
    """Print the trust policy that devices pin: the log, its witnesses, and how many must cosign."""
    from blackthorn.storage.files.ledger import LedgerFiles
    from blackthorn.tlog.policy import format_policy

    terminal.print_document(format_policy(LedgerFiles(directory).read_policy()))


@witness.command("add")
def add_witness(
    directory: Annotated[Path, Argument(metavar="DIR", help="The server's folder.")],
    vkey: Annotated[str, Argument(metavar="VKEY", help="The witness's public key.")],
    url: Annotated[str, Argument(metavar="URL", help="Where it serves add-checkpoint.")],
    quorum: Annotated[
        int | None,
        Option(min=1, help="How many witnesses must cosign from now on; else as before."),
    ] = None,
    offline: Annotated[
        bool, Option("--offline", help="Add it though it does not answer yet.")
    ] = False,
) -> None:
    """Add a witness to policy.txt, or change its address; the server asks it after its next start.

    Nothing is written when no witness answers at the address. The same line again with another URL
    corrects the address, and with another --quorum the number.

    Devices keep the policy that they pinned until their owner accepts the new one, which devices
    refuse until its witnesses have cosigned. `blackthorn ledger status` shows both that and the
    policy's digest, which you read out to users.
    """
    from blackthorn.edges.http.witness_client import address_problem
    from blackthorn.programs.server import witness_policy
    from blackthorn.storage.files.ledger import LedgerFiles
    from blackthorn.wire.note import parse_vkey

    files = LedgerFiles(directory)
    try:
        key = parse_vkey(vkey)
    except VerificationError as error:
        raise UserError(f"{vkey!r} is no public key of a witness: {error}") from None
    before = files.read_policy()
    changed = witness_policy.add_witness(before, key, url, quorum)
    asked = not offline and not witness_policy.has_witness(before, key, url)
    if asked and (problem := address_problem(url)):
        raise UserError(
            f"the witness {key.name} at {url} {problem}: nothing was changed; check the address, "
            "or add a witness that does not run yet by --offline"
        )
    files.write_policy(changed)
    terminal.say(f"{key.name} is in {files.policy}; restart the server.")
    terminal.say("Devices keep the policy that they pinned until their owner accepts the new one.")
    status = f"blackthorn ledger status {directory}"
    terminal.say(f"Its digest, which you tell users, and who has cosigned: {status}")
