"""Builds the production package of a directive: a deterministic BagIt bag (RFC 8493) in a tar file.

    build     everything before the end: officers sign the hash of its tag manifest
    finish    the signature and the ledger's proof of that hash; no manifest lists them

`ProductionCase` has no field for more than the named accounts, categories and period. Rows are read
twice, for hashes and for bytes, and never held in memory together.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Protocol

from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519
from blackthorn.errors import ConflictError, InputError, LimitError
from blackthorn.governance import limits
from blackthorn.governance.package import layout, letters
from blackthorn.governance.package.tar import END, header, padding
from blackthorn.wire import note as notes

REGISTER: Final = "/register"
"""The register's key is named after the log, with this behind it."""

Rows = dict[str, list[dict[str, Any]]]
"""Table → its rows, column → value. A value is a text, a number, bytes or None."""


@dataclass(frozen=True, slots=True)
class ProductionCase:
    """The decided production. Times in Unix milliseconds; `to_ms` 0 for no end.

    `steps` is the case so far, for the custody log: dicts of texts, whole numbers, bytes and lists
    of these. `software` names the program.
    """

    id: str
    accounts: tuple[str, ...]
    categories: tuple[str, ...]
    from_ms: int
    to_ms: int
    approved_ms: int
    approvers: tuple[str, ...]
    steps: tuple[dict[str, Any], ...]
    software: str


@dataclass(frozen=True, slots=True)
class SealedItem:
    """A sealed item: the number of its file, its place, its row's other columns."""

    number: int
    place: tuple[int, ...]
    facts: dict[str, Any]


class ProductionRows(Protocol):
    """The server's rows of an account. Repeated reads are equal unless a row changed."""

    def exists(self, address: str) -> bool:
        """Whether the account exists."""

    def tables(self, address: str, category: str) -> Rows:
        """Rows of a category other than sealed bytes."""

    def sealed(self, address: str, category: str, from_ms: int, to_ms: int) -> Iterator[SealedItem]:
        """Sealed items of a category by number, within the period."""

    def pieces(self, category: str, place: tuple[int, ...]) -> Iterator[bytes]:
        """Sealed bytes, at most 8 MiB at a time. Raises StorageError if they are gone."""


@dataclass(frozen=True, slots=True)
class BuiltPackage:
    """`manifest_hash` is SHA-256 of the tag manifest, `end` the offset of the tar's end marker.

    `items` counts payload files, `accounts_with_data` accounts that have one.
    """

    manifest_hash: bytes
    items: int
    accounts_with_data: int
    end: int


@dataclass(frozen=True, slots=True)
class LedgerProof:
    """The files below proof/: the ledger's proof of the decision."""

    tlog_proof: bytes
    checkpoint: bytes
    policy: bytes
    entry: bytes
    opening: bytes


@dataclass(slots=True)
class _File:
    """A file: its bytes or their reader, with size and hash of the first pass."""

    size: int
    sha256: str
    data: bytes | None = None
    read: Callable[[], Iterator[bytes]] | None = None


@dataclass(slots=True)
class _Payload:
    files: dict[str, _File] = field(default_factory=dict)
    sealed: list[str] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, data: bytes) -> None:
        self.put(name, _of(data))

    def put(self, name: str, file: _File) -> None:
        if len(self.files) >= limits.MAX_PACKAGE_FILES - 32:
            raise LimitError("the package has too many files: produce a shorter period at a time")
        self.files[name] = file


