"""Decodes outside CBOR (RFC 8949), bounded in depth and unambiguous."""

from typing import Any

import cbor2


def load(data: bytes, max_depth: int, refusal: Exception) -> Any:
    """The one value in `data`, at most `max_depth` levels deep.

    Raises `refusal` for malformed bytes, tags, indefinite lengths and duplicate keys.
    """
    try:
        value: Any = cbor2.loads(
            data,
            max_depth=max_depth,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            tag_hook=_refuse_tag,
            semantic_decoders={},
        )
    except Exception:
        raise refusal from None
    return value


def _refuse_tag(*_: Any) -> Any:
    raise ValueError("no tag is read")
