"""The form of an evidence file, for anyone to verify.

JSON with format, kind, configuration (all its keys are public), and the kind's fields, bytes in
base64. `verify_evidence` recomputes the client's finding, without a server. A claim that rests on
somebody's word, such as that a statement is not the owner's, is named as such. The caller passes in
the replay of chains (`identity.chain`).
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from blackthorn.directory import limits
from blackthorn.directory.config import DirectoryConfig, decode_config
from blackthorn.directory.evidence import log
from blackthorn.directory.evidence import users as kinds
from blackthorn.directory.head_times import Officers
from blackthorn.errors import DecodeError, VerificationError
from blackthorn.wire.address import parse_address

FORMAT: Final = "blackthorn-evidence-v1"

Field = bytes | int | str | list[bytes]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence of a kind (a key of `KINDS`) against one directory."""

    kind: str
    config: bytes
    fields: Mapping[str, Field]

    def encode(self) -> bytes:
        """The file, UTF-8 JSON."""
        plain = {name: _to_json(value) for name, value in self.fields.items()}
        document = {"format": FORMAT, "kind": self.kind, "config": _to_json(self.config), **plain}
        return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def _to_json(value: Field) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    return value


Check = Callable[[Mapping[str, Any], DirectoryConfig, kinds.Replay], str]

KINDS: Final[dict[str, tuple[dict[str, type], Check]]] = {
    "fork": ({"first": bytes, "second": bytes}, log.fork),
    "inconsistent": ({"first": bytes, "second": bytes, "proof": list}, log.inconsistent),
    "rollback": ({"first": bytes, "second": bytes}, log.rollback),
    "stale": ({"first": bytes, "seen_ms": int}, log.stale),
    "bad-epoch": (kinds.EPOCH, log.bad_epoch),
    "head-back": ({**kinds.EPOCH, "before_epoch": int, "before_ms": int}, log.head_back),
    "head-ahead": ({**kinds.EPOCH, "policy": bytes, "seen_ms": int}, log.head_ahead),
    "bad-answer": ({**kinds.EPOCH, **kinds.ANSWER}, kinds.bad_answer),
    "config-changed": (kinds.EPOCH, log.config_changed),
    "unknown-statement": (
        {**kinds.EPOCH, **kinds.ANSWER, "own_head": bytes, "own_seq": int},
        kinds.unknown_statement,
    ),
    "bad-history": (
        {**kinds.EPOCH, **kinds.ANSWER, "before_version": int, "before_value": bytes},
        kinds.bad_history,
    ),
    "bad-receipt": ({**kinds.EPOCH, "label": str, **kinds.RECEIPT}, kinds.bad_receipt),
    "bad-chain": ({**kinds.EPOCH, **kinds.ANSWER, "statements": list}, kinds.bad_chain),
    "false-leaf": (
        {**kinds.EPOCH, **kinds.ANSWER, "statements": list, "device": bytes, "key": bytes},
        kinds.false_leaf,
    ),
    "bad-log": ({"first": bytes, "entries": list}, log.bad_log),
}
"""Kind → its fields and types, and the function that verifies it."""


def decode_evidence(data: bytes) -> Evidence:
    """The unverified evidence in a file. Raises `VerificationError` (D34)."""
    if len(data) > limits.MAX_EVIDENCE_BYTES:
        raise VerificationError("D34", f"a file of evidence has {len(data)} bytes")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise VerificationError("D34", "a file of evidence is not JSON") from None
    if type(document) is not dict or document.pop("format", None) != FORMAT:
        raise VerificationError("D34", "this is not a file of evidence, or of another version")
    kind = document.pop("kind", None)
    if type(kind) is not str or kind not in KINDS:
        raise VerificationError("D34", "the kind of the evidence is not known")
    config = _from_json(document.pop("config", None), bytes)
    wanted = KINDS[kind][0]
    if set(document) != set(wanted):
        raise VerificationError("D34", f"evidence of kind {kind} has other fields than it should")
    return Evidence(
        kind, config, {name: _from_json(document[name], wanted[name]) for name in wanted}
    )


def _from_json(value: Any, kind: type) -> Any:
    if kind is list and type(value) is list:
        return [_from_json(item, bytes) for item in value]
    if kind is bytes and type(value) is str:
        try:
            return base64.b64decode(value.encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError):
            raise VerificationError("D34", "a field of the evidence is not base64") from None
    fits = 0 <= value < 2**63 if type(value) is int else _is_label(value)
    if type(value) is not kind or not fits:
        raise VerificationError("D34", "a field of the evidence is of another type")
    return value


def _is_label(value: Any) -> bool:
    """Whether it is a normalised address, which is safe to print."""
    try:
        return type(value) is str and parse_address(value) == value
    except DecodeError:
        return False


def verify_evidence(data: bytes, replay: kinds.Replay, officers: Officers | None = None) -> str:
    """The proven fact, in a sentence that names the log. `officers` are for a `bad-log`.

    Raises `VerificationError`: D34 when it is malformed, D35 and others when it proves nothing.
    """
    evidence = decode_evidence(data)
    config = decode_config(evidence.config)
    check = KINDS[evidence.kind][1]
    if check is log.bad_log:
        check = partial(log.bad_log, officers=officers)
    sentence = check(evidence.fields, config, replay)
    return f"{sentence} (log key {config.log_vkey})"
