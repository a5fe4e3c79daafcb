"""Web Key Directory (draft-koch-openpgp-webkey-service-21): where an address's certificate lies.

Advanced method, then direct method (section 3.1). The name in the path is a hash of the local part
in lower case, so that it fits any; the address itself follows as `l`.
"""

import hashlib
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from blackthorn.ids import Address
from blackthorn.wire.address import domain_of

WELL_KNOWN: Final = "/.well-known/openpgpkey"
_ALPHABET: Final = "ybndrfg8ejkmcpqxot1uwisza345h769"
"""z-base-32 (RFC 6189, 5.1.6)."""
_BITS: Final = 5


@dataclass(frozen=True, slots=True)
class Place:
    """Host and path, with its query, of one method's answer over HTTPS."""

    host: str
    path: str


def places(address: Address) -> tuple[Place, Place]:
    """Advanced and direct method. The second is asked only if the first's host does not exist."""
    local_part, domain = address.rpartition("@")[0], domain_of(address)
    name = f"hu/{local_part_hash(local_part)}?l={quote(local_part, safe='')}"
    return (
        Place(f"openpgpkey.{domain}", f"{WELL_KNOWN}/{domain}/{name}"),
        Place(domain, f"{WELL_KNOWN}/{name}"),
    )


def local_part_hash(local_part: str) -> str:
    """32 characters of z-base-32: the SHA-1 of the local part in lower case."""
    lowered = "".join(c.lower() if c.isascii() else c for c in local_part)
    digest = hashlib.sha1(lowered.encode(), usedforsecurity=False).digest()
    number = int.from_bytes(digest, "big")
    places = range(len(digest) * 8 - _BITS, -1, -_BITS)
    return "".join(_ALPHABET[number >> place & 31] for place in places)
