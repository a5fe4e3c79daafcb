"""The section of the settings for mail that leaves."""

import re
from dataclasses import dataclass
from pathlib import Path

from blackthorn.crypto.secret import Secret
from blackthorn.edges.outbound.carrier import Smarthost
from blackthorn.errors import ConfigError, DecodeError
from blackthorn.programs.server.settings.setting import port_setting, setting
from blackthorn.server.outbound import limits
from blackthorn.wire.address import parse_domain


@dataclass(frozen=True, slots=True)
class OutboundSettings:
    """Mail that leaves: the queue, and how it is handed to others."""

    queue_hours: int = setting(
        limits.QUEUE_HOURS,
        "Hours for which an undelivered mail is tried again before its sender is told that it "
        "failed.",
        at_least=1,
        at_most=336,
    )
    recipients_per_hour: int = setting(
        limits.RECIPIENTS_PER_HOUR,
        "Recipients of all mail that one user sends in an hour; more are deferred.",
        at_least=1,
    )
    smarthost: str = setting(
        "",
        "HOST or HOST:PORT of one server that takes all mail to others, such as a provider's "
        "relay. Port 465 begins with TLS. Empty: each domain's own servers.",
    )
    smarthost_user: str = setting(
        "", "The name by which this server logs in to the smarthost, only over verified TLS."
    )
    smarthost_password: str = setting(
        "", "The file with the smarthost's password, for the server alone (mode 0600)."
    )


@dataclass(frozen=True, slots=True)
class SubmissionSettings:
    """Submission, by which users' mail programs send mail, with app passwords over TLS."""

    host: str = setting(
        "",
        "Address on which submission listens. 0.0.0.0 or :: is every interface. Empty: nowhere, "
        "and mail is sent by Blackthorn devices only.",
    )
    port: int = port_setting(2587, "submission with STARTTLS; 587 for mail programs")
    tls_port: int = port_setting(2465, "submission that begins with TLS; 465 for mail programs")
    clear_outbound: str = setting(
        "warn",
        "Unencrypted mail of mail programs to others. allow: it is passed on, never stored. warn: "
        "also its sender gets a notice in their mailbox, once a day. deny: it is refused. Between "
        "users here it is always refused.",
        choices=("warn", "allow", "deny"),
    )


def check_smarthost(settings: OutboundSettings) -> None:
    """Raises ConfigError."""
    parse_smarthost(settings)
    if bool(settings.smarthost_user) != bool(settings.smarthost_password):
        raise ConfigError("outbound.smarthost_user and outbound.smarthost_password go together")
    if settings.smarthost_user and not settings.smarthost:
        raise ConfigError("outbound.smarthost_user is set, but outbound.smarthost is not")


def parse_smarthost(settings: OutboundSettings) -> Smarthost | None:
    """The smarthost without its password; None when there is none. Raises ConfigError."""
    if not settings.smarthost:
        return None
    found = re.fullmatch(r"\[?([^\[\]]+?)\]?(?::(\d{1,5}))?", settings.smarthost)
    host, port = (found[1], int(found[2] or 25)) if found else ("", 0)
    if not re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]+", host):
        try:
            host = parse_domain(host)
        except DecodeError:
            text = f"outbound.smarthost: {settings.smarthost!r} is not HOST or HOST:PORT"
            raise ConfigError(text) from None
    if not 0 < port < 65536:
        raise ConfigError(f"outbound.smarthost: {settings.smarthost!r} has no port to connect to")
    return Smarthost(host, port, settings.smarthost_user, implicit=port == 465)


def read_smarthost(folder: Path, settings: OutboundSettings) -> Smarthost | None:
    """The smarthost with its password from the file. Raises ConfigError."""
    found = parse_smarthost(settings)
    if found is None or not settings.smarthost_password:
        return found
    path = folder / settings.smarthost_password
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"others than its owner can use {path}: chmod go-rwx {path}")
        password = Secret(path.read_bytes().strip())
    except OSError as error:
        reason = error.strerror
        raise ConfigError(f"outbound.smarthost_password: {path} cannot be read: {reason}") from None
    return Smarthost(found.host, found.port, found.user, password, found.implicit)
