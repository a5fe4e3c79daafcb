"""Commands of the server's administrator: init, serve, user, config."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option, Typer

from blackthorn.cli import terminal
from blackthorn.cli.options import DirectoryOption, JsonOption, ServerDirectory
from blackthorn.wire.dates import rfc3339
from blackthorn.wire.words import count

if TYPE_CHECKING:
    from blackthorn.programs.server.configuration import Configuration
    from blackthorn.server.accounts.users import Invited

Address = Annotated[str, Argument(metavar="ADDRESS", help="The user's mail address.")]
Expires = Annotated[
    str, Option(help="How long the code works, from 1m to 30d, such as 30m, 24h or 7d.")
]
Market = Annotated[
    str | None,
    Option(metavar="CC", help="The country the user belongs to, such as PK; see settings."),
]
Language = Annotated[
    str, Option(metavar="TAG", help="The language in which the user is given notice.")
]

users = Typer(help="Users and their activation codes.", no_args_is_help=True)
config = Typer(help="The server's settings.", no_args_is_help=True)


def _port(text: str) -> Any:
    return Option(min=0, max=65535, help=f"TCP port {text}; 0: any.")


def register(app: Typer) -> None:
    app.command("init")(init)
    app.command("serve")(serve)
    app.add_typer(users, name="user")
    app.add_typer(config, name="config")


def init(
    directory: ServerDirectory,
    domain: Annotated[str, Option(help="The mail domain, such as acme.example.")],
    link_port: Annotated[int | None, _port("of the link, which devices use")] = None,
    smtp_port: Annotated[int | None, _port("on which mail from outside comes in")] = None,
    ledger_port: Annotated[int | None, _port("of the ledger's tiles over HTTPS")] = None,
    ops_port: Annotated[int | None, _port("of /healthz, /readyz and /metrics")] = None,
    witness: Annotated[
        str | None, Option(help="embedded, or none: then the ledger asks for no cosignature.")
    ] = None,
    witness_port: Annotated[int | None, _port("of the embedded witness")] = None,
    market: Annotated[
        str | None,
        Option(metavar="CC", help="The country users belong to unless `user add` says it."),
    ] = None,
    public: Annotated[str | None, Option(help="HOST:PORT at which devices reach the link.")] = None,
    postmaster: Annotated[
        str | None,
        Option(
            metavar="ADDRESS", help="The user, added later, who gets mail to postmaster, abuse."
        ),
    ] = None,
) -> None:
    """Make a server's folder: settings, keys, database, ledger. Overwrites nothing."""
    from blackthorn.programs.server.folder import initialise
    from blackthorn.storage.files.market_keys import check_market

    wanted = {
        ("enterprise", "postmaster"): None if postmaster is None else postmaster.lower(),
        ("enterprise", "market"): None if market is None else check_market(market),
        ("link", "port"): link_port,
        ("link", "public"): public,
        ("smtp", "port"): smtp_port,
        ("ledger", "port"): ledger_port,
        ("ledger", "witness"): witness,
        ("ledger", "witness_port"): witness_port,
        ("ops", "port"): ops_port,
    }
    chosen = {name: value for name, value in wanted.items() if value is not None}
    initialise(directory, domain, chosen)
    terminal.say(f"{directory} is ready for {domain.lower()}.")
    terminal.say(f"Next: blackthorn serve {directory}")
    if postmaster is None:
        until = f"name a user: blackthorn config postmaster {directory} ADDRESS"
    else:
        until = f"add {postmaster.lower()} by `blackthorn user add` and they activate a device."
    terminal.say(f"Mail to postmaster and abuse is deferred until you {until}")


def serve(directory: ServerDirectory) -> None:
    """Serve until SIGTERM. The log goes to standard error; `ready` says when all ports listen."""
    from blackthorn.programs.server.server import serve as run_server

    run_server(directory)


