"""The command `demo`."""

from typing import TYPE_CHECKING, Annotated

from typer import Option, Typer

from blackthorn.cli import terminal

if TYPE_CHECKING:
    from blackthorn.demo.demonstration import Outcome
    from blackthorn.demo.two_domains import MailOutcome


def register(app: Typer) -> None:
    app.command()(demo)


def demo(
    mail: Annotated[
        bool, Option("--mail", help="Mail between two servers instead, and with a stranger.")
    ] = False,
    as_json: Annotated[bool, Option("--json", help="Print what was counted as JSON.")] = False,
) -> None:
    """Demonstrate everything: three people, four devices, messages, mail, an audit, a search.

    Runs in a temporary folder on free ports. Exits with 0 only if all checks pass.
    """
    from blackthorn.cli.steps import StepBar

    if mail:
        demo_mail(as_json)
        return
    from blackthorn.demo.demonstration import STEPS, run_demo

    with StepBar(STEPS) as steps:
        outcome = run_demo(steps)
    if as_json:
        terminal.print_json(as_document(outcome))
    else:
        print_outcome(outcome)
    terminal.fail(outcome.failures())


def demo_mail(as_json: bool) -> None:
    from blackthorn.cli.steps import StepBar
    from blackthorn.demo.two_domains import STEPS, run_mail_demo

    with StepBar(STEPS) as steps:
        outcome = run_mail_demo(steps)
    if as_json:
        terminal.print_json(mail_document(outcome))
    else:
        print_mail(outcome)
    terminal.fail(outcome.failures())


def mail_document(outcome: "MailOutcome") -> dict[str, object]:
    """The `--json` document of `--mail`."""
    return {
        "mails": [
            {
                "step": row.step,
                "from": row.sender,
                "to": row.recipient,
                "wire": row.wire,
                "disk": row.disk,
                "readers": row.readers,
                "holds": not row.failures(),
            }
            for row in outcome.rows
        ],
        "servers": {
            domain: {"planted": report.planted, "found": report.found}
            for domain, report in outcome.reports.items()
        },
        "seconds": round(outcome.seconds, 1),
    }


def print_mail(outcome: "MailOutcome") -> None:
    columns = ("mail", "from", "to", "on the wire", "on disk", "read by")
    title = f"Blackthorn demo of mail, {outcome.seconds:.0f} seconds"
    table = terminal.Table(*columns, "holds", title=title)
    for row in outcome.rows:
        disk, holds = row.disk or "not searched", "no" if row.failures() else "yes"
        names = (each.partition("@")[0] for each in (row.sender, row.recipient))
        table.add_row(row.step, *names, row.wire, disk, row.readers, holds)
    table.show()
    terminal.say(
        "alice and bob are at acme.example, gwen is at globex.example, carla has no Blackthorn; a "
        "relay is the wire. No text: searched for its subject and words, which are random."
    )
    for domain, report in outcome.reports.items():
        terminal.say(
            f"{domain}: searched {report.disk_bytes / 1e6:.1f} MB that the server wrote and "
            f"{report.memory_bytes / 1e6:.1f} MB of its memory (processes: {report.processes})"
        )


def as_document(outcome: "Outcome") -> dict[str, object]:
    """The `--json` document."""
    return {
        "messages": {"sent": outcome.messages.sent, "received": outcome.messages.received},
        "mail": {"accepted": outcome.mail.sent, "opened": outcome.mail.received},
        "ledger": {"audited": outcome.audited, "alarms": outcome.alarms},
        "removed_member_read": outcome.removed_member_read,
        "canaries": {"planted": outcome.plaintext.planted, "found": outcome.plaintext.found},
        "seconds": round(outcome.seconds, 1),
    }


def print_outcome(outcome: "Outcome") -> None:
    numbers = ("sent", "received")
    title = f"Blackthorn demo, {outcome.seconds:.0f} seconds"
    table = terminal.Table("what", *numbers, title=title, right=numbers)
    for part, tally in outcome.parts.items():
        table.add_row(f"messages, {part}", str(tally.sent), str(tally.received))
    table.add_row("messages in all", str(outcome.messages.sent), str(outcome.messages.received))
    table.add_row("e-mails (accepted, opened)", str(outcome.mail.sent), str(outcome.mail.received))
    table.add_row("entries of the ledger audited", "-", str(outcome.audited))
    table.add_row("alarms", "-", str(outcome.alarms))
    table.add_row("read by the removed member afterwards", "-", str(outcome.removed_member_read))
    report = outcome.plaintext
    table.add_row("canaries (planted, found)", str(report.planted), str(report.found))
    table.show()
    terminal.say(
        f"searched {report.disk_bytes / 1e6:.1f} MB that the server wrote and "
        f"{report.memory_bytes / 1e6:.1f} MB of its memory (processes: {report.processes})"
    )
