"""The family `mail`: commands of devices, and of administrators on the server's host."""

import typer

from blackthorn.cli.admin import queue, trace
from blackthorn.cli.device import mail as device
from blackthorn.cli.device.openpgp import certificate, keys
from blackthorn.cli.device.writing import drafts, kept, send


def register(app: typer.Typer) -> None:
    kept.register(device.mail)
    send.register(device.mail)
    device.mail.add_typer(drafts.drafts, name="draft")
    device.mail.add_typer(certificate.certificate, name="certificate")
    device.mail.add_typer(keys.keys, name="keys")
    device.mail.add_typer(queue.queue, name="queue")
    trace.register(device.mail)
    app.add_typer(device.mail, name="mail")
