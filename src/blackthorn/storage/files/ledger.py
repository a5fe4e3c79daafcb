"""The ledger's files in a server's folder: its keys, its trust policy, its embedded witness.

ledger.keys   JSON: the seeds of the log, the VRF, the openings and the enrolment keys
policy.txt    which witnesses must cosign (c2sp.org/tlog-policy); public, pinned by devices
witness/      the embedded witness, see `storage.files.witness`

The keys are written last. A ledger whose keys are lost has ended.
"""

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Final

from blackthorn.crypto.secret import Secret
from blackthorn.errors import DamageError, DiskError, UserError, VerificationError, system_error
from blackthorn.identity.keys import SigningKeys
from blackthorn.server.ledger.ledger import LedgerKeys
from blackthorn.storage.files import atomic, witness
from blackthorn.storage.files.folder import Folder
from blackthorn.storage.files.witness import WitnessFolder
from blackthorn.tlog import limits
from blackthorn.tlog.policy import (
    NO_QUORUM,
    Policy,
    PolicyLog,
    PolicyWitness,
    format_policy,
    parse_policy,
)
from blackthorn.wire.note import VerifierKey, parse_vkey

EMBEDDED: Final = "embedded"
"""A policy's name of the server's embedded witness."""

_SEEDS: Final = ("log", "vrf", "opening", "enrolment_ed25519", "enrolment_ml_dsa")
_MAX_KEYS_BYTES: Final = 4_096


class LedgerFiles(Folder):
    """Paths of the ledger's files in the server's folder."""

    HOLDER: ClassVar[str] = "a server"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.keys: Final = path / "ledger.keys"
        self.policy: Final = path / "policy.txt"
        self.witness: Final = WitnessFolder(path / "witness")

    def read_keys(self) -> LedgerKeys:
        """Raises UserError when they are missing, DiskError, DamageError."""
        try:
            document = json.loads(self.keys.read_bytes()[:_MAX_KEYS_BYTES])
            return _keys(document)
        except FileNotFoundError:
            raise UserError(
                f"{self.keys} is missing: restore it from a backup. Only for the folder of an "
                "earlier version, which never had a ledger, "
                f"`blackthorn ledger init {self.path}` makes it"
            ) from None
        except OSError as error:
            raise DiskError(f"{self.keys} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            text = f"{self.keys} is damaged: restore it from a backup"
            raise DamageError(text) from None

    def read_policy(self) -> Policy:
        """Raises DiskError, and DamageError when it breaks a rule."""
        with system_error(DiskError, f"{self.policy} cannot be read"):
            data = self.policy.read_bytes()[: limits.MAX_POLICY_BYTES + 1]
        try:
            return parse_policy(data)
        except VerificationError as error:
            raise DamageError(f"{self.policy}: {error}") from None

    def write_policy(self, policy: Policy) -> None:
        """Raises DiskError."""
        with system_error(DiskError, f"{self.policy} cannot be written"):
            atomic.replace(self.policy, format_policy(policy).encode())


def _keys(document: Any) -> LedgerKeys:
    seeds = {name: Secret(bytes.fromhex(document[name])) for name in _SEEDS}
    if type(document["origin"]) is not str or any(len(seed) != 32 for seed in seeds.values()):
        raise ValueError("a seed has 32 bytes")
    enrolment = SigningKeys(seeds["enrolment_ed25519"], seeds["enrolment_ml_dsa"])
    return LedgerKeys(document["origin"], seeds["log"], seeds["vrf"], seeds["opening"], enrolment)


def initialise(
    path: Path, domain: str, *, embedded: bool, random: Callable[[int], bytes] = secrets.token_bytes
) -> LedgerKeys:
    """Create keys, policy and embedded witness. Raises UserError, OSError.

    Without keys, an interrupted creation is resumed: its witness is used and its policy replaced.
    """
    place = LedgerFiles(path)
    if place.keys.exists():
        raise UserError(f"{place.keys} exists already: nothing was changed")
    origin = f"{domain}/ledger"
    document = {"origin": origin, **{name: random(32).hex() for name in _SEEDS}}
    keys = _keys(document)
    log = parse_vkey(keys.log_vkey)
    witnesses: tuple[PolicyWitness, ...] = ()
    if embedded:
        witnesses = (PolicyWitness(EMBEDDED, _make_witness(place.witness, domain, log, random)),)
    policy = Policy((PolicyLog(log),), witnesses, (), EMBEDDED if embedded else NO_QUORUM)
    atomic.replace(place.policy, format_policy(policy).encode())
    atomic.write_new(place.keys, json.dumps(document, indent=1).encode() + b"\n")
    return keys


def _make_witness(
    place: WitnessFolder, domain: str, log: VerifierKey, random: Callable[[int], bytes]
) -> VerifierKey:
    if place.key.is_file():
        key = place.cosigner().vkey
    else:
        key = witness.initialise(place.path, f"{domain}/witness", random)
    store = place.open_store()
    try:
        store.add_log(log, 0)
    finally:
        store.close()
    return key
