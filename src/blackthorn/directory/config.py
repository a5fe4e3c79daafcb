"""The configuration of a directory, logged as the first entry of its log.

A later one keeps the log, its keys and the domain, and lowers neither the rules nor the delay of
resets (`check_successor`).
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from blackthorn.directory.fields import decode_map, encode_map
from blackthorn.errors import DecodeError, VerificationError
from blackthorn.wire.address import parse_domain
from blackthorn.wire.note import ED25519, parse_vkey

_VERSION: Final = 1
_DAY_MS: Final = 24 * 3600 * 1000
_FIELDS: Final[dict[str, tuple[type, int, int]]] = {
    "v": (int, _VERSION, _VERSION),
    "origin": (str, 1, 255),
    "domain": (str, 1, 253),
    "log": (str, 1, 512),
    "vrf": (bytes, 32, 32),
    "enrolment_ed25519": (bytes, 32, 32),
    "enrolment_ml_dsa": (bytes, 1952, 1952),
    "rules": (int, 1, 2**16),
    "reset_delay_ms": (int, 0, 365 * _DAY_MS),
    "epoch_ms": (int, 0, _DAY_MS),
    "heartbeat_ms": (int, 1, 7 * _DAY_MS),
    "policy": (bytes, 32, 32),
}
"""Name → type, and bounds of its value or length."""


@dataclass(frozen=True)
class DirectoryConfig:
    """`vrf_key` has 32 bytes; times are milliseconds.

    `enrolment` are the enterprise's Ed25519 (32 bytes) and ML-DSA-65 (1,952 bytes) public keys.
    """

    origin: str
    domain: str
    log_vkey: str
    vrf_key: bytes
    enrolment: tuple[bytes, bytes]
    rules: int
    reset_delay_ms: int
    epoch_ms: int
    heartbeat_ms: int
    policy_digest: bytes

    def encode(self) -> bytes:
        """Deterministic CBOR."""
        return encode_map(
            {
                "v": _VERSION,
                "origin": self.origin,
                "domain": self.domain,
                "log": self.log_vkey,
                "vrf": self.vrf_key,
                "enrolment_ed25519": self.enrolment[0],
                "enrolment_ml_dsa": self.enrolment[1],
                "rules": self.rules,
                "reset_delay_ms": self.reset_delay_ms,
                "epoch_ms": self.epoch_ms,
                "heartbeat_ms": self.heartbeat_ms,
                "policy": self.policy_digest,
            }
        )

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the record."""
        return hashlib.sha256(self.encode()).digest()


def terms_digest(config: DirectoryConfig, policy: str) -> str:
    """SHA-256 of a configuration's digest and its policy's text, in hex.

    Administrators read it out to users, who compare it before they accept these terms.
    """
    return hashlib.sha256(config.digest + policy.encode()).hexdigest()


def decode_config(record: bytes) -> DirectoryConfig:
    """The configuration in a record. Raises `VerificationError` (D3)."""
    fields = decode_map(record, "D3", "the configuration")
    if set(fields) != set(_FIELDS):
        raise VerificationError("D3", "the configuration has other fields than it should")
    for name, (kind, least, most) in _FIELDS.items():
        value = fields[name]
        if type(value) is not kind or not least <= _measure(value) <= most:
            raise VerificationError("D3", f"the configuration's {name} is out of its bounds")
    _check_names(fields)
    return DirectoryConfig(
        fields["origin"],
        fields["domain"],
        fields["log"],
        fields["vrf"],
        (fields["enrolment_ed25519"], fields["enrolment_ml_dsa"]),
        fields["rules"],
        fields["reset_delay_ms"],
        fields["epoch_ms"],
        fields["heartbeat_ms"],
        fields["policy"],
    )


def _measure(value: Any) -> int:
    return value if type(value) is int else len(value)


def _check_names(fields: dict[str, Any]) -> None:
    try:
        log = parse_vkey(fields["log"])
        if parse_domain(fields["domain"]) != fields["domain"]:
            raise VerificationError("D3", "the configuration's domain is not in its normal form")
    except (DecodeError, VerificationError):
        raise VerificationError("D3", "the configuration's log key or domain is invalid") from None
    if not (log.name.isascii() and log.name.isprintable()):
        raise VerificationError("D3", "the configuration's origin is not printable ASCII")
    if log.name != fields["origin"] or log.algorithm != ED25519:
        raise VerificationError("D3", "the configuration's log key is not its origin's")


def check_successor(old: DirectoryConfig, new: DirectoryConfig) -> DirectoryConfig:
    """The new configuration, if it may follow. Raises `VerificationError` (D31)."""
    kept = ("origin", "domain", "log_vkey", "vrf_key", "enrolment")
    changed = [name for name in kept if getattr(old, name) != getattr(new, name)]
    if changed:
        raise VerificationError("D31", f"a new configuration changes {', '.join(changed)}")
    if new.rules < old.rules or new.reset_delay_ms < old.reset_delay_ms:
        raise VerificationError("D31", "a new configuration lowers the rules or the reset delay")
    return new
