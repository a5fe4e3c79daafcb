"""Certificates of addresses outside, asked for on behalf of devices, so that nobody outside learns
who asks. Answers are kept in memory for a while; the device checks them.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from blackthorn.errors import BlackthornError, UnavailableError
from blackthorn.ids import Address, DeviceId
from blackthorn.ports.clock import Clock
from blackthorn.ports.outside.certificates import FoundCertificates
from blackthorn.ports.store import Done, call_each
from blackthorn.server.mail import limits
from blackthorn.server.rate_limiter import Buckets
from blackthorn.wire.address import domain_of

Fetch = Callable[[Address, Done[FoundCertificates]], None]
"""Asks the address's domain; the callback gets UnavailableError when it cannot be said now."""


@dataclass(slots=True)
class OutsideCertificates:
    """`domain` is the enterprise's own, whose users are in the ledger and nowhere else."""

    domain: str
    fetch: Fetch
    clock: Clock
    _kept: OrderedDict[Address, tuple[FoundCertificates, float]] = field(
        default_factory=OrderedDict
    )
    _bytes: int = 0
    _running: dict[Address, list[Done[FoundCertificates]]] = field(default_factory=dict)
    _asked: Buckets[DeviceId] = field(
        default_factory=lambda: Buckets(
            limits.CERTIFICATE_LOOKUPS,
            limits.CERTIFICATE_LOOKUPS_PER_HOUR / 3_600,
            limits.MAX_COUNTED_MAILBOXES,
        )
    )

    def find(self, address: Address, device: DeviceId, done: Done[FoundCertificates]) -> None:
        """The certificates that the address's domain publishes, asked for by a device.

        `done` gets UnavailableError when the device asks too much, or the domain cannot be asked.
        """
        now = self.clock.monotonic()
        kept = self._kept.get(address)
        if domain_of(address) == self.domain:
            done(FoundCertificates())
        elif kept is not None and now < kept[1]:
            done(kept[0])
        elif self._asked.wait_seconds(device, now):
            done(UnavailableError("too many certificates are asked for; try again later"))
        elif address in self._running:
            self._running[address].append(done)
        elif len(self._running) >= limits.MAX_CERTIFICATE_LOOKUPS_AT_ONCE:
            done(UnavailableError("the server asks for many certificates now; try again later"))
        else:
            self._asked.spend(device, 1, now)
            self._running[address] = [done]
            self.fetch(address, partial(self._found, address))

    def _found(self, address: Address, result: FoundCertificates | BlackthornError) -> None:
        if not isinstance(result, BlackthornError):
            self._keep(address, result)
        call_each([partial(done, result) for done in self._running.pop(address)])

    def _keep(self, address: Address, found: FoundCertificates) -> None:
        before, _ = self._kept.pop(address, (FoundCertificates(), 0.0))
        self._bytes += len(found.certificates) - len(before.certificates)
        seconds = (
            limits.CERTIFICATE_KEPT_SECONDS
            if found.certificates
            else limits.NO_CERTIFICATE_KEPT_SECONDS
        )
        self._kept[address] = (found, self.clock.monotonic() + seconds)
        while (
            len(self._kept) > limits.MAX_KEPT_CERTIFICATES
            or self._bytes > limits.MAX_KEPT_CERTIFICATE_BYTES
        ):
            _, (oldest, _) = self._kept.popitem(last=False)
            self._bytes -= len(oldest.certificates)
