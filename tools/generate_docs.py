"""`make docs`: write the documents that are made from the program itself.

With `--check` nothing is written, and the exit code is 1 when one is stale. A document is either
generated whole, or a section of it between `<!-- generated: NAME -->` and `<!-- end -->` is.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.main import get_command

from blackthorn.cli import main as cli
from blackthorn.storage.sqlite.stores import witness
from tools import (
    abuse_table,
    attack_table,
    decision_tables,
    healing_table,
    inventory,
    ledger_rules,
    limits_table,
    link_table,
    mls_rules,
    reference_tables,
)

ROOT = Path(__file__).resolve().parent.parent
NOTICE = "<!-- Made by tools/generate_docs.py; do not edit. -->\n\n"

HOLDS = """# What the server holds

Every column that the server stores, what it is for, how long it is kept, and whether it can be
produced to an authority in a form that says anything. Made from the schema
(`src/blackthorn/storage/sqlite/migrations/`); the build fails when a column is not classified.
There is no other store: no log holds content, addresses or subjects, and no temporary file holds
content.

Besides the database the server's folder holds:

- `blackthorn.toml`: its settings; `server.key`, `server.crt`: the link's TLS key and certificate.
- `tls/`: certificate and key of HTTPS and SMTP, and the key of the account at an ACME authority.
- `ledger.keys`: the ledger's secrets. With the log's key checkpoints are signed, with the enrolment
  key first devices and resets; the other two keep the map from telling who is in it. None of them
  opens anything.
- `market-keys/`, unless the settings name another folder: the key of each market, under which
  what is sealed is wrapped once more. It opens nothing that a person's device has sealed.
- `dkim/`: the keys that sign mail that leaves, so that other servers know whose it is. They open
  nothing.
- `productions/`: packages of approved directives, and whether the finished one was fetched, until
  they are delivered.
- `throttled`, if the administrator has stopped a device or a user: its id or address, until the
  next start.
- `policy.txt`: which witnesses must cosign the ledger. Public.
- `witness/`: the embedded witness with a key of its own, a database of public checkpoints (below),
  `witness.anchor` with the largest sizes that it has signed, and in `evidence/` what proves that a
  log has shown two truths, if one ever did.

What is deleted is overwritten in the database's file. The write-ahead log (`blackthorn.db-wal`)
still holds it, and is moved into the file and truncated every 20 seconds: a minute after a device
has acknowledged a parcel, neither its bytes nor which device received it are in a file of the
folder, in a copy of it, or in a backup of SQLite's. A program that reads the database for longer
delays that, and `/readyz` and the metric `blackthorn_log_age_seconds` say so. Seldom a copy of a
row that SQLite had moved stays in the unused part of a page, until the page is used again. Not
promised: the blocks of the disk itself that a truncated file leaves, and snapshots of a file
system.

A directive's package holds no mail that is still queued on its way out (`outbound_mail`,
`outbound_delivery`), though its columns are marked as producible below: such mail is there for
seconds as a rule, and until it is delivered or given up at most. The copy of it that a device sends
to its own user's mailbox is produced with that mailbox once it is there; a mail program keeps none
here.

What is in the ledger itself is public, and shown over HTTPS: see
[the ledger's specification](specs/ledger.md). In memory only: fan-out lists (which devices a send
is for), what two devices of one user say to each other while they are paired, sealed, recent mail
from outside, in the clear until that memory is used again, and which devices said hello from which
address in the last 24 hours, by which an address may open more connections.

## The server's database

"""

WITNESS_HOLDS = """
## The embedded witness's database

It holds public checkpoints of the ledger, and nothing of any person.

"""

SETTINGS = """# Settings

Every key of the server's `blackthorn.toml`, and the settings of [a device](#a-device). An unknown
key is an error that names the nearest known one.

"""

DEVICE_SETTINGS = """
## A device

Settings of one device, in its encrypted database. `blackthorn device settings` shows them, and
`blackthorn device settings NAME VALUE` changes one.

"""

METRICS = """# Metrics

What `/metrics` exports, in Prometheus' text format. Counts and sizes only; no metric names a user.

