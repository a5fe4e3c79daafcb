"""The port to what an address's own domain says of its certificate (WKD)."""

from dataclasses import dataclass, field
from typing import Protocol

from blackthorn.ids import Address


@dataclass(frozen=True, slots=True)
class FoundCertificates:
    """The answer for one address: concatenated binary certificates, unchecked; empty without any.

    `method` is "advanced" or "direct", empty when there is no answer by either.
    """

    method: str = ""
    certificates: bytes = field(default=b"", repr=False)


class CertificateSource(Protocol):
    async def fetch(self, address: Address) -> FoundCertificates:
        """Ask the domain. Raises UnavailableError when it cannot be said, for a later try."""