@users.command("add")
def add_user(
    address: Address,
    directory: DirectoryOption,
    expires: Expires = "24h",
    market: Market = None,
    language: Language = "en",
    json: JsonOption = False,
) -> None:
    """Add a user and print the activation code for the first device."""
    from blackthorn.storage.files.market_keys import check_language, check_market

    market = None if market is None else check_market(market)
    _invite(address, directory, expires, json, (market, check_language(language)))


@users.command("code")
def new_code(
    address: Address, directory: DirectoryOption, expires: Expires = "24h", json: JsonOption = False
) -> None:
    """Print a new code for a user who has not activated a device yet, or who lost every device.

    The code before it ends. A user who has a device adds others by `blackthorn device add` and
    `blackthorn device link`. Who lost every device uses their recovery key, or if that is lost
    too, resets their identity: `blackthorn activate --reset` with this code.
    """
    _invite(address, directory, expires, json, None)


@users.command("move")
def move_user(
    address: Address,
    market: Annotated[
        str, Option(metavar="CC", help="The country the user belongs to from now on.")
    ],
    directory: DirectoryOption,
    json: JsonOption = False,
) -> None:
    """Move a user to another market with all that waits for them sealed; the server may run.

    What is sealed is wrapped anew under the other market's key. Run it again if it was ended. A
    user's move to another server is not a command: they export here, and are invited there.
    """
    from blackthorn.cli.progress import ProgressBar
    from blackthorn.programs.server.user_move import move
    from blackthorn.storage.files.market_keys import check_market

    wanted = check_market(market)
    with ProgressBar() as bar:
        before, rows = move(
            directory, address, wanted, lambda done, total: bar.show("rows", done, total)
        )
    if json:
        document = {"address": address, "market": wanted, "before": before, "rows": rows}
        terminal.print_json(document)
        return
    went = count(rows, "sealed row")
    terminal.say(f"{address} is of {wanted} now, not of {before}; {went} went along.")


@users.command("throttle")
def throttle_user(
    directory: DirectoryOption,
    who: Annotated[
        str,
        Argument(metavar="DEVICE|ADDRESS", help="A device's id, as the log names it, or a user."),
    ],
) -> None:
    """Take nothing more from a device, or a user's devices, until the server is restarted.

    They still receive. What waits on the device is sent after the restart.
    """
    from blackthorn.storage.files.throttled import stop

    name = stop(directory, who)
    terminal.say(f"{name} may send nothing, in a few seconds, until the server is restarted.")


