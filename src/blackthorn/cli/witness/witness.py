"""Commands of the family `witness`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Exit, Option, Typer

from blackthorn.cli import options, terminal
from blackthorn.errors import UserError

if TYPE_CHECKING:
    from blackthorn.wire.note import VerifierKey

Directory = Annotated[Path, Argument(metavar="DIR", help="The witness's folder.")]

witness = Typer(help="Cosign the checkpoints of logs that only ever grow.", no_args_is_help=True)


def register(app: Typer) -> None:
    app.add_typer(witness, name="witness")


@witness.command()
def init(
    directory: Directory,
    name: Annotated[
        str, Option(help="The witness's name, such as witness.example/one: a URL without scheme.")
    ],
) -> None:
    """Make a witness's folder and key, and print its public key."""
    import secrets

    from blackthorn.storage.files.witness import initialise

    key = initialise(directory, name, secrets.token_bytes)
    terminal.say(f"{key}")
    terminal.note(f"Next: blackthorn witness add-log {directory} VKEY|FILE (of the log)")


@witness.command()
def serve(
    directory: Directory,
    host: Annotated[str, Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Option(min=0, max=65535, help="TCP port to listen on; 0: any.")] = 3103,
    audit: Annotated[
        str | None,
        Option(
            metavar="URL", help="Be an auditor: replay the ledger at this address before signing."
        ),
    ] = None,
) -> None:
    """Serve until SIGTERM, over HTTP: for the Internet put a proxy with TLS before it.

    With --audit it signs only the ledger at that address, after replaying it.
    """
    from blackthorn.programs.witness.serve import serve as run_witness

    if audit is None:
        run_witness(directory, host, port)
        return
    from blackthorn.programs.witness.auditor import Auditor

    run_witness(directory, host, port, examine=Auditor.at(audit).examine)


@witness.command("add-log")
def add_log(
    directory: Directory,
    log: Annotated[
        str,
        Argument(
            metavar="VKEY|FILE", help="The log's public key, or a policy file that names logs."
        ),
    ],
) -> None:
    """Serve a log from now on, also while the witness runs."""
    import time
    from contextlib import closing

    from blackthorn.storage.files.witness import WitnessFolder

    keys = _log_keys(log)
    place = WitnessFolder(directory)
    place.cosigner()
    with closing(place.open_store()) as store:
        for key in keys:
            added = store.add_log(key, int(time.time()))
            what = "is served from now on" if added else "is served already"
            terminal.say(f"{key.name} {what}.")


def _log_keys(text: str) -> "list[VerifierKey]":
    from blackthorn.errors import VerificationError
    from blackthorn.tlog.policy import parse_policy
    from blackthorn.wire.note import ED25519, parse_vkey

    try:
        if "+" not in text or Path(text).is_file():
            keys = [each.key for each in parse_policy(Path(text).read_bytes()).logs]
        else:
            keys = [parse_vkey(text)]
    except OSError as error:
        raise UserError(f"{text} cannot be read: {error.strerror}") from None
    except VerificationError as error:
        raise UserError(f"{text}: {error}") from None
    if not keys or any(key.algorithm != ED25519 for key in keys):
        raise UserError(f"{text} names no log with an Ed25519 key")
    return keys


@witness.command()
def status(directory: Directory, json: options.JsonOption = False) -> None:
    """Print the public key, and the last cosigned checkpoint of each log.

    Exits with 4 if the witness must not sign.
    """
    from blackthorn.programs.witness.status import report

    found = report(directory)
    if json:
        terminal.print_json(found)
    else:
        _print(found)
    if found["problem"]:
        raise Exit(4)


def _print(found: dict[str, Any]) -> None:
    terminal.say(found["vkey"])
    table = terminal.Table("log", "size", "cosigned", boxed=False)
    for log in found["logs"]:
        table.add_row(log["origin"], str(log["size"]), log["cosigned"] or "not yet")
    table.show()
    if found["evidence"]:
        terminal.say(f"Evidence against logs: {', '.join(found['evidence'])}", style="red")
    if found["problem"]:
        terminal.say(found["problem"], style="red")
