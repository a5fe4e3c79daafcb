"""`blackthorn.toml`: every setting of the server, its type, default and meaning.

The template of `init`, the checks and docs/settings.md are made from the classes below. For an
unknown section or key the error names the nearest one. An environment variable
`BLACKTHORN_SECTION_KEY` overrides the file.
"""

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from blackthorn.edges import limits as edges_limits
from blackthorn.errors import ConfigError, DecodeError, UserError
from blackthorn.governance import limits as governance_limits
from blackthorn.programs.server.settings import tls as tls_section
from blackthorn.programs.server.settings.budgets import BudgetsSettings
from blackthorn.programs.server.settings.mail import (
    AuthenticationSettings,
    DnsSettings,
    SmtpSettings,
)
from blackthorn.programs.server.settings.outbound import (
    OutboundSettings,
    SubmissionSettings,
    check_smarthost,
)
from blackthorn.programs.server.settings.setting import host_setting, port_setting, setting
from blackthorn.programs.server.settings.tls import MtaStsSettings, TlsSettings
from blackthorn.storage.files.market_keys import check_market
from blackthorn.storage.files.server import SETTINGS
from blackthorn.wire.address import domain_of, parse_address, parse_domain

_EVERY = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 -- to be refused
"""Hosts that are every interface, and no address to connect to."""

_PREFIX = "BLACKTHORN_"
_NEARLY = 0.9
"""Likeness of two variables from which one is taken for a mistyped other."""

