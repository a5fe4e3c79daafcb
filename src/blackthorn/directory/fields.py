"""Bounded, deterministic CBOR maps of configuration, typed entries and saved states."""

from typing import Any

import cbor2

from blackthorn.directory import limits as directory_limits
from blackthorn.errors import VerificationError
from blackthorn.wire import cbor, limits


def encode_map(value: dict[str, Any]) -> bytes:
    """The deterministic encoding of a map with text keys (RFC 8949, 4.2.1)."""
    return cbor2.dumps(value, canonical=True)


def decode_map(
    data: bytes, rule: str, what: str, bound: int = limits.MAX_LEDGER_ENTRY_BYTES
) -> dict[str, Any]:
    """The map in `data`, with text keys. Raises `VerificationError` with `rule`."""
    if len(data) > bound:
        raise VerificationError(rule, f"{what} has {len(data)} bytes")
    refusal = VerificationError(rule, f"{what} is not CBOR")
    value = cbor.load(data, directory_limits.MAX_FIELD_DEPTH, refusal)
    if type(value) is not dict or any(type(key) is not str for key in value):
        raise VerificationError(rule, f"{what} is not a map with text keys")
    try:
        same = encode_map(value) == data
    except Exception:
        same = False
    if not same:
        raise VerificationError(rule, f"{what} is not in its one encoding")
    return value
