"""The sections of the settings about mail from outside and the domain name system."""

from dataclasses import dataclass
from ipaddress import ip_address

from blackthorn.edges.sealing import limits as sealing_limits
from blackthorn.errors import ConfigError
from blackthorn.programs.server.settings.setting import host_setting, port_setting, setting
from blackthorn.server.mail import limits as mail_limits


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """SMTP, by which mail comes in from the Internet."""

    host: str = host_setting("SMTP")
    port: int = port_setting(2525, "SMTP")
    tls_port: int = setting(
        0,
        "TCP port for mail servers that begin TLS before SMTP (RFC 8314), on the same host. "
        "0: none. All others use STARTTLS.",
        at_most=65535,
    )
    proxies: str = setting(
        "",
        "Addresses, separated by blanks, of your own proxies, whose connections begin with the "
        "PROXY protocol, version 1 or 2. All connections from there must.",
    )
    sealing_workers: int = setting(
        0,
        "Processes that seal inbound mail, each with one core while mail comes in. "
        "0: one for each core.",
        at_most=sealing_limits.MAX_SEALING_WORKERS,
    )
    min_free_disk_mib: int = setting(
        1024,
        "With less free disk space in MiB than this, mail is deferred (452 4.3.1), and messages "
        "go on down to ops.min_free_disk_mib; never less than that.",
    )
    mailbox_mib: int = setting(
        mail_limits.MAILBOX_MIB,
        "Sealed mail in MiB that the server keeps for one user; more is deferred (452 4.2.2).",
        at_least=64,
    )
    mailbox_mib_per_hour: int = setting(
        mail_limits.MAILBOX_MIB_PER_HOUR,
        "Sealed mail in MiB that one user gets in an hour; more is deferred (450 4.2.1).",
        at_least=64,
    )

    def proxy_addresses(self) -> frozenset[str]:
        """Raises ConfigError."""
        try:
            return frozenset(str(ip_address(each)) for each in self.proxies.split())
        except ValueError as error:
            raise ConfigError(f"smtp.proxies: {error}") from None


@dataclass(frozen=True, slots=True)
class AuthenticationSettings:
    """What follows from SPF, DKIM, DMARC and ARC of mail from outside."""

    dmarc_reject: str = setting(
        "refuse",
        "Mail that its author's domain disowns and asks to reject: refuse it (550 5.7.1), or only "
        "mark it, so that devices file it as junk.",
        choices=("refuse", "mark"),
    )
    own_from: str = setting(
        "mark",
        "Mail from outside whose From is of this server's domain and is not proven by SPF or DKIM: "
        "mark it as junk, refuse it (never what a mailing list sends), or accept it.",
        choices=("mark", "refuse", "accept"),
    )
    arc_sealers: str = setting(
        "",
        "Domains, separated by blanks, of forwarders and mailing lists whose word about who sent a "
        "mail (ARC) counts more than DMARC.",
    )


@dataclass(frozen=True, slots=True)
class DnsSettings:
    """The domain name system, which mail asks about its senders and receivers."""

    servers: str = setting(
        "",
        "Addresses of name servers, separated by blanks, such as 127.0.0.1 or [::1]:5353. Empty: "
        "those of the system. What DNSSEC says counts only from one on this host, such as unbound.",
    )

    def addresses(self) -> list[str]:
        return self.servers.split()
