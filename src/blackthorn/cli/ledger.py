"""The family `ledger`: commands of administrators and of devices."""

import typer

from blackthorn.cli.admin import ledger as admin
from blackthorn.cli.device import ledger as device


def register(app: typer.Typer) -> None:
    admin.register(app)
    admin.ledger.command("check")(device.check)
    admin.ledger.command("trust")(device.trust)
