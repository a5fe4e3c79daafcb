"""The typed entries of the log: policies, commands, directives, markets, releases.

A schema is a row of the table below: kind and version, then each field with its type and its
bounds. What is not in the table is refused, so that nobody slips in what devices do not know.
A body is deterministic CBOR: a map of the fields' names, with the version as `v`.
"""

from dataclasses import dataclass
from typing import Any, Final

from blackthorn.directory import entries
from blackthorn.directory.fields import decode_map, encode_map
from blackthorn.errors import VerificationError

HASH: Final = (bytes, 32, 32)
NAME: Final = (str, 1, 128)
COUNT: Final = (int, 0, 2**53 - 1)
HASHES: Final = (list, 0, 16)
DETAILS: Final = (dict, 0, 64)


@dataclass(frozen=True, slots=True)
class Schema:
    """Fields by name: type, and the least and most of the value or of its length."""

    name: str
    fields: dict[str, tuple[type[Any], int, int]]


SCHEMAS: Final[dict[tuple[int, int], Schema]] = {
    (entries.POLICY, 1): Schema(
        "policy", {"name": NAME, "number": COUNT, "digest": HASH, "approvers": HASHES}
    ),
    (entries.COMMAND, 1): Schema(
        "command", {"id": HASH, "target": HASH, "action": NAME, "digest": HASH, "approvers": HASHES}
    ),
    (entries.DIRECTIVE, 1): Schema(
        "directive", {"id": NAME, "phase": NAME, "commitment": HASH, "reveal": DETAILS}
    ),
    (entries.MARKET, 1): Schema("market", {"market": NAME, "transition": NAME, "digest": HASH}),
    (entries.RELEASE, 1): Schema("release", {"name": NAME, "version": NAME, "digest": HASH}),
}
"""(kind of entry, version of its schema) → schema. `target` of a command is a salted commitment."""


def encode_record(kind: int, fields: dict[str, Any], version: int = 1) -> bytes:
    """The body of a typed entry. Raises `VerificationError` (D4) when the schema refuses it."""
    body = encode_map({**fields, "v": version})
    decode_record(kind, body)
    return body


def decode_record(kind: int, body: bytes) -> dict[str, Any]:
    """The fields of a typed entry, `v` among them. Raises `VerificationError` (D4)."""
    fields = decode_map(body, "D4", "a typed entry")
    version = fields.get("v")
    schema = SCHEMAS.get((kind, version)) if type(version) is int else None
    if schema is None:
        raise VerificationError("D4", f"typed entries {kind} have no version {version!r}")
    if set(fields) != {*schema.fields, "v"}:
        raise VerificationError("D4", f"a {schema.name} entry has other fields than it should")
    for name, (wanted, least, most) in schema.fields.items():
        value: Any = fields[name]
        measured = value if wanted is int else len(value) if type(value) is wanted else -1
        if type(value) is not wanted or not least <= measured <= most:
            raise VerificationError("D4", f"the {name} of a {schema.name} entry cannot be")
        if name == "approvers":
            _check_hashes(value, schema.name)
    return fields


def _check_hashes(values: list[Any], name: str) -> None:
    if any(type(each) is not bytes or len(each) != 32 for each in values):
        raise VerificationError("D4", f"an approver of a {name} entry is no hash")
    if len(set(values)) != len(values):
        raise VerificationError("D4", f"an approver of a {name} entry stands there twice")
