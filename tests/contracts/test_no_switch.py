"""There is no switch: settings, environment variables and commands are closed lists.

Whoever adds one to the program adds it here, and answers in review: can it make the server, or
anyone whom its operator obeys, read what a user writes? If it can, it is not added.
"""

import dataclasses
import re
from pathlib import Path
from typing import Any

from typer.main import get_command

from blackthorn.cli import main as cli
from blackthorn.programs.server import configuration
from tools.inventory import migrations, read_inventory

SOURCE = Path(__file__).resolve().parents[2] / "src" / "blackthorn"

SETTINGS = {
    "enterprise.domain",
    "enterprise.market",
    "enterprise.market_keys",
    "link.host",
    "enterprise.postmaster",
    "link.port",
    "link.public",
    "gate.client_sockets",
    "gate.client_handshakes",
    "tls.host_name",
    "tls.other_names",
    "tls.certificate",
    "tls.key",
    "tls.acme",
    "tls.acme_contact",
    "tls.acme_host",
    "tls.acme_port",
    "tls.acme_roots",
    "outbound.queue_hours",
    "outbound.recipients_per_hour",
    "outbound.smarthost",
    "outbound.smarthost_password",
    "outbound.smarthost_user",
    "mta_sts.mode",
    "mta_sts.max_age_seconds",
    "submission.clear_outbound",
    "submission.host",
    "submission.port",
    "submission.tls_port",
    "smtp.host",
    "smtp.port",
    "smtp.tls_port",
    "smtp.proxies",
    "smtp.sealing_workers",
    "smtp.min_free_disk_mib",
    "smtp.mailbox_mib",
    "smtp.mailbox_mib_per_hour",
    "authentication.dmarc_reject",
    "authentication.own_from",
    "authentication.arc_sealers",
    "dns.servers",
    "ledger.host",
    "ledger.port",
    "ledger.epoch_seconds",
    "ledger.heartbeat_seconds",
    "ledger.reset_delay_hours",
    "ledger.witness",
    "ledger.witness_port",
    "ledger.witness_timeout_seconds",
    "directives.max_accounts",
    "budgets.commits",
    "budgets.commits_per_hour",
    "budgets.copied_kib_per_second",
    "budgets.copied_mib",
    "budgets.rows",
    "budgets.rows_per_second",
    "budgets.stored_kib_per_second",
    "budgets.stored_mib",
    "ops.host",
    "ops.port",
    "ops.min_free_disk_mib",
    "database.check_at_start",
    "log.level",
}

VARIABLES = {
    "BLACKTHORN_DIR",
    "BLACKTHORN_HOME",
    "BLACKTHORN_KEY_FILE",
    "BLACKTHORN_PASSPHRASE_FILE",
    "BLACKTHORN_SERVER",
}
"""Besides BLACKTHORN_SECTION_KEY, which stands for a setting above."""

SERVER_COMMANDS = {
    "init",
    "serve",
    "user add",
    "user code",
    "user list",
    "user throttle",
    "user move",
    "config check",
    "alias add",
    "alias list",
    "alias remove",
    "list add",
    "list list",
    "list remove",
    "mail trace",
    "dkim add",
    "dkim list",
    "dkim retire",
    "mail queue drop",
    "mail queue list",
    "mail queue retry",
    "config postmaster",
    "certificate show",
    "certificate check",
    "certificate renew",
    "dns print",
    "dns check",
    "ledger init",
    "ledger status",
    "ledger policy",
    "ledger witness add",
}
OTHER_COMMANDS = {
    "audit canary",
    "audit residue",
    "audit ledger",
    "audit evidence",
    "audit report",
    "audit package",
    "audit closure",
    "demo",
    "report",
    "simulate",
    "story",
    "witness init",
    "witness add-log",
    "witness serve",
    "witness status",
}
DEVICE_COMMANDS = {
    "mail certificate add",
    "mail certificate export",
    "mail certificate list",
    "mail certificate revoke",
    "mail delete",
    "mail draft delete",
    "mail draft list",
    "mail draft save",
    "mail draft send",
    "mail draft show",
    "mail forward",
    "mail keys accept",
    "mail keys forget",
    "mail keys list",
    "mail raw",
    "mail reply",
    "mail send",
    "mail sent",
    "activate",
    "send",
    "inbox",
    "history",
    "status",
    "group create",
    "group send",
    "group add",
    "group confirm",
    "group move",
    "group remove",
    "group list",
    "mail list",
    "app-password add",
    "app-password list",
    "app-password revoke",
    "mail keys add",
    "mail read",
    "mail save",
    "alarms accept",
    "alarms export",
    "device add",
    "device link",
    "device passphrase",
    "device settings",
    "device list",
    "device revoke",
    "device reset-status",
    "device cancel-reset",
    "export make",
    "export verify",
    "ledger check",
    "ledger trust",
    "recovery create",
    "recovery use",
    "verify",
}


