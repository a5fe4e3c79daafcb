"""The driver's state: clients with their keys, and groups by handle."""

from collections.abc import Callable
from dataclasses import dataclass, field

from blackthorn.crypto.secret import Secret
from blackthorn.mls.credential import BasicCredential
from blackthorn.mls.driver.request import RequestError
from blackthorn.mls.epoch.policy import ExternalJoin, Policy
from blackthorn.mls.framing.key_package import KeyPackagePrivate
from blackthorn.mls.group.group import Group
from blackthorn.mls.suites import CipherSuite


@dataclass
class Client:
    """A client with a signature key and unused key packages."""

    credential: BasicCredential
    suite: CipherSuite
    signature_private: Secret
    signature_public: bytes
    policy: Policy
    key_packages: dict[bytes, KeyPackagePrivate] = field(default_factory=dict)
    psks: dict[bytes, Secret] = field(default_factory=dict)


@dataclass
class ClientGroup:
    """A group as one client holds it."""

    client: Client
    group: Group
    own_psks: dict[bytes, Secret] = field(default_factory=dict)

    @property
    def psks(self) -> dict[bytes, Secret]:
        return {**self.client.psks, **self.own_psks}


class World:
    """The state of one driver. `clock` returns Unix seconds."""

    def __init__(self, random: Callable[[int], bytes], clock: Callable[[], float]) -> None:
        self.random = random
        self._clock = clock
        self.clients: dict[str, Client] = {}
        self.groups: dict[str, ClientGroup] = {}

    def now(self) -> int:
        """Unix seconds."""
        return int(self._clock())

    def client(self, name: str) -> Client:
        """Raises `RequestError` for an unknown name."""
        if name not in self.clients:
            raise RequestError("unknown client")
        return self.clients[name]

    def held(self, handle: str) -> ClientGroup:
        """Raises `RequestError` for an unknown handle."""
        if handle not in self.groups:
            raise RequestError("unknown group")
        return self.groups[handle]

    def hold(self, client: Client, group: Group) -> str:
        """Store a group; its handle."""
        handle = f"group-{len(self.groups) + 1}"
        self.groups[handle] = ClientGroup(client, group)
        return handle


def believe(*_: object) -> None:
    """Accept every credential: the driver has no authentication service."""


ANY_LIFETIME = 2**64
"""Seconds: no bound on the lifetime of other implementations' key packages."""


def anybody_may_join(join: ExternalJoin) -> None:
    """Policy hook: every holder of a GroupInfo may join from outside."""
