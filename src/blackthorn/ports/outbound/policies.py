"""The port to kept MTA-STS policies (RFC 8461, 5.1): they hold while their domain is not asked."""

from dataclasses import dataclass

from blackthorn.ports.store import Command, Query


@dataclass(frozen=True, slots=True)
class KeptPolicy:
    """A policy of a domain by the id of its record; `until_ms` is Unix milliseconds."""

    domain: str
    id: str
    until_ms: int
    mode: str
    servers: tuple[str, ...]


class KeepPolicy(Command[None]):
    """Keep a policy in place of the domain's last one, and delete those that ended by `now_ms`."""

    policy: KeptPolicy
    now_ms: int


class FindPolicy(Query[KeptPolicy | None]):
    """The kept policy of a domain, ended or not."""

    domain: str
