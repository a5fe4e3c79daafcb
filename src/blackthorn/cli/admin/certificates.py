"""Commands of the certificate of HTTPS and SMTP: show, check, renew."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from typer import Exit, Typer

from blackthorn.cli import terminal
from blackthorn.cli.options import JsonOption, ServerDirectory
from blackthorn.wire.dates import rfc3339
from blackthorn.wire.words import count

if TYPE_CHECKING:
    from blackthorn.programs.server.certificates.report import Report
    from blackthorn.programs.server.configuration import Configuration

certificates = Typer(
    help="The certificate of HTTPS and SMTP: names, end, renewal.", no_args_is_help=True
)

_SOURCES: Final = {
    "files": "your files",
    "acme": "an ACME authority",
    "self-signed": "this server itself: nobody vouches for it, and browsers warn",
}


def register(app: Typer) -> None:
    app.add_typer(certificates, name="certificate")


@certificates.command("show")
def show(directory: ServerDirectory, json: JsonOption = False) -> None:
    """Show the certificate: names, issuer, end, who uses it; and the link's pinned key."""
    from blackthorn.storage.files.server import ServerFolder

    settings, told = _report(directory)
    link = ServerFolder(directory).fingerprint().hex()
    if json:
        terminal.print_json({**_document(settings, told), "link": {"fingerprint": link}})
        return
    table = terminal.Table()
    for name, text in _rows(settings, told):
        table.add_row(name, text)
    table.add_row("link", f"a key of its own, SHA-256 {link}: devices know it, no authority")
    table.show()
    _tell_problems(told)


@certificates.command("check")
def check(directory: ServerDirectory, json: JsonOption = False) -> None:
    """Check key, names, dates and chain; each fault with how to mend it. Exit code 1 for any."""
    settings, told = _report(directory)
    if json:
        terminal.print_json(_document(settings, told))
    elif not told.problems and told.certificate is not None:
        names = ", ".join(told.certificate.names)
        terminal.say(f"The certificate for {names} is good for {count(told.days_left, 'day')}.")
        if told.ends_soon:
            terminal.say("It ends soon: renew it.", "yellow")
    else:
        _tell_problems(told)
    if told.problems:
        raise Exit(1)


@certificates.command("renew")
def renew(directory: ServerDirectory, json: JsonOption = False) -> None:
    """Renew an ACME or self-signed certificate now. Its key stays. The server may run."""
    import datetime

    from blackthorn.programs.server.certificates import report

    settings = _settings(directory)
    domain, now = settings.enterprise.domain, datetime.datetime.now(datetime.UTC)
    report.renew(settings.tls, domain, directory, now)
    settings, told = _report(directory)
    if json:
        terminal.print_json(_document(settings, told))
        return
    assert told.certificate is not None  # `renew` has just stored it
    end = rfc3339(int(told.certificate.not_after.timestamp() * 1000))
    terminal.say(f"Renewed until {end}. A running server uses it in a few seconds.")


def _settings(directory: Path) -> "Configuration":
    import os

    from blackthorn.programs.server import configuration

    return configuration.load(directory, os.environ)


def _report(directory: Path) -> tuple["Configuration", "Report"]:
    import datetime

    from blackthorn.programs.server.certificates import report

    settings = _settings(directory)
    now = datetime.datetime.now(datetime.UTC)
    return settings, report.report(settings.tls, settings.enterprise.domain, directory, now)


def _users(settings: "Configuration") -> list[str]:
    smtp, ledger = settings.smtp, settings.ledger
    users = [f"SMTP on {smtp.host}:{smtp.port}"]
    if smtp.tls_port:
        users.append(f"SMTP with TLS on {smtp.host}:{smtp.tls_port}")
    submission = settings.submission
    if submission.host:
        host = submission.host
        users.append(f"submission on {host}:{submission.port} and {host}:{submission.tls_port}")
    return [*users, f"ledger, report and policy on https://{ledger.host}:{ledger.port}"]


def _rows(settings: "Configuration", told: "Report") -> list[tuple[str, str]]:
    rows = [("made by", _SOURCES[told.source.kind]), ("file", str(told.source.certificate))]
    if told.certificate is not None:
        own = told.certificate
        rows += [
            ("names", ", ".join(own.names)),
            ("issuer", own.issuer),
            ("key", own.key),
            ("valid from", rfc3339(int(own.not_before.timestamp() * 1000))),
            ("until", f"{_end(told)} ({count(told.days_left, 'day')} left)"),
            ("SHA-256", own.fingerprint),
            ("of its key", f"{own.key_hash} (TLSA 3 1 1)"),
        ]
    rows.append(("used by", "; ".join(_users(settings))))
    if told.source.kind == "acme" and told.attempt.tried:
        outcome = told.attempt.error or "renewed"
        rows.append(("last renewal", f"{rfc3339(told.attempt.tried * 1000)}: {outcome}"))
        if told.attempt.due:
            rows.append(("next attempt", rfc3339(told.attempt.due * 1000)))
    return rows


def _end(told: "Report") -> str:
    assert told.certificate is not None  # asked by the caller
    return rfc3339(int(told.certificate.not_after.timestamp() * 1000))


def _tell_problems(told: "Report") -> None:
    for problem in told.problems:
        terminal.say(f"{problem.fault}: {problem.text}", "red")
    if told.ends_soon:
        terminal.say("It ends soon: renew it.", "yellow")


def _document(settings: "Configuration", told: "Report") -> dict[str, Any]:
    own = told.certificate
    return {
        "source": told.source.kind,
        "file": str(told.source.certificate),
        "wanted_names": list(told.names),
        "names": [] if own is None else list(own.names),
        "issuer": None if own is None else own.issuer,
        "key": None if own is None else own.key,
        "not_before": None if own is None else rfc3339(int(own.not_before.timestamp() * 1000)),
        "not_after": None if own is None else _end(told),
        "days_left": told.days_left,
        "fingerprint": None if own is None else own.fingerprint,
        "key_hash": None if own is None else own.key_hash,
        "used_by": _users(settings),
        "problems": [{"fault": each.fault, "text": each.text} for each in told.problems],
        "ends_soon": told.ends_soon,
        "last_renewal": rfc3339(told.attempt.tried * 1000) if told.attempt.tried else None,
        "renewal_error": told.attempt.error or None,
    }
