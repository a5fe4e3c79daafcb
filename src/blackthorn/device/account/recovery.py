"""Recovery by the printed key: what a new device says and signs, and which server it believes.

Specified in docs/specs/pairing.md. The *check* stands on the paper below the words: twenty hex
digits of the server's key and of what never changes of its ledger, so that nobody can lead a
recovering person into another ledger.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from blackthorn.directory.verify import DirectoryConfig, decode_config
from blackthorn.errors import SecurityError, UserError, VerificationError
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.statements import RECOVERY, AddDevice, DeviceInfo, Statement, make
from blackthorn.ids import Address, Fingerprint
from blackthorn.link.frames import LINK_VERSION, Recognised, Recover
from blackthorn.link.hello import recovery_bytes
from blackthorn.ports.device_store import Settings

CHECK_DIGITS: Final = 20
_LABEL: Final = b"blackthorn-recovery-check-v1"
_STATEMENT: Final = "recovery-statement"


def check(fingerprint: Fingerprint, config: DirectoryConfig) -> str:
    """Five groups of four hex digits: 80 bits."""
    names = (config.origin.encode(), config.log_vkey.encode())
    parts = (_LABEL, fingerprint, *names, config.vrf_key, *config.enrolment)
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    digits = hashlib.sha256(framed).hexdigest()[:CHECK_DIGITS]
    return "-".join(digits[place : place + 4] for place in range(0, CHECK_DIGITS, 4))


@dataclass(frozen=True, slots=True)
class RecoveryAttempt:
    """The words' keys, whose they are, and the check that was typed."""

    keys: SigningKeys
    address: Address
    typed: str

    def __post_init__(self) -> None:
        if len(_digits(self.typed)) != CHECK_DIGITS:
            raise UserError(f"the check has {CHECK_DIGITS} digits and letters from a to f")

    def recover(self, binding: bytes) -> Recover:
        """The first frame, signed over this connection."""
        signature = self.keys.sign(recovery_bytes(binding, self.address))
        return Recover(LINK_VERSION, self.address, signature.ed25519, signature.ml_dsa)

    def trust(self, fingerprint: Fingerprint, recognised: Recognised) -> DirectoryConfig:
        """The ledger's configuration, if server and ledger are those of the paper.

        Raises SecurityError, before anything was signed that counts.
        """
        try:
            config = decode_config(recognised.config)
        except VerificationError as error:
            raise SecurityError(f"the server's ledger cannot be trusted: {error}") from None
        if not hmac.compare_digest(_digits(check(fingerprint, config)), _digits(self.typed)):
            raise SecurityError(
                "the check does not fit this server: it was mistyped, or this is another server "
                "than that of your paper; nothing was signed"
            )
        return config

    def statement(
        self, recognised: Recognised, info: DeviceInfo, signing: SigningKeys, now_ms: int
    ) -> bytes:
        """The statement that adds this device, behind what the server says of the chain."""
        body = AddDevice(info, recovered=True)
        draft = Statement(self.address, recognised.seq + 1, recognised.head, body, now_ms)
        return make(draft, [(info.id, signing), (RECOVERY, self.keys)]).encode()


def _digits(text: str) -> str:
    return "".join(character for character in text.lower() if character in "0123456789abcdef")


def kept(settings: Settings) -> bytes:
    """The statement of an attempt that was begun, or empty."""
    return settings.get(_STATEMENT) or b""


def keep(settings: Settings, statement: bytes) -> None:
    """Keep the statement before it is submitted."""
    settings.put(_STATEMENT, statement)
