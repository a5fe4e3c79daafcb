"""The typed entries of the log: policies, commands, directives, markets, releases.

A schema is a row of the table below: kind and version, then each field's type and bounds. Anything
else is refused. A body is deterministic CBOR: a map of the fields, with the version as `v`.
"""

from dataclasses import dataclass
from typing import Any, Final

from blackthorn.directory import entries
from blackthorn.directory.fields import decode_map, encode_map
from blackthorn.errors import VerificationError


@dataclass(frozen=True, slots=True)
class Field:
    """A type, bounds of a value or its length, and whether it may be null.

    A list has distinct 32-byte hashes.
    """

    kind: type[Any]
    least: int
    most: int
    optional: bool = False


HASH: Final = Field(bytes, 32, 32)
NAME: Final = Field(str, 1, 128)
COUNT: Final = Field(int, 0, 2**53 - 1)
HASHES: Final = Field(list, 0, 16)
REVEAL: Final = Field(bytes, 33, 15 * 1024, optional=True)

DECISION: Final = {"case": NAME, "seq": COUNT, "commitment": HASH, "reveal": REVEAL}
"""A decision (`governance.register`): committed to at once, revealed when no gag bars that."""


@dataclass(frozen=True, slots=True)
class Schema:
    """An entry's name and fields."""

    name: str
    fields: dict[str, Field]


SCHEMAS: Final[dict[tuple[int, int], Schema]] = {
    (entries.POLICY, 1): Schema(
        "policy", {"name": NAME, "number": COUNT, "digest": HASH, "approvers": HASHES}
    ),
    (entries.COMMAND, 1): Schema(
        "command", {"id": HASH, "target": HASH, "action": NAME, "digest": HASH, "approvers": HASHES}
    ),
    (entries.DIRECTIVE, 1): Schema("directive", DECISION),
    (entries.MARKET, 1): Schema("market", DECISION),
    (entries.OFFICE, 1): Schema("office", DECISION),
    (entries.RELEASE, 1): Schema("release", {"name": NAME, "version": NAME, "digest": HASH}),
}
"""(kind of entry, version of its schema) → schema. `target` of a command is a salted commitment."""


def encode_record(kind: int, fields: dict[str, Any]) -> bytes:
    """The body of a typed entry. Raises `VerificationError` (D4)."""
    body = encode_map({**fields, "v": 1})
    decode_record(kind, body)
    return body


def decode_record(kind: int, body: bytes) -> dict[str, Any]:
    """The fields of a typed entry, with `v`. Raises `VerificationError` (D4)."""
    fields = decode_map(body, "D4", "a typed entry")
    version = fields.get("v")
    schema = SCHEMAS.get((kind, version)) if type(version) is int else None
    if schema is None:
        raise VerificationError("D4", f"typed entries {kind} have no version {version!r}")
    if set(fields) != {*schema.fields, "v"}:
        raise VerificationError("D4", f"a {schema.name} entry has other fields than it should")
    for name, field in schema.fields.items():
        if not _fits(fields[name], field):
            raise VerificationError("D4", f"the {name} of a {schema.name} entry cannot be")
    return fields


def _fits(value: Any, field: Field) -> bool:
    if value is None:
        return field.optional
    if type(value) is not field.kind:
        return False
    if not field.least <= (value if field.kind is int else len(value)) <= field.most:
        return False
    if field.kind is list:
        return all(_fits(item, HASH) for item in value) and len(set(value)) == len(value)
    return True
