"""The other side of the ledger's interop tests: aics-tlog and the client of aics-witness.

Runs under `.peers/ledger/bin/python`, with tests/interop/peers on its path. One JSON object a
line, each way; bytes travel as hex.
"""

from typing import Any

import aics_tlog
from aics_witness.feeder import submit_checkpoint
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from peer_lines import Request, serve


def _hashes(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


def _hex(hashes: list[bytes]) -> list[str]:
    return [digest.hex() for digest in hashes]


def _key(seed: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))


def _checkpoint(request: Request) -> dict[str, object]:
    """Verifies a note by the keys of a log and its witnesses, and their quorum."""
    result = aics_tlog.verify_checkpoint(
        aics_tlog.parse_note(bytes.fromhex(request["note"])),
        aics_tlog.parse_vkey(request["log"]),
        [aics_tlog.parse_vkey(key) for key in request["witnesses"]],
        quorum=request["quorum"],
        expected_origin=request["origin"],
    )
    if not result.ok:
        raise ValueError(result.error)
    return {"size": result.size, "root": result.root.hex(), "times": result.timestamps}


def _inclusion(request: Request) -> dict[str, object]:
    """Verifies an inclusion proof."""
    held = aics_tlog.verify_leaf_inclusion(
        bytes.fromhex(request["entry"]),
        request["index"],
        request["size"],
        _hashes(request["proof"]),
        bytes.fromhex(request["root"]),
    )
    return {"held": held}


def _consistency(request: Request) -> dict[str, object]:
    """Verifies a consistency proof."""
    held = aics_tlog.verify_consistency(
        request["old"],
        request["new"],
        bytes.fromhex(request["old_root"]),
        bytes.fromhex(request["new_root"]),
        _hashes(request["proof"]),
    )
    return {"held": held}


def _audit(request: Request) -> dict[str, object]:
    """Authenticates every tile and bundle in a folder, and makes proofs from the tiles."""
    size, root = request["size"], bytes.fromhex(request["root"])
    reader = aics_tlog.FileSystemTileReader(request["folder"])
    report = aics_tlog.audit_tiles(reader, size, root)
    verified = aics_tlog.VerifiedTileReader(reader, size, root)
    return {
        "tiles": report.tiles,
        "bundles": report.bundles,
        "entries": [verified.entry(index).hex() for index in request["indices"]],
        "inclusion": [
            _hex(aics_tlog.inclusion_proof_from_tiles(verified, index, size))
            for index in request["indices"]
        ],
        "consistency": [
            _hex(aics_tlog.consistency_proof_from_tiles(verified, old, size))
            for old in request["olds"]
        ],
    }


def _log(request: Request) -> dict[str, object]:
    """A log of theirs: keys, a cosigned note, roots, proofs and tiles of some entries."""
    entries = _hashes(request["entries"])
    origin, log, size = request["origin"], _key(request["log"]), len(entries)
    tree = aics_tlog.MerkleTree(entries)
    point = aics_tlog.Checkpoint(origin, size, tree.root())
    note = aics_tlog.sign_checkpoint(point, log, origin)
    witnesses: list[Any] = []
    lines = list(note.signatures)
    for number, seed in enumerate(request["witnesses"]):
        key, name = _key(seed), f"witness.example/{number}"
        time = request["time"] + number
        lines.append(aics_tlog.sign_cosignature(key, name, time, origin, size, tree.root())[1])
        witnesses.append(aics_tlog.format_vkey(aics_tlog.cosignature_vkey(name, key.public_key())))
    vkey = aics_tlog.vkey_from_ed25519(origin, log.public_key())
    return {
        "vkey": aics_tlog.format_vkey(vkey),
        "witnesses": witnesses,
        "note": aics_tlog.Note(note.text, tuple(lines)).to_bytes().hex(),
        "roots": _hex([tree.root(part) for part in range(size + 1)]),
        "inclusion": [_hex(tree.inclusion_proof(index)) for index in range(size)],
        "consistency": [_hex(tree.consistency_proof(old)) for old in range(size + 1)],
        "tiles": {
            path: data.hex() for path, data in aics_tlog.TileWriter(entries).materialise().items()
        },
    }


def _submit(request: Request) -> dict[str, object]:
    """Has a checkpoint cosigned by the witness at an address, as their log would."""
    proofs = {int(old): _hashes(proof) for old, proof in request["proofs"].items()}
    lines = submit_checkpoint(
        request["url"],
        bytes.fromhex(request["note"]),
        lambda old, new: proofs[old],
        witness_vkey=request["vkey"],
        old_size=request["old"],
        max_attempts=1,
    )
    return {"lines": lines}


serve(
    {
        "checkpoint": _checkpoint,
        "inclusion": _inclusion,
        "consistency": _consistency,
        "audit": _audit,
        "log": _log,
        "submit": _submit,
    }
)
