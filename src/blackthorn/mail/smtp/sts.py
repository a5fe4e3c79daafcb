"""MTA-STS (RFC 8461): the record and the policy by which a domain asks for verified TLS."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from blackthorn.errors import DecodeError

MODES: Final = ("enforce", "testing", "none")


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """`servers` are patterns of names; `max_age` in seconds."""

    mode: str
    servers: tuple[str, ...]
    max_age: int

    def allows(self, host: str) -> bool:
        """Whether a server's name is one of the policy's (4.1)."""
        rest = host.lower().partition(".")[2]
        return any(
            pattern == host.lower() or (pattern.startswith("*.") and pattern[2:] == rest)
            for pattern in self.servers
        )


def sts_records(texts: Iterable[bytes]) -> list[bytes]:
    """Those of the TXT records of `_mta-sts` that are of MTA-STS (3.1)."""
    return [text for text in texts if text.startswith(b"v=STSv1;")]


def parse_record(texts: Iterable[bytes]) -> str:
    """The id in the TXT records of `_mta-sts` (3.1); empty unless exactly one is of it."""
    found = sts_records(texts)
    if len(found) != 1:
        return ""
    fields = dict(field.strip().partition(b"=")[::2] for field in found[0].split(b";"))
    name = fields.get(b"id", b"").decode("ascii", "replace")
    return name if name.isalnum() and name.isascii() and len(name) <= 32 else ""


def parse_policy(data: bytes) -> StsPolicy:
    """The policy in a file (3.2). Raises DecodeError."""
    values: dict[str, list[str]] = {}
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise DecodeError("the policy is not text") from None
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            values.setdefault(name.strip().lower(), []).append(value.strip())
    mode = values.get("mode", [""])[0]
    age = values.get("max_age", [""])[0]
    servers = tuple(server.lower().removesuffix(".") for server in values.get("mx", []))
    if values.get("version", [""])[0] != "STSv1" or mode not in MODES:
        raise DecodeError("the policy is of no known version or mode")
    if not (age.isascii() and age.isdecimal() and len(age) <= 10):
        raise DecodeError("the policy has no max_age")
    if mode != "none" and not servers:
        raise DecodeError("the policy names no server")
    return StsPolicy(mode, servers, int(age))
