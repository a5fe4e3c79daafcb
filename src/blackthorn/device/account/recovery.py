"""Recovery by the printed key: the new device's messages and its check of the server.

The paper has 24 words and a *check*: twenty hex digits over the server's key and the immutable
parts of the ledger's configuration, so that nobody can substitute another ledger. See
docs/specs/pairing.md.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from blackthorn.device.transparency import own_chain
from blackthorn.directory.verify import DirectoryConfig, decode_config
from blackthorn.errors import SecurityError, UserError, VerificationError
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.statements import RECOVERY, AddDevice, DeviceInfo, Statement, decode, make
from blackthorn.ids import Address, Fingerprint
from blackthorn.link.frames import LINK_VERSION, Recognised, Recover
from blackthorn.link.hello import recovery_bytes
from blackthorn.ports.device_store import Settings

CHECK_DIGITS: Final = 20
_LABEL: Final = b"blackthorn-recovery-check-v1"
_STATEMENT: Final = "recovery-statement"


def check(fingerprint: Fingerprint, config: DirectoryConfig) -> str:
    """80 bits as five groups of four hex digits."""
    names = (config.origin.encode(), config.log_vkey.encode())
    parts = (_LABEL, fingerprint, *names, config.vrf_key, *config.enrolment)
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    digits = hashlib.sha256(framed).hexdigest()[:CHECK_DIGITS]
    return "-".join(digits[place : place + 4] for place in range(0, CHECK_DIGITS, 4))


@dataclass(frozen=True, slots=True)
class RecoveryAttempt:
    """The keys from the words, the user's address, and the typed check."""

    keys: SigningKeys
    address: Address
    typed: str

    def __post_init__(self) -> None:
        if len(_digits(self.typed)) != CHECK_DIGITS:
            raise UserError(
                f"the check has {CHECK_DIGITS} hexadecimal digits (0 to 9, a to f): type it again"
            )

    def recover(self, binding: bytes) -> Recover:
        """The first frame, signed over this connection's channel binding."""
        signature = self.keys.sign(recovery_bytes(binding, self.address))
        return Recover(LINK_VERSION, self.address, signature.ed25519, signature.ml_dsa)

    def trust(self, fingerprint: Fingerprint, recognised: Recognised) -> DirectoryConfig:
        """The ledger's configuration if server and ledger match the check on the paper.

        Raises SecurityError before anything is signed.
        """
        try:
            config = decode_config(recognised.config)
        except VerificationError as error:
            raise SecurityError(f"the server's ledger cannot be trusted: {error}") from None
        if not hmac.compare_digest(_digits(check(fingerprint, config)), _digits(self.typed)):
            raise SecurityError(
                "the check does not match this server: check your typing and the server's "
                "address; nothing was signed"
            )
        return config

    def statement(
        self, recognised: Recognised, info: DeviceInfo, signing: SigningKeys, now_ms: int
    ) -> bytes:
        """The encoded statement that adds this device after the head that the server reported."""
        body = AddDevice(info, recovered=True)
        after = (recognised.seq + 1, recognised.head)
        draft = Statement(self.address, *after, body, now_ms, recognised.rules)
        return make(draft, [(info.id, signing), (RECOVERY, self.keys)]).encode()


def _digits(text: str) -> str:
    return "".join(character for character in text.lower() if character in "0123456789abcdef")


def kept(settings: Settings) -> bytes:
    """The stored statement of an unfinished attempt, or b""."""
    return settings.get(_STATEMENT) or b""


def keep(settings: Settings, statement: bytes, now_ms: int) -> None:
    """Store a statement before it is submitted; the ledger shows it only after a while."""
    settings.put(_STATEMENT, statement)
    made = decode(statement).statement
    own_chain.stated(settings, made.hash, now_ms, made.seq)
