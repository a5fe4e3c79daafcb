"""The section `tls` of the settings, and the names that follow from it."""

from dataclasses import dataclass

from blackthorn.errors import ConfigError, DecodeError
from blackthorn.programs.server.settings.setting import setting
from blackthorn.wire.address import parse_domain

MAX_NAMES = 100
"""Names of one certificate: the bound of public authorities."""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Name and certificate of SMTP and of the public pages (HTTPS). The link has its own key."""

    host_name: str = setting(
        "",
        "The name by which mail servers and browsers reach this server, such as mail.acme.example. "
        "Empty: the mail domain.",
    )
    other_names: str = setting(
        "",
        "More names of the certificate, separated by spaces, such as "
        "mta-sts.acme.example openpgpkey.acme.example.",
    )
    certificate: str = setting(
        "",
        "PEM file with the certificate and its chain; with it tls.key. A relative path is below "
        "the server's folder. Read again when it changes. Empty: by ACME, or self-signed.",
    )
    key: str = setting("", "PEM file of its private key, without a passphrase.")
    acme: str = setting(
        "",
        "https:// address of an ACME authority's directory, such as "
        "https://acme-v02.api.letsencrypt.org/directory: the server gets its certificate there and "
        "renews it. To set it is to agree to the authority's terms of service.",
    )
    acme_contact: str = setting("", "A mail address for the authority's notices.")
    acme_host: str = setting(
        "0.0.0.0",  # noqa: S104 -- the authority comes from outside
        "Address on which the authority's HTTP challenges are answered.",
    )
    acme_port: int = setting(
        80, "TCP port of those challenges. The authority asks at port 80.", at_most=65535
    )
    acme_roots: str = setting(
        "",
        "PEM file of the authorities by which the ACME server itself is verified, for one of your "
        "own. Empty: the public ones.",
    )

    def names(self, domain: str) -> tuple[str, ...]:
        """All names of the certificate, the host name first."""
        return tuple(dict.fromkeys([self.host_name or domain, *self.other_names.split()]))


def check(tls: TlsSettings) -> None:
    """What the settings must fulfil together. Raises ConfigError."""
    for key, names in (("host_name", [tls.host_name]), ("other_names", tls.other_names.split())):
        for name in filter(None, names):
            try:
                lower = parse_domain(name)
            except DecodeError as error:
                raise ConfigError(f"tls.{key}: {name!r}: {error}") from None
            if lower != name:
                raise ConfigError(f"tls.{key}: write {name!r} in lower case")
    if len(tls.other_names.split()) >= MAX_NAMES:
        raise ConfigError(f"tls.other_names: a certificate has at most {MAX_NAMES} names")
    if bool(tls.certificate) != bool(tls.key):
        raise ConfigError("tls.certificate and tls.key belong together: name both files or none")
    if tls.certificate and tls.acme:
        raise ConfigError("tls.certificate and tls.acme exclude each other: keep one of them")
    if tls.acme and not tls.acme.startswith("https://"):
        raise ConfigError(f"tls.acme must be an https:// address, not {tls.acme!r}")


@dataclass(frozen=True, slots=True)
class MtaStsSettings:
    """The policy by which senders come by verified TLS alone (RFC 8461), served by HTTPS."""

    mode: str = setting(
        "testing",
        "testing: senders report what would fail. enforce: they deliver only by verified TLS, so "
        "the certificate must be an authority's. none: the policy is withdrawn.",
        choices=("testing", "enforce", "none"),
    )
    max_age_seconds: int = setting(
        604_800,
        "How long senders keep the policy; a week is usual, and weeks once it has proved itself.",
        at_least=86_400,
        at_most=31_557_600,
    )
