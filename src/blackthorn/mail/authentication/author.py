"""The author's domain of a mail (RFC 5322, 3.6.2; RFC 9989, 4.4): what DMARC protects.

A small tokenizer of our own, linear in the field: the standard library's raises on some fields and
takes long on others.
"""

from dataclasses import dataclass

from blackthorn.errors import DecodeError
from blackthorn.mail.authentication import limits
from blackthorn.wire.address import parse_domain


@dataclass(frozen=True, slots=True)
class Author:
    """`domain` is lower case ASCII, empty when no single one can be read. `fields` counts From."""

    domain: str
    fields: int


def author(values: list[bytes]) -> Author:
    """The author by the unfolded values of all From fields."""
    if len(values) != 1 or len(values[0]) > limits.MAX_FROM_BYTES:
        return Author("", len(values))
    domains = {_domain(address) for address in _addresses(values[0].decode("utf-8", "replace"))}
    return Author(domains.pop() if len(domains) == 1 else "", 1)


def _domain(address: str) -> str:
    local, at, domain = address.strip().rpartition("@")
    try:
        domain = domain.strip()[: limits.MAX_NAME_CHARS + 1]
        if not domain.isascii():
            domain = domain.encode("idna").decode()
        return parse_domain(domain) if at and local.strip() else ""
    except (DecodeError, UnicodeError):
        return ""


def _addresses(text: str) -> list[str]:
    """The addresses of a list of mailboxes: what stands in angle brackets, else the whole.

    A mailbox with two bracketed addresses counts as both, since readers differ in which they take.
    """
    found: list[str] = []
    bare: list[str] = []
    angle: list[str] | None = None
    bracketed = False
    depth, quoted, escaped = 0, False, False
    for character in text + ",":
        current = bare if angle is None else angle
        if escaped:
            escaped = False
            if not depth:
                current.append(character)
        elif character == "\\" and (quoted or depth):
            escaped = True
        elif quoted:
            quoted = character != '"'
            current.append("" if character == '"' else character if angle is not None else "q")
        elif character == "(" or (depth and character != ")"):
            depth += character == "("
        elif character == ")" and depth:
            depth -= 1
        elif character == '"':
            quoted = True
        elif character == "<":
            angle, bracketed = [], True
        elif character == ">" and angle is not None:
            found.append("".join(angle))
            angle = None
        elif character in ",;" and angle is None:
            if not bracketed and "".join(bare).strip():
                found.append("".join(bare))
            bare, bracketed = [], False
        elif character == ":" and angle is None:
            bare = []  # a group's name
        else:
            current.append(character)
    if angle is not None or quoted or depth:
        found.append("")  # not closed: nobody can say whose
    return found