KIND_NAMES = {str: "a text", int: "a number", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class EnterpriseSettings:
    """The organisation."""

    domain: str = setting("", "The mail domain whose users this server serves.")
    postmaster: str = setting(
        "",
        "The user who gets the mail to postmaster and abuse, in whose name notices are sent. "
        "Until they are named and activated, that mail is deferred.",
    )
    market: str = setting(
        "ZZ",
        "Two letters of the country to which users added without --market belong. "
        "ZZ: it is not stated.",
    )
    market_keys: str = setting(
        "",
        "Folder of the keys that wrap what is stored for each market's users, better on another "
        "disk than the data and its backups. Empty: market-keys in the server's folder.",
    )


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """The link, over which devices send and receive."""

    host: str = host_setting("the link")
    port: int = port_setting(3101, "the link")
    public: str = setting(
        "",
        "HOST:PORT at which devices reach the link, for activation URLs. "
        "Empty: the host and port above.",
    )


@dataclass(frozen=True, slots=True)
class GateSettings:
    """Connections of strangers: what one client may open before its device is known."""

    client_sockets: int = setting(
        edges_limits.CLIENT_SOCKETS,
        "Open connections of one client (an IPv4 address or an IPv6 /56) over all listeners whose "
        "device is not known. Each device known there adds two. Raise it behind a proxy that "
        "hides its clients' addresses.",
        at_least=4,
        at_most=edges_limits.MAX_STRANGERS,
    )
    client_handshakes: int = setting(
        edges_limits.CLIENT_HANDSHAKES,
        "TLS handshakes that one client starts in a second; more wait. Each device known there "
        "adds one.",
        at_least=1,
        at_most=10_000,
    )


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """The ledger: the public log of all users' keys, its tiles over HTTPS, and its witnesses."""

    host: str = host_setting("HTTPS with the ledger's tiles, for auditors and witnesses,")
    port: int = port_setting(3102, "the ledger's tiles")
    epoch_seconds: int = setting(
        10,
        "How long after a change of somebody's keys the ledger publishes it. 0: at once.",
        at_most=3_600,
    )
    heartbeat_seconds: int = setting(
        600,
        "The ledger publishes at least so often, so that devices can tell a silenced one.",
        at_least=1,
        at_most=86_400,
    )
    reset_delay_hours: int = setting(
        72,
        "How long a new identity of somebody who lost all devices waits before it holds. "
        "Public, and never lowered once the server has started.",
        at_most=8_760,
    )
    witness: str = setting(
        "embedded",
        "The embedded witness, a process beside the server with a key of its own. It keeps the "
        "ledger from an old backup; it is no witness against its own operator.",
        choices=("embedded", "none"),
    )
    witness_port: int = setting(
        3103, "TCP port of the embedded witness, on the loopback interface. 0: any.", at_most=65535
    )
    witness_timeout_seconds: int = setting(
        5, "How long a witness may take to answer.", at_least=1, at_most=60
    )


@dataclass(frozen=True, slots=True)
class DirectivesSettings:
    """Demands of governments for what the server holds of named accounts."""

    max_accounts: int = setting(
        5,
        "How many accounts one directive may name at most.",
        at_least=1,
        at_most=governance_limits.MAX_DIRECTIVE_ACCOUNTS,
    )


@dataclass(frozen=True, slots=True)
class OpsSettings:
    """Health and metrics, over HTTP: /healthz, /readyz and /metrics. Not for the Internet."""

    host: str = host_setting("operations HTTP")
    port: int = port_setting(8101, "operations HTTP")
    min_free_disk_mib: int = setting(
        256,
        "With less free disk space in MiB than this the server accepts nothing, so that what it "
        "holds can still be fetched and removed, and /readyz says that it is not ready.",
    )


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """The database, blackthorn.db."""

    check_at_start: bool = setting(
        True,
        "Read every page before serving, so that a damaged database is found at once. "
        "A large one takes longer to start.",
    )


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The log: JSON lines on standard error, without content, addresses or keys."""

    level: str = setting(
        "info", "The least that is logged.", choices=("debug", "info", "warning", "error")
    )


@dataclass(frozen=True, slots=True)
class Configuration:
    """All settings."""

    enterprise: EnterpriseSettings = field(default_factory=EnterpriseSettings)
    link: LinkSettings = field(default_factory=LinkSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    mta_sts: MtaStsSettings = field(default_factory=MtaStsSettings)
    smtp: SmtpSettings = field(default_factory=SmtpSettings)
    outbound: OutboundSettings = field(default_factory=OutboundSettings)
    authentication: AuthenticationSettings = field(default_factory=AuthenticationSettings)
    submission: SubmissionSettings = field(default_factory=SubmissionSettings)
    dns: DnsSettings = field(default_factory=DnsSettings)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    directives: DirectivesSettings = field(default_factory=DirectivesSettings)
    ops: OpsSettings = field(default_factory=OpsSettings)
    budgets: BudgetsSettings = field(default_factory=BudgetsSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    log: LogSettings = field(default_factory=LogSettings)


SECTIONS: dict[str, type[Any]] = {
    each.name: each.default_factory  # type: ignore[misc]
    for each in dataclasses.fields(Configuration)
}


def load(folder: Path, environment: Mapping[str, str]) -> Configuration:
    """The settings of the server in `folder`. Raises ConfigError naming the key."""
    hint = f"`blackthorn init {folder} --domain …` makes one"
    if folder.is_file():
        raise ConfigError(f"{folder} is a file: name its folder, {folder.parent}")
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}: {hint}")
    path = folder / SETTINGS
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if any(folder.iterdir()):
            hint = "it is not a server's folder; name that, or a new one for `blackthorn init`"
        raise ConfigError(f"{folder} holds no {SETTINGS}: {hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    try:
        return parse(text, environment)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def parse(text: str, environment: Mapping[str, str]) -> Configuration:
    """The settings in `text`, overridden by `environment`. Raises ConfigError."""
    _check_variables(environment)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from None
    for name, table in tables.items():
        if name not in SECTIONS:
            raise ConfigError(f"unknown section [{name}]{_nearest(name, list(SECTIONS))}")
        if not isinstance(table, dict):
            raise ConfigError(f"[{name}] is a section, not a value")
    sections = {
        name: _section(name, kind, tables.get(name, {}), environment)
        for name, kind in SECTIONS.items()
    }
    configuration = Configuration(**sections)
    _check_together(configuration)
    return configuration


def _section(
    name: str, kind: type[Any], table: dict[str, Any], environment: Mapping[str, str]
) -> Any:
    known = {each.name: each for each in dataclasses.fields(kind)}
    for key in table:
        if key not in known:
            raise ConfigError(f"unknown key {name}.{key}{_nearest(key, list(known))}")
    values = {}
    for key, each in known.items():
        override = environment.get(variable(name, key))
        if override is not None:
            values[key] = _checked(variable(name, key), each, _from_text(each, override))
        elif key in table:
            values[key] = _checked(f"{name}.{key}", each, table[key])
    return kind(**values)


def _check_variables(environment: Mapping[str, str]) -> None:
    """Raises ConfigError for a variable that begins as a setting's, or nearly is one."""
    known = [
        variable(section, key.name)
        for section, kind in SECTIONS.items()
        for key in dataclasses.fields(kind)
    ]
    sections = tuple(variable(section, "") for section in SECTIONS)
    for name in environment:
        if name in known or not name.startswith(_PREFIX):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=_NEARLY)
        if near or name.startswith(sections):
            hint = _nearest(name, near or known)
            raise ConfigError(f"the environment's variable {name} is no setting{hint}")


