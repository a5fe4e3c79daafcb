"""A case with two accounts, its package made whole, and ways to forge one."""

import hashlib
import json
import random
from collections.abc import Iterator
from typing import Any

from blackthorn.crypto.secret import Secret
from blackthorn.directory import entries
from blackthorn.directory.entries import Record
from blackthorn.governance import register
from blackthorn.governance.package import build as bag
from blackthorn.governance.package import layout
from blackthorn.governance.package.build import LedgerProof, ProductionCase, Rows, SealedItem
from blackthorn.governance.package.tar import END, TarEntry, header, padding, read_tar
from blackthorn.governance.statements import Signed, Statement
from blackthorn.tlog.checkpoint import Checkpoint, LogSigner
from blackthorn.tlog.merkle import MerkleLog
from blackthorn.tlog.policy import NO_QUORUM, Policy, PolicyLog, format_policy
from blackthorn.tlog.proof import LogProof, format_proof

ORIGIN = "ledger.acme.example"
SEED = Secret(bytes(range(32)))
LOG = LogSigner(ORIGIN, Secret(b"\x05" * 32))
POLICY = Policy((PolicyLog(LOG.vkey),), (), (), NO_QUORUM)
REGISTER = bag.register_key(ORIGIN, SEED)
ALICE, BOB, NOBODY = "alice@acme.example", "b/o=b@acme.example", "nobody@acme.example"
APPROVED_MS = 1_437_730_000_000
CASE = ProductionCase(
    "D-000002",
    (ALICE, BOB, NOBODY),
    layout.CATEGORIES,
    1_000,
    3_000,
    APPROVED_MS,
    ("O-11111111", "O-22222222"),
    ({"action": "receive", "document": b"\x01\x02"}, {"action": "approve", "at_ms": 7}),
    "blackthorn 0.1.0",
)


class MemoryRows:
    """Rows of ALICE and BOB in memory; `mails` are account → uid → (time, bytes)."""

    def __init__(self) -> None:
        source = random.Random(4)
        self.mails = {
            ALICE: {uid: (uid * 500, source.randbytes(100 * uid)) for uid in range(1, 12)},
            BOB: {},
        }
        self.parcels = {ALICE: {7: b"p" * 40}, BOB: {7: b"q" * 3}}

    def exists(self, address: str) -> bool:
        return address in self.mails

    def tables(self, address: str, category: str) -> Rows:
        if category == layout.IDENTITY_CHAIN and address == ALICE:
            return {"chain_statement": [{"seq": 1, "statement": b"first", "place": None}]}
        if category == layout.ACCOUNT_FACTS:
            return {"users": [{"address": address, "pin": "0000CAFE"}]}
        return {"ledger_leaf": []}

    def sealed(self, address: str, category: str, from_ms: int, to_ms: int) -> Iterator[SealedItem]:
        accounts = sorted(self.mails)
        if category == layout.SEALED_MAIL:
            for uid, (at, _) in self.mails[address].items():
                if from_ms <= at <= to_ms:
                    yield SealedItem(uid, (accounts.index(address), uid), {"uid": uid})
        else:
            for seq in self.parcels[address]:
                yield SealedItem(seq, (accounts.index(address), seq), {"seq": seq})

    def pieces(self, category: str, place: tuple[int, ...]) -> Iterator[bytes]:
        address = sorted(self.mails)[place[0]]
        if category == layout.SEALED_MAIL:
            yield self.mails[address][place[1]][1]
        else:
            yield self.parcels[address][place[1]]


def build(case: ProductionCase = CASE, rows: Any = None) -> tuple[bytes, bag.BuiltPackage]:
    pieces: list[bytes] = []
    built = bag.build(case, rows or MemoryRows(), pieces.append)
    return b"".join(pieces), built


def prove(
    directive: str, manifest_hash: bytes, action: str = "produce", kind: int = entries.DIRECTIVE
) -> LedgerProof:
    """The proof of a log whose second entry is that decision."""
    statement = Statement(directive, 5, bytes(32), action, {"manifest": manifest_hash})
    opening = bytes(32) + Signed(statement, ()).encode()
    _, body = register.entry(directive, 5, opening, sealed=True)
    entry = Record(kind, 3, body).encode()
    log = MerkleLog([b"other", entry, b"more"])
    note = LOG.sign(Checkpoint(ORIGIN, 3, log.root()))
    proof = format_proof(LogProof(1, tuple(log.inclusion_proof(1)), note))
    return LedgerProof(proof, note, format_policy(POLICY).encode(), entry, opening)


def whole(case: ProductionCase = CASE) -> bytes:
    data, built = build(case)
    signature = bag.sign(ORIGIN, SEED, case.id, built.manifest_hash)
    tail = bag.finish(case, signature, str(REGISTER), prove(case.id, built.manifest_hash))
    return data[: built.end] + tail


def reader(data: bytes) -> Any:
    """How a tar file is read: `read(size)`."""
    place = 0

    def read(size: int) -> bytes:
        nonlocal place
        piece = data[place : place + size]
        place += len(piece)
        return piece

    return read


def files_of(data: bytes) -> dict[str, bytes]:
    return {
        each.name: b"".join(each.pieces)
        for each in read_tar(reader(data))
        if not each.name.endswith("/")
    }


def found(files: dict[str, bytes]) -> list[TarEntry]:
    return [TarEntry(name, len(data), iter((data,))) for name, data in files.items()]


def tar_of(files: dict[str, bytes], top: str = "D-000002/") -> bytes:
    """A tar file with these names, whatever they are."""
    return b"".join(entry(top + name, data) for name, data in files.items()) + END


def entry(name: str, data: bytes) -> bytes:
    return header(name, len(data), 0) + data + padding(len(data))


def relist(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same with manifests, signature and proof that fit, as one with all keys could make."""
    payload = {name: each for name, each in files.items() if name.startswith("data/")}
    size = sum(map(len, payload.values()))
    files = dict(files)
    files["manifest-sha256.txt"] = layout.manifest(hashes(payload))
    info = files["bag-info.txt"].decode().rpartition("Payload-Oxum")[0]
    files["bag-info.txt"] = f"{info}Payload-Oxum: {size}.{len(payload)}\n".encode()
    return resign(files)


def resign(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same with a tag manifest, a signature and a proof that fit."""
    tags = {name: files[name] for name in layout.TAGGED}
    files = {**files, layout.TAG_MANIFEST: layout.manifest(hashes(tags))}
    digest = hashlib.sha256(files[layout.TAG_MANIFEST]).digest()
    directive = json.loads(files["provenance.json"])["directive"]
    files[layout.SIGNATURE] = bag.sign(ORIGIN, SEED, directive, digest)
    return with_proof(files, prove(directive, digest))


def with_proof(files: dict[str, bytes], proof: LedgerProof) -> dict[str, bytes]:
    return {
        **files,
        "proof/tlog-proof.txt": proof.tlog_proof,
        "proof/checkpoint": proof.checkpoint,
        "proof/entry": proof.entry,
        "proof/opening": proof.opening,
    }


def hashes(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
