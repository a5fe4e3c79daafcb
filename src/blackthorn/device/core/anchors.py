"""Trust anchors of the ledger: its configuration and policy, pinned once.

They come from the activation, which authenticates the server by the code, or from another device of
the user. A new policy counts only when the user accepts it.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from blackthorn.directory.verify import DirectoryConfig, decode_config
from blackthorn.errors import DamageError, VerificationError
from blackthorn.identity.keys import VerifyKeys
from blackthorn.ports.device_store import Settings
from blackthorn.tlog.verify import Policy, parse_policy

_CONFIG: Final = "ledger-config"
_POLICY: Final = "ledger-policy"


@dataclass(frozen=True, slots=True)
class Anchors:
    """The directory's configuration and the policy by which its checkpoints are judged."""

    config: DirectoryConfig
    policy: Policy

    @property
    def enrolment(self) -> VerifyKeys:
        """The enterprise's enrolment key."""
        return VerifyKeys(*self.config.enrolment)


def pin(settings: Settings, config: bytes, policy: str) -> Anchors:
    """Trust this configuration record and this policy text from now on.

    Raises VerificationError when they are invalid or of different logs.
    """
    anchors = Anchors(decode_config(config), parse_policy(policy))
    if str(anchors.policy.log) != anchors.config.log_vkey:
        raise VerificationError("T14", "the policy is of another log than the configuration")
    settings.put(_CONFIG, config)
    settings.put(_POLICY, policy.encode())
    return anchors


def pinned(settings: Settings) -> Anchors:
    """The pinned anchors. Raises DamageError when there are none or they are damaged."""
    config, policy = settings.get(_CONFIG), settings.get(_POLICY)
    if not config or not policy:
        raise DamageError(
            "this device has no trust anchors of its ledger: restore its folder or link it again"
        )
    try:
        return _read(config, policy)
    except (VerificationError, UnicodeDecodeError) as error:
        raise DamageError(f"the stored trust anchors of the ledger are damaged: {error}") from None


@lru_cache(maxsize=4)
def _read(config: bytes, policy: bytes) -> Anchors:
    return Anchors(decode_config(config), parse_policy(policy.decode()))


def records(settings: Settings) -> tuple[bytes, str]:
    """The pinned configuration record and policy text, for another device."""
    pinned(settings)
    return settings.get(_CONFIG) or b"", (settings.get(_POLICY) or b"").decode()
