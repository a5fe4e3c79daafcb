"""Packets and subpackets of OpenPGP (RFC 9580, 4.2 and 5.2.3.7): framing, and nothing inside.

Only ValueError is raised, whatever the bytes.
"""

from collections.abc import Iterator
from typing import Final

SIGNATURE: Final = 2
SECRET_KEY, PUBLIC_KEY, SECRET_SUBKEY, PUBLIC_SUBKEY = 5, 6, 7, 14
USER_ID: Final = 13

CREATED, ISSUER, KEY_FLAGS, FEATURES, EMBEDDED, ISSUER_FINGERPRINT = 2, 16, 27, 30, 32, 33
"""Types of subpackets (RFC 9580, 5.2.3.7)."""


def packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and body of each packet of a definite length, in either format. Raises ValueError."""
    for tag, start, end in _places(data):
        yield tag, data[_body(data, start)[0] : end]


def _places(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Tag, start of the header and end of each packet."""
    position = 0
    while position < len(data):
        start, length = _body(data, position)
        if start + length > len(data):
            raise ValueError("a packet is cut off")
        head = data[position]
        yield (head & 0x3F if head & 0x40 else head >> 2 & 0x0F), position, start + length
        position = start + length


def _body(data: bytes, position: int) -> tuple[int, int]:
    """Where the body of the packet at `position` begins, and its length."""
    head = data[position]
    if not head & 0x80:
        raise ValueError("not a packet")
    if head & 0x40:
        return length_at(data, position + 1)
    octets = (1, 2, 4, 0)[head & 3]
    if not octets or position + 1 + octets > len(data):
        raise ValueError("a length is cut off, or not definite")
    start = position + 1 + octets
    return start, int.from_bytes(data[position + 1 : start], "big")


def length_at(data: bytes | bytearray, position: int) -> tuple[int, int]:
    """Where a body begins, and its length (RFC 9580, 4.2.1). Raises ValueError."""
    first = data[position] if position < len(data) else 255
    if first < 192:
        return position + 1, first
    if first < 224 and position + 1 < len(data):
        return position + 2, ((first - 192) << 8) + data[position + 1] + 192
    if first == 255 and position + 4 < len(data):
        return position + 5, int.from_bytes(data[position + 1 : position + 5], "big")
    raise ValueError("a length is cut off, or of a part")


def packet(tag: int, body: bytes) -> bytes:
    """A packet in the new format, with the shortest length."""
    size = len(body)
    if size < 192:
        length = bytes([size])
    elif size < 8384:
        length = (size - 192 + (192 << 8)).to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(4, "big")
    return bytes([0xC0 | tag]) + length + body


def subpackets(data: bytes | bytearray, position: int = 0) -> Iterator[tuple[int, int, int]]:
    """Type, start and end of the body of each subpacket from `position` on. Raises ValueError."""
    while position < len(data):
        start, length = length_at(data, position)
        if not length or start + length > len(data):
            raise ValueError("a subpacket is empty or cut off")
        yield data[start] & 0x7F, start + 1, start + length
        position = start + length


def subpacket(kind: int, body: bytes) -> bytes:
    """A subpacket of at most 190 bytes, not critical."""
    return bytes([len(body) + 1, kind]) + body


def split_certificates(data: bytes, most: int) -> list[bytes]:
    """The certificates of one answer or file, each with all its packets, at most `most`.

    Raises ValueError for other bytes, and for more.
    """
    starts = list[int]()
    for tag, start, _ in _places(data):
        if tag == PUBLIC_KEY:
            starts.append(start)
        elif tag in (SECRET_KEY, SECRET_SUBKEY):
            raise ValueError("a secret key stands among certificates")
        elif not starts:
            raise ValueError("the first packet is no public key")
    if len(starts) > most:
        raise ValueError(f"{len(starts)} certificates in one answer: too many")
    ends = [*starts[1:], len(data)]
    return [data[start:end] for start, end in zip(starts, ends, strict=False)]