def build(case: ProductionCase, rows: ProductionRows, out: Callable[[bytes], None]) -> BuiltPackage:
    """Write the package to `out` with an end marker, which `finish` replaces.

    Raises InputError for missing accounts or unknown categories, LimitError for too much data,
    ConflictError when a row changed meanwhile.
    """
    _check_case(case)
    payload = _Payload()
    for address in sorted(set(case.accounts)):
        _account(case, address, rows, payload)
    files = dict(payload.files)
    for name, data in _tags(case, payload).items():
        files[name] = _of(data)
    if sum(file.size for file in files.values()) > limits.MAX_PACKAGE_BYTES:
        raise LimitError("the package is too large: produce a shorter period at a time")
    seconds = case.approved_ms // 1000
    top = header(f"{case.id}/data/", 0, seconds)
    out(top)
    end = len(top)
    for name in sorted(files):
        end += _write(f"{case.id}/{name}", files[name], seconds, out)
    out(END)
    with_data = sum(bool(account["files"]) for account in payload.accounts)
    digest = bytes.fromhex(files[layout.TAG_MANIFEST].sha256)
    return BuiltPackage(digest, len(payload.files), with_data, end)


def finish(case: ProductionCase, signature: bytes, vkey: str, proof: LedgerProof) -> bytes:
    """The tar file from `BuiltPackage.end` on: proof, signature, end marker."""
    data = {
        "proof/checkpoint": proof.checkpoint,
        "proof/entry": proof.entry,
        "proof/opening": proof.opening,
        "proof/policy.txt": proof.policy,
        "proof/register.vkey": vkey.encode() + b"\n",
        "proof/tlog-proof.txt": proof.tlog_proof,
        layout.SIGNATURE: signature,
    }
    tail: list[bytes] = []
    for name in layout.FINISHING:
        _write(f"{case.id}/{name}", _of(data[name]), case.approved_ms // 1000, tail.append)
    return b"".join((*tail, END))


def register_key(origin: str, seed: Secret) -> notes.VerifierKey:
    """The register's public key, for a log of this origin; `seed` has 32 bytes."""
    return notes.VerifierKey(origin + REGISTER, notes.ED25519, ED25519.public_key(seed))


def sign(origin: str, seed: Secret, directive: str, manifest_hash: bytes) -> bytes:
    """signature.txt: a signed note over directive and tag manifest."""
    return sign_text(origin, seed, layout.signed_text(directive, manifest_hash))


def sign_text(origin: str, seed: Secret, text: str) -> bytes:
    """The register's note over the text."""
    key = register_key(origin, seed)
    line = notes.SignatureLine(key.name, key.key_id, ED25519.sign(seed, text.encode()))
    return notes.format_note(notes.Note(text, (line,)))


def _check_case(case: ProductionCase) -> None:
    if not 1 <= len(set(case.accounts)) <= limits.MAX_DIRECTIVE_ACCOUNTS:
        most = limits.MAX_DIRECTIVE_ACCOUNTS
        raise InputError(f"a package needs 1 to {most} named accounts")
    if not case.categories or not set(case.categories) <= set(layout.CATEGORIES):
        raise InputError("a package needs at least one known category")


def _account(case: ProductionCase, address: str, rows: ProductionRows, payload: _Payload) -> None:
    folder, before = f"data/{layout.folder_of(address)}", len(payload.files)
    exists = rows.exists(address)
    for category in layout.CATEGORIES if exists else ():
        if category not in case.categories:
            continue
        if category in layout.SEALED_FOLDERS:
            _sealed(case, address, category, rows, payload)
        else:
            _document(address, category, rows, payload)
    files = len(payload.files) - before
    account = {"address": address, "exists": exists, "folder": folder, "files": files}
    payload.accounts.append(account)


def _document(address: str, category: str, rows: ProductionRows, payload: _Payload) -> None:
    folder = f"data/{layout.folder_of(address)}"
    tables = rows.tables(address, category)
    for row in tables.get("chain_statement", ()):
        name = f"chain/{row['seq']}.statement"
        payload.add(f"{folder}/{name}", row.pop("statement"))
        row["file"] = name
    if any(tables.values()):
        value = {"account": address, "category": category, "tables": tables}
        payload.add(f"{folder}/{layout.DOCUMENTS[category]}", layout.document(value))


def _sealed(
    case: ProductionCase, address: str, category: str, rows: ProductionRows, payload: _Payload
) -> None:
    folder = f"data/{layout.folder_of(address)}/{layout.SEALED_FOLDERS[category]}"
    index: list[dict[str, Any]] = []
    for item in rows.sealed(address, category, case.from_ms, case.to_ms):
        name = f"{item.number}.sealed"
        file = _measured(partial(rows.pieces, category, item.place))
        payload.put(f"{folder}/{name}", file)
        payload.sealed.append(f"{folder}/{name}")
        index.append({**item.facts, "file": name, "size": file.size})
    if index:
        value = {"account": address, "category": category, "note": layout.CIPHERTEXT}
        payload.add(f"{folder}/index.json", layout.document({**value, "items": index}))


def _of(data: bytes) -> _File:
    return _File(len(data), hashlib.sha256(data).hexdigest(), data)


def _measured(read: Callable[[], Iterator[bytes]]) -> _File:
    digest, size = hashlib.sha256(), 0
    for piece in read():
        digest.update(piece)
        size += len(piece)
    return _File(size, digest.hexdigest(), read=read)


def _tags(case: ProductionCase, payload: _Payload) -> dict[str, bytes]:
    log = layout.custody(case.id, case.steps)
    hashes = {name: file.sha256 for name, file in payload.files.items()}
    size = sum(file.size for file in payload.files.values())
    tags = {
        "README.txt": letters.readme(case.id, case.accounts, case.categories).encode(),
        "bag-info.txt": _info(case, size, len(payload.files)),
        "bagit.txt": layout.BAGIT,
        "custody.jsonl": log,
        "manifest-sha256.txt": layout.manifest(hashes),
        "provenance.json": layout.document(_provenance(case, payload, log)),
        "verify.py": letters.SCRIPT,
    }
    if any(len(data) > limits.MAX_PACKAGE_TAG_BYTES for data in tags.values()):
        raise LimitError("the package lists too many files: produce a shorter period at a time")
    listed = {name: hashlib.sha256(data).hexdigest() for name, data in tags.items()}
    return {**tags, layout.TAG_MANIFEST: layout.manifest(listed)}


def _info(case: ProductionCase, size: int, files: int) -> bytes:
    day = datetime.fromtimestamp(case.approved_ms / 1000, UTC).date().isoformat()
    return (
        f"Bag-Software-Agent: {case.software}\nBagging-Date: {day}\n"
        f"External-Identifier: {case.id}\nPayload-Oxum: {size}.{files}\n"
    ).encode()


def _provenance(case: ProductionCase, payload: _Payload, log: bytes) -> dict[str, Any]:
    categories = [name for name in layout.CATEGORIES if name in case.categories]
    return {
        "format": layout.FORMAT,
        "directive": case.id,
        "accounts": payload.accounts,
        "categories": categories,
        "queries": {name: layout.QUERIES[name] for name in categories},
        "period": {
            "from_ms": case.from_ms,
            "to_ms": case.to_ms or None,
            "applies_to": [name for name in categories if name == layout.SEALED_MAIL],
        },
        "approved_ms": case.approved_ms,
        "approvers": list(case.approvers),
        "software": case.software,
        "sealed": {"note": layout.CIPHERTEXT, "files": sorted(payload.sealed)},
        "custody": {"lines": len(case.steps) + 1, "last": layout.last_custody(log)},
    }


def _write(name: str, file: _File, seconds: int, out: Callable[[bytes], None]) -> int:
    block, filling = header(name, file.size, seconds), padding(file.size)
    out(block)
    if file.data is not None:
        out(file.data)
    elif file.read is not None:
        _copy(name, file, file.read(), out)
    out(filling)
    return len(block) + file.size + len(filling)


def _copy(name: str, file: _File, pieces: Iterator[bytes], out: Callable[[bytes], None]) -> None:
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
        out(piece)
    if size != file.size or digest.hexdigest() != file.sha256:
        raise ConflictError(f"{name} changed while the package was made: make it again")