OFFICE_COMMANDS = {
    "ledger heal",
    "ledger sign",
    "role open",
    "role found",
    "role appoint",
    "role dismiss",
    "role list",
    "role sign",
    "directive receive",
    "directive verify",
    "directive assess",
    "directive approve",
    "directive produce",
    "directive deliver",
    "directive refuse",
    "directive contest",
    "directive extend-gag",
    "directive lift-gag",
    "directive correct",
    "directive canary",
    "directive show",
    "directive list",
    "directive sign",
    "market plan",
    "market approve",
    "market announce",
    "market extend",
    "market accelerate",
    "market rescind",
    "market hold",
    "market release",
    "market drain",
    "market stop",
    "market close",
    "market status",
    "market list",
    "notices",
    "market notice",
    "market forward",
    "market receipt",
    "market sign",
}
"""On an officer's device. No option of them names all users, a keyword or a live feed."""


def leaves(command: Any, path: str = "") -> set[str]:
    """The commands that do something, by their path."""
    children = getattr(command, "commands", None)
    if children is None:
        return {path.strip()}
    return set().union(*(leaves(child, f"{path} {name}") for name, child in children.items()))


def test_the_settings_are_the_ones_looked_at() -> None:
    settings = {
        f"{section}.{each.name}"
        for section, kind in configuration.SECTIONS.items()
        for each in dataclasses.fields(kind)
    }
    assert settings == SETTINGS


def test_the_environment_variables_are_the_ones_looked_at() -> None:
    named = {
        variable
        for file in SOURCE.rglob("*.py")
        for variable in re.findall(r"BLACKTHORN_[A-Z_]+", file.read_text(encoding="utf-8"))
    }
    settings = {configuration.variable(*each.split(".")) for each in SETTINGS}
    assert named - settings - {"BLACKTHORN_", "BLACKTHORN_SECTION_KEY"} <= VARIABLES


def test_the_environment_is_read_in_one_place_of_the_server() -> None:
    reading = {
        str(file.relative_to(SOURCE))
        for folder in ("server", "edges", "storage", "ports", "mail", "link", "crypto", "wire")
        for file in (SOURCE / folder).rglob("*.py")
        if "environ" in file.read_text(encoding="utf-8")
    }
    assert reading == {"edges/sealing/pool.py"}, "it hands on what a worker process needs to start"


def test_the_commands_are_the_ones_looked_at() -> None:
    commands = leaves(get_command(cli.app))
    assert commands == SERVER_COMMANDS | OTHER_COMMANDS | DEVICE_COMMANDS | OFFICE_COMMANDS


def test_no_stored_column_names_a_sender_or_a_group() -> None:
    """What a parcel's rows may say: for whom it is, their market, its place, its sealed bytes.

    And 16 bits by which the parcels of one sender are counted, keyed for this mailbox alone.
    """
    tables = {each.name: each for each in read_inventory(sql for _, sql in migrations())}
    assert {column.name for column in tables["mailbox"].columns} == {
        "device",
        "seq",
        "set_aside_day",
        "market",
        "sealed",
        "shared",
        "sender",
    }
    telling = re.compile(r"sender|author|group|member|fanout|subject|recipient", re.IGNORECASE)
    named = [
        f"{table.name}.{column.name}"
        for table in tables.values()
        for column in table.columns
        if telling.search(table.name) or telling.search(column.name)
    ]
    assert named == ["mailbox.sender"]
