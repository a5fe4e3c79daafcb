"""OpenPGP certificates: those of our users for other domains (WKD), and theirs for our devices."""

from collections.abc import Callable
from functools import partial
from typing import cast

from starlette.routing import BaseRoute

from blackthorn.edges.http.wkd import wkd_routes
from blackthorn.edges.http.wkd_client import WkdClient
from blackthorn.ids import Address
from blackthorn.ports.clock import Clock
from blackthorn.ports.dns import Resolver
from blackthorn.ports.outside.certificates import FoundCertificates
from blackthorn.ports.store import Done
from blackthorn.ports.waiting import outcome
from blackthorn.programs.periodic import Supervisor
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.mail.outside_certificates import OutsideCertificates
from blackthorn.server.mail.published_keys import PublishedKeys
from blackthorn.server.markets.exit_rules import ExitRules


class Certificates:
    """Both directions, for the mail domain `domain`."""

    def __init__(
        self,
        domain: str,
        enterprise: EnterpriseCache,
        exits: ExitRules,
        clock: Clock,
        tasks: Supervisor,
        resolver: Callable[[], Resolver],
    ) -> None:
        self._published = PublishedKeys(domain, enterprise, exits)
        self._resolver = resolver
        self._client: WkdClient | None = None
        self._tasks = tasks
        self.asked = OutsideCertificates(domain, self._fetch, clock)

    def _fetch(self, address: Address, done: Done[FoundCertificates]) -> None:
        if self._client is None:
            self._client = WkdClient(self._resolver())
        self._tasks.answer("a certificate from outside", self._client.fetch(address), done)

    def pages(self) -> list[BaseRoute]:
        """The Web Key Directory."""

        async def published(domain: str, name: str, local_part: str) -> bytes | None:
            find = partial(self._published.find, domain, name, local_part)
            return cast("bytes | None", await outcome(find))

        return wkd_routes(published)