@users.command("list")
def list_users(directory: DirectoryOption, json: JsonOption = False) -> None:
    """List the users with the state of their codes: `open until …` or `expired`."""
    import os
    import time

    from blackthorn.programs.server import configuration
    from blackthorn.server.accounts.users import all_users
    from blackthorn.storage.files.server import ServerFolder
    from blackthorn.storage.sqlite.engine import host_store

    server = ServerFolder(directory)
    configuration.load(directory, os.environ)
    database = server.open_database()
    try:
        listed = list(all_users(host_store(database), time.time_ns() // 1_000_000))
    finally:
        database.close()
    if json:
        rows = [
            {
                "address": user.address,
                "pin": user.pin,
                "market": user.market,
                "language": user.language,
                "devices": user.devices,
                "created": rfc3339(user.created_ms),
                "code": user.code or None,
                "code_expires": rfc3339(user.code_expires_ms) if user.code_expires_ms else None,
            }
            for user in listed
        ]
        terminal.print_json(rows)
        return
    if not listed:
        terminal.say("No users yet: `blackthorn user add ADDRESS` adds one.")
        return
    table = terminal.Table("address", "PIN", "market", "devices", "code", boxed=False)
    for user in listed:
        until = f" until {rfc3339(user.code_expires_ms)}" if user.code_expires_ms else ""
        row = (user.address, user.pin, user.market, str(user.devices), user.code + until)
        table.add_row(*row)
    table.show()


@config.command("postmaster")
def name_postmaster(directory: ServerDirectory, address: Address) -> None:
    """Name the user who gets the mail to postmaster and abuse, from the server's next start on.

    The user exists already. The mail is deferred until they have activated a device.
    """
    import os

    from blackthorn.programs.server.folder import set_postmaster

    set_postmaster(directory, address, os.environ)
    terminal.say(f"{address}, once active, gets mail to postmaster and abuse; restart the server.")


@config.command("check")
def check_config(directory: ServerDirectory) -> None:
    """Check blackthorn.toml, that no file of the server is missing, and who can use them."""
    import os

    from blackthorn.programs.server import configuration
    from blackthorn.programs.server.folder import check_files
    from blackthorn.programs.server.listening import tell_bounds

    settings = configuration.load(directory, os.environ)
    check_files(directory, settings)
    terminal.say(f"{directory / 'blackthorn.toml'} is good, and no file is missing.")
    terminal.say(tell_bounds(settings))


def _invite(
    address: str, directory: Path, expires: str, json: bool, added: tuple[str | None, str] | None
) -> None:
    """`added`: market (or None) and language of a new user; None renews a code."""
    import os
    import secrets
    import shlex
    import time

    from blackthorn.ports.enterprise import UsersByAddress
    from blackthorn.ports.users import Home
    from blackthorn.programs.server import configuration
    from blackthorn.programs.server.market_start import open_market
    from blackthorn.programs.server.user_move import check_may_activate, check_takes_users
    from blackthorn.server.accounts.users import UserAdministration, parse_life
    from blackthorn.storage.files.server import ServerFolder
    from blackthorn.storage.sqlite.engine import host_store

    life = parse_life(expires)
    known = os.environ.get("BLACKTHORN_DIR") == str(directory)
    option = "" if known else f" --dir {shlex.quote(str(directory))}"
    server = ServerFolder(directory)
    settings = configuration.load(directory, os.environ)
    configuration.public_address(settings)
    database = server.open_database()
    try:
        store = host_store(database)
        administration = UserAdministration(
            store, settings.enterprise.domain, server.fingerprint(), secrets.token_bytes, option
        )
        now_ms = time.time_ns() // 1_000_000
        if added is None:
            check_may_activate(database, address)
            invited = administration.renew(address, life, now_ms)
        else:
            home = Home(added[0] or settings.enterprise.market, added[1])
            administration.check_new(address)
            check_takes_users(database, home.market)
            keys = server.market_keys(settings.enterprise.market_keys)
            open_market(database, keys, home.market, now_ms)
            invited = administration.add(address, life, now_ms, home)
        user = store.read(UsersByAddress((invited.address,)))[invited.address]
    finally:
        database.close()
    _print_code(invited, settings, json, bool(user.devices))


def _print_code(invited: "Invited", settings: "Configuration", json: bool, reset: bool) -> None:
    from blackthorn.link.activation.code import render, render_url, words
    from blackthorn.programs.server.configuration import public_address

    host, port = public_address(settings)
    url = render_url(invited.code, host, port)
    expires = rfc3339(invited.expires_ms)
    if json:
        code = render(invited.code)
        terminal.print_json(
            {"address": invited.address, "code": code, "url": url, "expires": expires}
        )
        return
    spoken = words(invited.code)
    terminal.say(f"Activation code for {invited.address}, until {expires}:")
    terminal.say("")
    terminal.say(
        f"    {invited.code.nameplate:>6}  " + "  ".join(f"{word:<12}" for word in spoken[:4])
    )
    terminal.say("            " + "  ".join(f"{word:<12}" for word in spoken[4:]))
    for line in ("", "On the device, with the code or the URL:", ""):
        terminal.say(line)
    option = "--reset " if reset else ""
    terminal.say(f"    blackthorn activate {option}'{url}'")
    terminal.say("")
    if reset:
        terminal.say(f"{invited.address} has an identity already: this code can only reset it.")
        terminal.say("")
    terminal.print_qr(url)