def variable(section: str, key: str) -> str:
    return f"{_PREFIX}{section}_{key}".upper()


def _from_text(each: dataclasses.Field[Any], text: str) -> Any:
    kind = type(each.default)
    if kind is int and text.lstrip("-").isdecimal():
        return int(text)
    if kind is bool and text in ("true", "false"):
        return text == "true"
    return text


def _checked(name: str, each: dataclasses.Field[Any], value: Any) -> Any:
    kind = type(each.default)
    if type(value) is not kind:
        raise ConfigError(f"{name} must be {KIND_NAMES[kind]}, not {value!r}")
    allowed = each.metadata
    if kind is int and not allowed["at_least"] <= value <= allowed["at_most"]:
        raise ConfigError(
            f"{name} must be from {allowed['at_least']} to {allowed['at_most']}, not {value}"
        )
    if allowed["choices"] and value not in allowed["choices"]:
        raise ConfigError(f"{name} must be one of {', '.join(allowed['choices'])}, not {value!r}")
    return value


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"


def _check_together(configuration: Configuration) -> None:
    domain = configuration.enterprise.domain
    if not domain:
        raise ConfigError('enterprise.domain is missing: name one, such as "acme.example"')
    try:
        if parse_domain(domain) != domain:
            raise ConfigError(f"enterprise.domain: write {domain!r} in lower case")
    except DecodeError as error:
        raise ConfigError(f"enterprise.domain: {domain!r}: {error}") from None
    postmaster = configuration.enterprise.postmaster
    try:
        if postmaster and domain_of(parse_address(postmaster)) != domain:
            raise ConfigError(f"enterprise.postmaster: {postmaster!r} is not of {domain}")
    except DecodeError as error:
        raise ConfigError(f"enterprise.postmaster: {postmaster!r}: {error}") from None
    try:
        if check_market(configuration.enterprise.market) != configuration.enterprise.market:
            raise ConfigError("enterprise.market: write it in upper case")
    except UserError as error:
        raise ConfigError(f"enterprise.market: {error}") from None
    if configuration.link.public:
        public_address(configuration)
    tls_section.check(configuration.tls)
    check_smarthost(configuration.outbound)
    _check_ports(configuration)


def _check_ports(configuration: Configuration) -> None:
    services = {
        f"{name}.port": (section.host, section.port)
        for name in ("link", "smtp", "ledger", "ops")
        for section in (getattr(configuration, name),)
    }
    if configuration.smtp.tls_port:
        services["smtp.tls_port"] = configuration.smtp.host, configuration.smtp.tls_port
    if configuration.tls.acme:
        services["tls.acme_port"] = configuration.tls.acme_host, configuration.tls.acme_port
    submission = configuration.submission
    if submission.host:
        services["submission.port"] = submission.host, submission.port
        services["submission.tls_port"] = submission.host, submission.tls_port
    if configuration.ledger.witness == "embedded":
        services["ledger.witness_port"] = "127.0.0.1", configuration.ledger.witness_port
    for (one, (host, port)), (other, (another, same)) in combinations(services.items(), 2):
        if port == same != 0 and (host == another or not _EVERY.isdisjoint((host, another))):
            raise ConfigError(f"{one} and {other} are both {port}: give each a port of its own")


def public_address(configuration: Configuration) -> tuple[str, int]:
    """Host and port for activation URLs. Raises ConfigError when they are unknown."""
    link = configuration.link
    if not link.public:
        if link.port == 0:
            raise ConfigError("link.port is 0: set link.public to HOST:PORT for activation URLs")
        if link.host in _EVERY:
            raise ConfigError(
                f"link.host {link.host!r} is no address that a device can reach: set link.public "
                "to HOST:PORT for activation URLs"
            )
        return link.host, link.port
    host, colon, port = link.public.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f"link.public must be HOST:PORT, not {link.public!r}")
    if host.strip("[]") in _EVERY:
        raise ConfigError(f"link.public {link.public!r} is no address that a device can reach")
    return host.strip("[]"), int(port)
