"""What a device trusts of the ledger: its configuration and its policy, pinned once.

They come from the activation, which proves the server's word by the code, or from another
device of the user; never from the ledger's server by itself. A new policy of the server counts
when the person accepts it.
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
        """The key by which the enterprise says who may hold an address."""
        return VerifyKeys(*self.config.enrolment)


def pin(settings: Settings, config: bytes, policy: str) -> Anchors:
    """Trust this configuration record and this policy from now on.

    Raises VerificationError when they are none, or not of one log.
    """
    anchors = Anchors(decode_config(config), parse_policy(policy))
    if str(anchors.policy.log) != anchors.config.log_vkey:
        raise VerificationError("T14", "the policy is of another log than the configuration")
    settings.put(_CONFIG, config)
    settings.put(_POLICY, policy.encode())
    return anchors


def pinned(settings: Settings) -> Anchors:
    """What is trusted. Raises DamageError when nothing was pinned, or it is damaged."""
    config, policy = settings.get(_CONFIG), settings.get(_POLICY)
    if not config or not policy:
        raise DamageError("this device has not learned of its ledger: activate it anew")
    try:
        return _read(config, policy)
    except (VerificationError, UnicodeDecodeError) as error:
        raise DamageError(f"what this device knows of its ledger is damaged: {error}") from None


@lru_cache(maxsize=4)
def _read(config: bytes, policy: bytes) -> Anchors:
    """Asked for at every step, and always the same."""
    return Anchors(decode_config(config), parse_policy(policy.decode()))


def records(settings: Settings) -> tuple[bytes, str]:
    """The configuration record and the policy's text as pinned, to hand to another device."""
    pinned(settings)
    return settings.get(_CONFIG) or b"", (settings.get(_POLICY) or b"").decode()
