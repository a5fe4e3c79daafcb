"""The ledger's files in a server's folder: its keys, its trust policy, its embedded witness.

ledger.keys   JSON (0600): the seeds of the log, the VRF, the openings and the enrolment keys
policy.txt    which witnesses must cosign (c2sp.org/tlog-policy); public, pinned by devices
witness/      the embedded witness, see `programs.witness.folder`

The keys are written last. Lost keys cannot be made again: a ledger without them has ended.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blackthorn.crypto.secret import Secret
from blackthorn.errors import StorageError, UserError, VerificationError
from blackthorn.identity.keys import SigningKeys
from blackthorn.programs.witness import folder
from blackthorn.programs.witness.folder import WitnessDirectory
from blackthorn.server.ledger.ledger import LedgerKeys
from blackthorn.storage.files import atomic
from blackthorn.tlog import limits
from blackthorn.tlog.policy import (
    NO_QUORUM,
    Policy,
    PolicyGroup,
    PolicyLog,
    PolicyWitness,
    format_policy,
    parse_policy,
)
from blackthorn.wire.note import VerifierKey, parse_vkey

EMBEDDED: Final = "embedded"
"""How a policy calls the witness under the server's own roof."""

ALL: Final = "witnesses"
"""How it calls the group of all witnesses, once there are several."""

_SEEDS: Final = ("log", "vrf", "opening", "enrolment_ed25519", "enrolment_ml_dsa")
_MAX_KEYS_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True)
class LedgerFiles:
    """The paths below the server's folder `path`."""

    path: Path

    @property
    def keys(self) -> Path:
        """JSON, 0600."""
        return self.path / "ledger.keys"

    @property
    def policy(self) -> Path:
        """Text."""
        return self.path / "policy.txt"

    @property
    def witness(self) -> WitnessDirectory:
        """The embedded witness; the folder is not there when there is none."""
        return WitnessDirectory(self.path / "witness")

    def read_keys(self) -> LedgerKeys:
        """Raises UserError when there are none, StorageError when they cannot be used."""
        try:
            document = json.loads(self.keys.read_bytes()[:_MAX_KEYS_BYTES])
            return _keys(document)
        except FileNotFoundError:
            hint = f"`blackthorn ledger init {self.path}` makes it"
            raise UserError(f"{self.keys} is missing, as in an earlier version: {hint}") from None
        except OSError as error:
            raise StorageError(f"{self.keys} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            text = f"{self.keys} is damaged: restore it from a backup"
            raise StorageError(text) from None

    def read_policy(self) -> Policy:
        """Raises StorageError when it is missing or breaks a rule."""
        try:
            return parse_policy(self.policy.read_bytes()[: limits.MAX_POLICY_BYTES + 1])
        except OSError as error:
            raise StorageError(f"{self.policy} cannot be read: {error.strerror}") from None
        except VerificationError as error:
            raise StorageError(f"{self.policy}: {error}") from None

    def write_policy(self, policy: Policy) -> None:
        """Raises StorageError."""
        try:
            atomic.replace(self.policy, format_policy(policy).encode())
        except OSError as error:
            raise StorageError(f"{self.policy} cannot be written: {error.strerror}") from None


def _keys(document: Any) -> LedgerKeys:
    seeds = {name: Secret(bytes.fromhex(document[name])) for name in _SEEDS}
    if type(document["origin"]) is not str or any(len(seed) != 32 for seed in seeds.values()):
        raise ValueError("a seed has 32 bytes")
    enrolment = SigningKeys(seeds["enrolment_ed25519"], seeds["enrolment_ml_dsa"])
    return LedgerKeys(document["origin"], seeds["log"], seeds["vrf"], seeds["opening"], enrolment)


def initialise(
    path: Path, domain: str, *, embedded: bool, random: Callable[[int], bytes] = secrets.token_bytes
) -> LedgerKeys:
    """Make keys, policy and embedded witness. Raises UserError, OSError.

    What an earlier try left is used or written again, as long as there are no keys.
    """
    place = LedgerFiles(path)
    if place.keys.exists():
        raise UserError(f"{place.keys} is there already: nothing was changed")
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
    place: WitnessDirectory, domain: str, log: VerifierKey, random: Callable[[int], bytes]
) -> VerifierKey:
    if place.key.is_file():
        key = place.cosigner().vkey
    else:
        key = folder.initialise(place.path, f"{domain}/witness", random)
    store = place.open_store()
    try:
        store.add_log(log, 0)
    finally:
        store.close()
    return key


def add_witness(policy: Policy, key: VerifierKey, url: str, quorum: int | None) -> Policy:
    """The policy with one more witness, `quorum` of all of which must cosign.

    Without a number it stays as it is. Groups that somebody made by hand are left alone, and
    then a number is refused. Raises UserError.
    """
    if not url.startswith(("https://", "http://")) or not url.isascii():
        raise UserError(f"{url!r} is no address of a witness: it begins with https:// or http://")
    try:
        added = PolicyWitness(key.name, key, url)
        known = {witness.name for witness in policy.witnesses}
        ours = policy.quorum == NO_QUORUM or policy.quorum in known or policy.quorum == ALL
        if not ours or any(group.name != ALL for group in policy.groups):
            if quorum is not None:
                raise UserError("policy.txt has groups of its own: change their numbers there")
            witnesses = (*policy.witnesses, added)
            return Policy(policy.logs, witnesses, policy.groups, policy.quorum)
        return _flat(policy, added, quorum)
    except VerificationError as error:
        raise UserError(f"the policy cannot have this witness: {error}") from None


def _flat(policy: Policy, added: PolicyWitness, quorum: int | None) -> Policy:
    """One group of all witnesses, of which so many must cosign."""
    before = policy.groups[0].threshold if policy.groups else int(policy.quorum != NO_QUORUM)
    threshold = before if quorum is None else quorum
    witnesses = (*policy.witnesses, added)
    if threshold == 0:
        return Policy(policy.logs, witnesses, (), NO_QUORUM)
    if not 1 <= threshold <= len(witnesses):
        raise UserError(f"--quorum must be from 1 to {len(witnesses)}, the number of witnesses")
    group = PolicyGroup(ALL, threshold, tuple(witness.name for witness in witnesses))
    return Policy(policy.logs, witnesses, (group,), ALL)
