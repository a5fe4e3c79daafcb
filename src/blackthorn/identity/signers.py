"""Required signatures of a statement: named signers, and a number of live devices.

Further signatures are refused; signatures are verified after all cheap checks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from blackthorn.errors import VerificationError
from blackthorn.identity.bodies import DeviceInfo
from blackthorn.identity.keys import VerifyKeys
from blackthorn.identity.statements import ENROLMENT, RECOVERY, SignedStatement
from blackthorn.ids import DeviceId

Named = dict[bytes, tuple[VerifyKeys, str]]
"""Signer → its keys, and the rule that its absence breaks."""


@dataclass(frozen=True, slots=True)
class Signers:
    """All named signers, and `fewest` to `most` live devices."""

    named: Named = field(default_factory=dict)
    fewest: int = 0
    most: int = 0


def coming(device: DeviceInfo) -> tuple[VerifyKeys, str]:
    """Keys and rule of a new device in `Signers.named`."""
    return device.keys, "I21"


def check_signers(
    signed: SignedStatement, wanted: Signers, live: Mapping[DeviceId, DeviceInfo]
) -> None:
    """Raises I19 to I24 unless exactly the wanted signatures are there and hold."""
    for signer, (_, rule) in wanted.named.items():
        if all(signer != present for present, _ in signed.signatures):
            raise VerificationError(rule, f"a signature by {shown(signer)} is missing")
    keys = {signer: pair for signer, (pair, _) in wanted.named.items()}
    others = 0
    for signer, _ in signed.signatures:
        if signer not in keys:
            keys[signer] = _live_keys(signer, live)
            others += 1
    if not wanted.fewest <= others <= wanted.most:
        raise VerificationError("I24", f"{others} live devices signed instead of {wanted.fewest}")
    for signer, signature in signed.signatures:
        keys[signer].verify(signature, signed.statement.message)


def _live_keys(signer: bytes, live: Mapping[DeviceId, DeviceInfo]) -> VerifyKeys:
    if signer == ENROLMENT:
        raise VerificationError("I22", "the enterprise cannot sign this statement")
    if signer == RECOVERY:
        raise VerificationError("I23", "the recovery key only signs a recovered addition")
    device = live.get(DeviceId(signer))
    if device is None or not device.personal:
        raise VerificationError(
            "I20", f"{shown(signer)} is not a live personal device of this user"
        )
    return device.keys


def shown(signer: bytes) -> str:
    names = {ENROLMENT: "the enterprise", RECOVERY: "the recovery key"}
    return names.get(signer) or f"device {signer.hex()}"
