"""A witness's folder and its creation. One process signs with it at a time.

witness.key       its Ed25519 seed, in the text form of Go's note tools; written last
witness.db        its logs and cosigned checkpoints
witness.anchor    the largest size it cosigned of each log: see `storage.files.anchor`
evidence/         proofs of logs' forks

A copy of the key with another state can sign a fork.
"""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final

from blackthorn import errors
from blackthorn.crypto.secret import Secret
from blackthorn.storage.files import atomic
from blackthorn.storage.files.anchor import Anchor
from blackthorn.storage.files.folder import Folder, new_folder
from blackthorn.storage.sqlite.stores.witness import WitnessStore
from blackthorn.tlog.cosignature import Cosigner
from blackthorn.wire.note import COSIGNATURE_V1, VerifierKey, check_name, decode_base64
from blackthorn.wire.note import encode_base64 as encode

_KEY: Final = "witness.key"
_FORM: Final = "PRIVATE+KEY"
_MAX_KEY_BYTES: Final = 1_024


class WitnessFolder(Folder):
    """Paths in one witness's folder."""

    HOLDER: ClassVar[str] = "a witness"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.key: Final = path / _KEY
        self.database: Final = path / "witness.db"
        self.anchor: Final = path / "witness.anchor"
        self.evidence: Final = path / "evidence"

    def cosigner(self) -> Cosigner:
        """The key. Raises UserError without such a folder, DamageError for a damaged key."""
        if not self.key.is_file():
            hint = f"`blackthorn witness init {self.path} --name …` makes one"
            raise errors.UserError(f"there is no witness in {self.path}: {hint}")
        try:
            text = self.key.read_bytes()[:_MAX_KEY_BYTES].decode()
            return parse_key(text.removesuffix("\n"))
        except (OSError, UnicodeDecodeError, errors.VerificationError) as error:
            raise errors.DamageError(f"{self.key} cannot be used: {error}") from None

    def open_store(self) -> WitnessStore:
        """Raises StorageError."""
        return WitnessStore.open(self.database)


def format_key(name: str, seed: Secret) -> str:
    """`PRIVATE+KEY+name+id+base64(type, seed)`, without a newline."""
    vkey = Cosigner(name, seed).vkey
    secret = encode(bytes([COSIGNATURE_V1]) + seed.expose())
    return f"{_FORM}+{name}+{vkey.key_id.hex()}+{secret}"


def parse_key(text: str) -> Cosigner:
    """The key of that text. Raises VerificationError (N rules)."""
    parts = text.removeprefix(f"{_FORM}+").split("+", 2)
    if len(parts) != 3 or not text.startswith(_FORM):
        raise errors.VerificationError("N10", "this is not a private key of a witness")
    name, key_id, encoded = parts
    data = decode_base64(encoded)
    if len(data) != 33 or data[0] != COSIGNATURE_V1:
        raise errors.VerificationError("N12", "this is not an Ed25519 key of a witness")
    cosigner = Cosigner(name, Secret(data[1:]))
    if cosigner.vkey.key_id.hex() != key_id:
        raise errors.VerificationError("N11", "the key id belongs to another key")
    return cosigner


def initialise(path: Path, name: str, random: Callable[[int], bytes]) -> VerifierKey:
    """Create a witness's folder and key; returns the public key. Raises UserError."""
    try:
        check_name(name)
    except errors.VerificationError as error:
        raise errors.UserError(f"--name {name!r}: {error}") from None
    if "://" in name:
        plain = name.partition("://")[2]
        raise errors.UserError(f"--name {name!r} has a scheme: leave it out, as in {plain}")
    seed = Secret(random(32))
    try:
        with (
            errors.system_error(errors.UserError, f"{path} cannot be made"),
            new_folder(path, _KEY, WitnessFolder.HOLDER) as stage,
        ):
            fresh = WitnessFolder(stage)
            WitnessStore.create(fresh.database).close()
            Anchor.create(fresh.anchor)
            atomic.write_new(fresh.key, f"{format_key(name, seed)}\n".encode())
    except errors.UserError:
        raise
    except errors.BlackthornError as error:
        raise errors.UserError(f"{path} cannot be made: {error}") from None
    return Cosigner(name, seed).vkey
