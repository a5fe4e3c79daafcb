"""OpenPGP inside a plain text (RFC 9580, 6 and 7): where sealed and signed parts begin and end."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from blackthorn.mail.unpack import limits

_BEGIN: Final = re.compile(rb"^-----BEGIN PGP (MESSAGE|SIGNED MESSAGE)-----[ \t]*\r?$", re.M)
_END_MESSAGE: Final = b"-----END PGP MESSAGE-----"
_SIGNATURE: Final = b"-----BEGIN PGP SIGNATURE-----"
_END_SIGNATURE: Final = b"-----END PGP SIGNATURE-----"
_ESCAPED: Final = re.compile(rb"^- ", re.M)


@dataclass(frozen=True, slots=True)
class TextPart:
    """`kind`: "text", "sealed" (`data` is the armor) or "signed" (`data` is the text)."""

    kind: str
    data: bytes


def split_openpgp(data: bytes) -> Iterator[TextPart]:
    """A text's parts in order; what has no end is text."""
    position = 0
    for _ in range(limits.MAX_OPENPGP_BLOCKS):
        found = _BEGIN.search(data, position)
        if found is None:
            break
        signed = found[1] == b"SIGNED MESSAGE"
        closing = _END_SIGNATURE if signed else _END_MESSAGE
        end = data.find(b"\n" + closing, found.end())
        if end < 0:
            break
        end += 1 + len(closing)
        if data[position : found.start()].strip():
            yield TextPart("text", data[position : found.start()])
        block = data[found.start() : end]
        yield TextPart("signed", _signed(block)) if signed else TextPart("sealed", block)
        position = end
    if data[position:].strip() or not position:
        yield TextPart("text", data[position:])


def _signed(block: bytes) -> bytes:
    """The text of a cleartext signature, without its fields and dashes (RFC 9580, 7.1)."""
    text = block.replace(b"\r\n", b"\n").partition(b"\n\n")[2]
    return _ESCAPED.sub(b"", text.partition(b"\n" + _SIGNATURE)[0])
