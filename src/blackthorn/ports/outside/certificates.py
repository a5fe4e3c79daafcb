"""The port to what an address's own domain says of its certificate (WKD)."""

from dataclasses import dataclass, field
from typing import Protocol

from blackthorn.ids import Address


@dataclass(frozen=True, slots=True)
class FoundCertificates:
    """The answer for one address: its certificates in binary, concatenated and unchecked."""

    certificates: bytes = field(default=b"", repr=False)


class CertificateSource(Protocol):
    async def fetch(self, address: Address) -> FoundCertificates:
        """Ask the domain. Raises UnavailableError when it cannot be said, for a later try."""
