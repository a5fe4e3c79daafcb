"""Delivery status notifications (RFC 3464) for our own users, in a multipart/report (RFC 6522).

Written in memory and sealed to the sender before they are stored. They hold the outer fields of the
mail, which show nothing that was sealed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final

_SUBJECTS: Final = {
    "failed": "Your mail could not be delivered",
    "delayed": "Your mail is delayed",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One recipient; `action` is failed or delayed, `diagnostic` what their server said."""

    address: str
    action: str
    status: str
    diagnostic: str


@dataclass(frozen=True, slots=True)
class Report:
    """A report of `domain`'s server to the sender of the mail of that id. Times in Unix seconds."""

    domain: str
    to: str
    mail_id: str
    queued: int
    now: int
    give_up: int
    outcomes: Sequence[Outcome]
    header: bytes
    """The mail's outer header (RFC 5322), CRLF."""


def report_mail(report: Report, boundary: str) -> bytearray:
    """The report as a mail; `boundary` is random and stands nowhere else."""
    action = "failed" if any(each.action == "failed" for each in report.outcomes) else "delayed"
    head = (
        f"From: Mail delivery <postmaster@{report.domain}>\r\n"
        f"To: {report.to}\r\n"
        f"Subject: {_SUBJECTS[action]}\r\n"
        f"Date: {formatdate(report.now)}\r\n"
        f"Message-ID: <{boundary}@{report.domain}>\r\n"
        "Auto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status;\r\n"
        f' boundary="{boundary}"\r\n\r\n'
    )
    parts = (
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        + _text(report),
        f"Content-Type: message/{_kind(report)}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        + _status(report),
    )
    body = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    header = f"--{boundary}\r\nContent-Type: text/rfc822-headers\r\n\r\n".encode()
    end = f"\r\n--{boundary}--\r\n".encode()
    return bytearray((head + body).encode() + header + report.header + end)


def _kind(report: Report) -> str:
    """RFC 6533 where an address is not ASCII."""
    plain = all(each.address.isascii() for each in report.outcomes)
    return "delivery-status" if plain else "global-delivery-status"


def _text(report: Report) -> str:
    lines = [f"This is the mail server of {report.domain}."]
    for action, told in (
        ("failed", "Your mail did not reach:"),
        ("delayed", "Your mail has not reached yet:"),
    ):
        found = [each for each in report.outcomes if each.action == action]
        lines += ["", told] if found else []
        for each in found:
            lines += ["", f"    {_line(each.address)}", f"    {_line(each.diagnostic)}"]
    if any(each.action == "delayed" for each in report.outcomes):
        until = formatdate(report.give_up)
        lines += ["", f"The server goes on trying until {until}. You need not send it again."]
    lines += ["", f"The mail's id here is {report.mail_id}; your administrator may ask for it."]
    return "\r\n".join(lines) + "\r\n"


def _status(report: Report) -> str:
    """The fields of RFC 3464, 2.2 and 2.3."""
    fields = [
        f"Reporting-MTA: dns; {report.domain}",
        f"X-Blackthorn-Queue-ID: {report.mail_id}",
        f"Arrival-Date: {formatdate(report.queued)}",
    ]
    for each in report.outcomes:
        kind = "rfc822" if each.address.isascii() else "utf-8"
        fields += [
            "",
            f"Final-Recipient: {kind}; {_line(each.address)}",
            f"Action: {each.action}",
            f"Status: {_line(each.status)}",
            f"Diagnostic-Code: smtp; {_line(each.diagnostic)}",
        ]
        if each.action == "delayed":
            fields.append(f"Will-Retry-Until: {formatdate(report.give_up)}")
    return "\r\n".join(fields) + "\r\n"


def _line(text: str) -> str:
    """Text of others as part of one line."""
    return "".join(char if char.isprintable() else " " for char in text)


def outer_header(content: bytes) -> bytes:
    """The header of a mail with CRLF line ends, with its last line end."""
    return content.partition(b"\r\n\r\n")[0] + b"\r\n"
