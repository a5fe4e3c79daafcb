"""The base of frames, and the bounded types of their fields."""

from typing import Annotated

from msgspec import Meta, Struct

from blackthorn.link import limits as link_limits
from blackthorn.wire import limits as wire_limits

Id16 = Annotated[bytes, Meta(min_length=16, max_length=16)]
Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Digest = Annotated[bytes, Meta(max_length=32)]
"""SHA-256 of a sealed Commit; empty: not known."""
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
Sealed = Annotated[bytes, Meta(min_length=1, max_length=link_limits.MAX_PARCEL_BYTES)]
KeyPackageBytes = Annotated[bytes, Meta(min_length=1, max_length=wire_limits.MAX_KEY_PACKAGE_BYTES)]
AddressText = Annotated[str, Meta(min_length=3, max_length=254)]
Uint64 = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Day = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Seqs = Annotated[list[Uint64], Meta(max_length=65_536)]
Proof = Annotated[list[Bytes32], Meta(max_length=64)]
StatementBytes = Annotated[bytes, Meta(min_length=1, max_length=wire_limits.MAX_STATEMENT_BYTES)]
Ids = Annotated[list[Id16], Meta(max_length=link_limits.MAX_POSTINGS_PER_FRAME)]


class Frame(Struct, array_like=True, frozen=True, gc=False):
    """Base of all frames. Subclasses carry their number as `tag`."""


class Exchange(Frame, frozen=True):
    """Base of requests and of their answers, which repeat the request's number."""

    request: Uint64