"""

COMMANDS = """# Commands

Every command, as `--help` tells it. Exit codes: 0 done, 2 something to change at the command line
or in the configuration, 3 wrong input from outside, 4 a check failed that only an attack or grave
damage makes fail, 5 the disk or the database failed, 6 not now: a peer cannot be reached, or
something is not finished, 70 a defect of Blackthorn's own, 130 interrupted, 1 everything else.

"""


def holds() -> str:
    """docs/what-the-server-holds.md."""
    scripts = [sql for _, sql in inventory.migrations()]
    own = inventory.render_inventory(inventory.read_inventory(scripts))
    beside = inventory.render_inventory(inventory.read_inventory([witness.SCHEMA]))
    return HOLDS + own + WITNESS_HOLDS + beside


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _parameter_rows(command: Any, context: Any) -> list[str]:
    records = [
        parameter.get_help_record(context)
        for parameter in command.params
        if not getattr(parameter, "hidden", False) and parameter.name != "help"
    ]
    return [f"| `{_cell(name)}` | {_cell(text)} |" for name, text in filter(None, records)]


def _command_pages(command: Any, path: str, parent: Any = None) -> list[str]:
    context = command.context_class(command, info_name=path.split()[-1], parent=parent)
    usage = " ".join(command.collect_usage_pieces(context))
    page = [f"## `{path}`", "", (command.help or "").strip(), "", f"    {path} {usage}", ""]
    if rows := _parameter_rows(command, context):
        page += ["| parameter | |", "|---|---|", *rows, ""]
    pages = ["\n".join(page)]
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            pages += _command_pages(child, f"{path} {name}", context)
    return pages


def commands() -> str:
    """docs/commands.md, from the Typer application."""
    return COMMANDS + "\n".join(_command_pages(get_command(cli.app), "blackthorn"))


def settings() -> str:
    """docs/settings.md, of the server and of a device."""
    server = SETTINGS + reference_tables.settings_table()
    return server + DEVICE_SETTINGS + reference_tables.device_settings_table()


WHOLE: dict[str, Callable[[], str]] = {
    "docs/what-the-server-holds.md": holds,
    "docs/settings.md": settings,
    "docs/limits.md": limits_table.render,
    "docs/metrics.md": lambda: METRICS + reference_tables.metrics_table(),
    "docs/commands.md": commands,
    "docs/mls-rules.md": mls_rules.render,
    "docs/ledger-rules.md": ledger_rules.render,
    "docs/abuse.md": abuse_table.render,
    "docs/attacks.md": attack_table.render,
    "docs/directives.md": decision_tables.directives_page,
    "docs/markets.md": decision_tables.markets_page,
    "docs/decision-rules.md": decision_tables.rules_page,
}

SECTIONS: dict[tuple[str, str], Callable[[], str]] = {
    ("docs/specs/link.md", "session table"): link_table.render,
    ("docs/specs/conversations.md", "healing states"): healing_table.render,
}


def generated() -> dict[Path, str]:
    """What every generated document should hold now, by its path."""
    pages = {ROOT / name: NOTICE + render().rstrip() + "\n" for name, render in WHOLE.items()}
    for (name, section), render in SECTIONS.items():
        path = ROOT / name
        text = pages.get(path) or path.read_text(encoding="utf-8")
        opening, closing = f"<!-- generated: {section} -->\n", "<!-- end -->"
        pattern = re.compile(re.escape(opening) + ".*?" + re.escape(closing), re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"{name}: no section `{opening.strip()}` … `{closing}`")
        body = opening + render().rstrip() + "\n" + closing
        pages[path] = pattern.sub(lambda _, body=body: body, text)  # type: ignore[misc]
    return pages


def stale() -> list[Path]:
    """The documents whose file does not hold what it should."""
    return [
        path
        for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Write what is stale, or with `--check` only tell."""
    outdated = stale()
    for path in outdated:
        print(f"{'stale' if '--check' in arguments else 'written'}: {path.relative_to(ROOT)}")
    if "--check" in arguments:
        return 1 if outdated else 0
    pages = generated()
    for path in outdated:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
