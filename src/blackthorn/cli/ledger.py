"""The family `ledger`: commands of administrators, of devices and of officers."""

import typer

from blackthorn.cli.admin import ledger as admin
from blackthorn.cli.device import ledger as device
from blackthorn.cli.officer import ledger as officer


def register(app: typer.Typer) -> None:
    admin.register(app)
    for command in (admin.status, admin.policy, device.trust, device.check, admin.init):
        admin.ledger.command(command.__name__)(command)
    officer.add_to(admin.ledger)
