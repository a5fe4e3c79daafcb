"""Verifies a production package: hashes, custody, signature, the ledger's proof.

1. Names, kinds and bounds (P1 to P5).
2. Manifests against files (P6 to P12), provenance and custody (P13, P14).
3. The register's signature over the tag manifest (P15 to P17).
4. The ledger's decision that names the tag manifest, under a policy (P15, P18, T rules).

The first broken rule is raised. Only files beside the payload stay in memory.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from blackthorn.crypto.signatures import ED25519 as SCHEME
from blackthorn.crypto.signatures import VerifyError
from blackthorn.directory import entries
from blackthorn.directory.records import decode_record
from blackthorn.errors import UnavailableError, VerificationError
from blackthorn.governance import limits
from blackthorn.governance.package import layout
from blackthorn.governance.package.build import REGISTER
from blackthorn.governance.package.tar import TarEntry
from blackthorn.governance.statements import open_entry
from blackthorn.tlog.policy import Policy, parse_policy
from blackthorn.tlog.proof import parse_proof, verify_proof
from blackthorn.tlog.verify import leaf_hash
from blackthorn.wire import note as notes

_LINE: Final = re.compile(r"([0-9a-f]{64})  (\S(?:.*\S)?)")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\\:*?\"<>|]")
_KEPT: Final = frozenset({*layout.TAGGED, *layout.FINISHING, layout.TAG_MANIFEST})
_UNFINISHED: Final = (
    "the package of {directive} is not finished, so it proves nothing yet: every file has its "
    "hash, but the register's signature and the ledger's proof are missing. The server adds them "
    "once a custodian and another officer have signed the package; then one of them fetches it "
    "again: blackthorn directive produce {directive}"
)
_PROVENANCE: Final[dict[str, type]] = {
    **dict.fromkeys(("format", "directive", "software"), str),
    **dict.fromkeys(("accounts", "categories", "approvers"), list),
    **dict.fromkeys(("queries", "period", "sealed", "custody"), dict),
    "approved_ms": int,
}


@dataclass(frozen=True, slots=True)
class VerifiedPackage:
    """A package that keeps every rule.

    `register` is the signing vkey, `index` and `cosigned` the decision's index in the log and the
    quorum's time in Unix seconds (0 without witnesses). `pinned` and `policy_given` say whether key
    and policy were given.
    """

    directive: str
    manifest_hash: bytes
    files: int
    bytes: int
    sealed: int
    accounts: tuple[str, ...]
    register: str
    pinned: bool
    index: int
    cosigned: int
    policy_given: bool


@dataclass(slots=True)
class _Contents:
    """Sizes and hashes of all files, and the bytes of kept ones."""

    sizes: dict[str, int] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=dict)

    @property
    def payload(self) -> dict[str, str]:
        return {name: digest for name, digest in self.hashes.items() if name.startswith("data/")}


def check(
    files: Iterable[TarEntry], register: notes.VerifierKey | None, policy: Policy | None
) -> VerifiedPackage:
    """Check a package's files, each read once in the given order.

    Without `register` or `policy` the enclosed ones are used, which proves only consistency. Raises
    `VerificationError` with the first broken rule, `UnavailableError` for a package that was
    fetched before it was finished.
    """
    package = _read(files, repacked=True)
    _check_manifests(package)
    provenance = _check_provenance(package)
    directive = provenance["directive"]
    root = hashlib.sha256(package.kept[layout.TAG_MANIFEST]).digest()
    missing = [name for name in layout.FINISHING if name not in package.kept]
    if len(missing) == len(layout.FINISHING):
        raise UnavailableError(_UNFINISHED.format(directive=directive))
    if missing:
        raise VerificationError("P15", f"{missing[0]} is missing from a finished package")
    trusted = policy or parse_policy(package.kept["proof/policy.txt"])
    key = _enclosed_key(package)
    if register not in (None, key):
        raise VerificationError("P17", "the enclosed key is another than the register's")
    _check_signature(package, directive, root, key)
    index, origin, cosigned = _check_proof(package, directive, root, trusted)
    if key.name != origin + REGISTER:
        raise VerificationError("P17", "the register's key is of another log")
    return VerifiedPackage(
        directive,
        root,
        len(package.payload),
        sum(package.sizes[name] for name in package.payload),
        len(provenance["sealed"]["files"]),
        tuple(account["address"] for account in provenance["accounts"]),
        str(key),
        register is not None,
        index,
        cosigned,
        policy is not None,
    )


@dataclass(frozen=True, slots=True)
class PackageSummary:
    """A package without its signature and proof, finished or not.

    `payload` is (name, size) by name, `with_data` counts accounts that have a file.
    """

    directive: str
    manifest_hash: bytes
    accounts: tuple[str, ...]
    with_data: int
    categories: tuple[str, ...]
    payload: tuple[tuple[str, int], ...]
    sealed: int
    finished: bool

    @property
    def files(self) -> int:
        return len(self.payload)

    @property
    def payload_bytes(self) -> int:
        return sum(size for _, size in self.payload)


def summarise(files: Iterable[TarEntry]) -> PackageSummary:
    """What an officer signs for: P1 to P14 hold, as built. Raises the first broken rule."""
    package = _read(files)
    _check_manifests(package)
    provenance = _check_provenance(package)
    return PackageSummary(
        provenance["directive"],
        hashlib.sha256(package.kept[layout.TAG_MANIFEST]).digest(),
        tuple(account["address"] for account in provenance["accounts"]),
        sum(bool(account["files"]) for account in provenance["accounts"]),
        tuple(map(str, provenance["categories"])),
        tuple((name, package.sizes[name]) for name in sorted(package.payload)),
        len(provenance["sealed"]["files"]),
        all(name in package.kept for name in layout.FINISHING),
    )


def check_name(name: str) -> None:
    """Raises P2 unless the name is relative, short and plain."""
    parts = name.removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts) or _CONTROL.search(name):
        raise VerificationError("P2", f"{name[:80]!r} is not a plain relative name")
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise VerificationError("P2", f"{name[:80]!r} is not Unicode text") from None
    if size > limits.MAX_PACKAGE_NAME_BYTES:
        raise VerificationError("P2", f"{name[:80]!r}… is a name that is too long")


def _read(files: Iterable[TarEntry], *, repacked: bool = False) -> _Contents:
    package, seen, total = _Contents(), set[str](), 0
    for entry in files:
        if entry.name == "/":
            continue
        check_name(entry.name)
        if entry.name.casefold() in seen:
            raise VerificationError("P4", f"{entry.name!r} comes twice")
        seen.add(entry.name.casefold())
        if len(seen) > limits.MAX_PACKAGE_FILES:
            raise VerificationError("P5", "the package has too many files")
        if entry.name.endswith("/"):
            continue
        total += entry.size
        bound = limits.MAX_PACKAGE_TAG_BYTES if entry.name in _KEPT else limits.MAX_PACKAGE_BYTES
        if total > limits.MAX_PACKAGE_BYTES or entry.size > bound:
            raise VerificationError("P5", f"{entry.name!r} is larger than a package may be")
        if not (repacked and layout.is_finders(entry.name)):
            _read_file(package, entry)
    return package


def _read_file(package: _Contents, entry: TarEntry) -> None:
    digest, size = hashlib.sha256(), 0
    kept: list[bytes] = []
    for piece in entry.pieces:
        digest.update(piece)
        size += len(piece)
        if size > entry.size:
            raise VerificationError("P5", f"{entry.name!r} is longer than it says")
        if entry.name in _KEPT:
            kept.append(piece)
    package.sizes[entry.name], package.hashes[entry.name] = size, digest.hexdigest()
    if entry.name in _KEPT:
        package.kept[entry.name] = b"".join(kept)


def _check_manifests(package: _Contents) -> None:
    if package.kept.get("bagit.txt") != layout.BAGIT:
        raise VerificationError("P6", "bagit.txt is missing or says something else")
    listed, payload = _manifest(package, "manifest-sha256.txt"), package.payload
    for name in sorted(set(listed) ^ set(payload)):
        fault = "is missing" if name in listed else "is not in the manifest"
        raise VerificationError("P8", f"{name} {fault}")
    for name, digest in listed.items():
        if payload[name] != digest:
            raise VerificationError("P9", f"{name} was changed")
    tags = _manifest(package, layout.TAG_MANIFEST)
    if set(tags) != set(layout.TAGGED):
        raise VerificationError("P10", "the tag manifest lists other files than there must be")
    for name, digest in tags.items():
        if package.hashes.get(name) != digest:
            raise VerificationError("P10", f"{name} is missing or was changed")
    for name in sorted(set(package.hashes) - set(payload) - _KEPT):
        raise VerificationError("P11", f"{name} is not a file of a package")
    size = sum(package.sizes[name] for name in payload)
    oxum = f"Payload-Oxum: {size}.{len(payload)}"
    if oxum not in package.kept["bag-info.txt"].decode("utf-8", "replace").split("\n"):
        raise VerificationError("P12", "bag-info.txt describes another payload")


def _manifest(package: _Contents, name: str) -> dict[str, str]:
    if name not in package.kept:
        raise VerificationError("P7", f"{name} is missing")
    try:
        text = package.kept[name].decode("utf-8")
    except UnicodeDecodeError:
        raise VerificationError("P7", f"{name} is not UTF-8") from None
    listed: dict[str, str] = {}
    *lines, last = text.split("\n")
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None or match[2] in listed:
            raise VerificationError("P7", f"{name}, line {number}: no hash and name, or a second")
        listed[match[2]] = match[1]
    if last:
        raise VerificationError("P7", f"{name} does not end its last line")
    return listed


def _check_provenance(package: _Contents) -> dict[str, Any]:
    value = _json(package.kept["provenance.json"], "P13", "provenance.json")
    if set(value) != set(_PROVENANCE) or value.get("format") != layout.FORMAT:
        raise VerificationError("P13", "provenance.json has other fields than it should")
    if any(type(value[name]) is not kind for name, kind in _PROVENANCE.items()):
        raise VerificationError("P13", "a field of provenance.json is of another type")
    if not set(map(str, value["categories"])) <= set(layout.CATEGORIES):
        raise VerificationError("P13", "provenance.json names an unknown category")
    _check_accounts(package, value["accounts"])
    sealed = sorted(name for name in package.payload if name.endswith(".sealed"))
    if value["sealed"] != {"note": layout.CIPHERTEXT, "files": sealed}:
        raise VerificationError("P13", "provenance.json marks other files as ciphertext")
    _check_custody(package.kept["custody.jsonl"], value["directive"], value["custody"])
    return value


def _check_accounts(package: _Contents, accounts: list[Any]) -> None:
    """Each payload file is in the folder of a named account."""
    counted: dict[str, int] = {}
    for name in package.payload:
        folder = "/".join(name.split("/")[:2])
        counted[folder] = counted.get(folder, 0) + 1
    for account in accounts:
        if not isinstance(account, dict) or not isinstance(account.get("address"), str):
            raise VerificationError("P13", "provenance.json names a malformed account")
        if not account["address"].isascii():
            raise VerificationError("P13", "provenance.json names a malformed address")
        folder = f"data/{layout.folder_of(account['address'])}"
        files = counted.pop(folder, 0)
        if (account.get("folder"), account.get("files")) != (folder, files):
            raise VerificationError("P13", "provenance.json describes another payload")
    for folder in counted:
        raise VerificationError("P13", f"{folder} belongs to no named account")


def _check_custody(log: bytes, directive: str, custody: dict[str, Any]) -> None:
    before = layout.FIRST
    *lines, last = log.split(b"\n")
    for number, line in enumerate(lines):
        entry = _json(line, "P14", f"custody.jsonl, line {number + 1}")
        if entry.get("number") != number or entry.get("previous") != before:
            raise VerificationError("P14", f"custody.jsonl, line {number + 1} does not follow")
        if number == 0 and entry.get("step") != {"directive": directive}:
            raise VerificationError("P14", "custody.jsonl is of another directive")
        before = hashlib.sha256(line).hexdigest()
    if last or custody != {"lines": len(lines), "last": before}:
        raise VerificationError("P14", "custody.jsonl does not end as provenance.json says")


def _json(data: bytes, rule: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise VerificationError(rule, f"{name} is not JSON") from None
    if not isinstance(value, dict):
        raise VerificationError(rule, f"{name} is not a JSON object")
    return value


def _enclosed_key(package: _Contents) -> notes.VerifierKey:
    text = package.kept["proof/register.vkey"].decode("utf-8", "replace").removesuffix("\n")
    return notes.parse_vkey(text)


def _check_signature(
    package: _Contents, directive: str, root: bytes, key: notes.VerifierKey
) -> None:
    note = notes.parse_note(package.kept[layout.SIGNATURE])
    if note.text != layout.signed_text(directive, root):
        raise VerificationError("P16", "the register signed another package")
    lines = note.lines_of(key)
    if len(lines) != 1 or key.algorithm != notes.ED25519:
        raise VerificationError("P17", "the package is not signed with the register's key")
    try:
        SCHEME.verify(key.public, lines[0].signature, note.text.encode())
    except VerifyError:
        raise VerificationError("P17", "the register's signature does not hold") from None


def _check_proof(
    package: _Contents, directive: str, root: bytes, policy: Policy
) -> tuple[int, str, int]:
    """Index of the entry, origin of the log, time of the quorum in Unix seconds."""
    entry = package.kept["proof/entry"]
    proof = parse_proof(package.kept["proof/tlog-proof.txt"])
    if proof.note != package.kept["proof/checkpoint"]:
        raise VerificationError("P18", "the proof is of another checkpoint than the one enclosed")
    verified = verify_proof(proof, leaf_hash(entry), policy)
    record = entries.decode_entry(entry)
    if not isinstance(record, entries.Record) or record.kind != entries.DIRECTIVE:
        raise VerificationError("P18", "the ledger's entry is not a directive's decision")
    fields = decode_record(record.kind, record.body)
    statement = open_entry(fields["commitment"], package.kept["proof/opening"]).statement
    if (fields["case"], fields["seq"]) != (statement.case, statement.seq):
        raise VerificationError("P18", "the ledger's entry is of another decision")
    if statement.case != directive or statement.action != "produce":
        raise VerificationError("P18", "the ledger's entry does not produce this directive")
    if statement.public.get("manifest") != root:
        raise VerificationError("P18", "the ledger's entry names another tag manifest")
    return proof.index, verified.checkpoint.origin, verified.quorum_time
