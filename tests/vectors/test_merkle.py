"""Merkle trees of others: the example of RFC 9162, 2.1.5, and the reference tree of CT libraries.

The reference tree has eight leaves, with which every implementation of RFC 6962 is tested; its
roots and proofs here are those of transparency-dev/merkle.
"""

import base64

import pytest

from blackthorn.tlog.merkle import MerkleLog, leaf_hash, node_hash
from blackthorn.tlog.verify import verify_consistency, verify_inclusion

SEVEN = [b"d0", b"d1", b"d2", b"d3", b"d4", b"d5", b"d6"]
"""RFC 9162 names its leaves and gives no bytes."""

a, b, c, d, e, f, j = (leaf_hash(entry) for entry in SEVEN)
g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
k, l = node_hash(g, h), node_hash(i, j)  # noqa: E741 - the letters are the RFC's
TREE = MerkleLog(SEVEN)

EIGHT = [
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
REFERENCE = MerkleLog(EIGHT)
INCLUSION = [
    (
        0,
        8,
        "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c= Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4= "
        "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=",
    ),
    (
        5,
        8,
        "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms= yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA= "
        "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
    ),
    (2, 3, "+sVCA+fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU="),
    (
        1,
        5,
        "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0= Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4= "
        "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
    ),
]
CONSISTENCY = [
    (
        1,
        8,
        "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c= Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4= "
        "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=",
    ),
    (
        6,
        8,
        "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o= yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA= "
        "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
    ),
    (
        2,
        5,
        "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4= vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
    ),
    (
        6,
        7,
        "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o= sIaT7C5yFZcTBkHoIR5+7cy0wmQTlj7ubB4u0W/7Gl8= "
        "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
    ),
]


def hashes(text: str) -> list[bytes]:
    """The hashes of a proof in base64."""
    return [base64.b64decode(word) for word in text.split()]


def test_the_seven_leaves_of_the_rfc() -> None:
    assert TREE.root() == node_hash(k, l)
    assert TREE.root(3) == node_hash(g, c)
    assert TREE.root(4) == k
    assert TREE.root(6) == node_hash(k, i)


@pytest.mark.parametrize(
    ("index", "path"), [(0, [b, h, l]), (3, [c, g, l]), (4, [f, j, k]), (6, [i, k])]
)
def test_the_inclusion_proofs_of_the_rfc(index: int, path: list[bytes]) -> None:
    assert TREE.inclusion_proof(index) == path
    verify_inclusion(leaf_hash(SEVEN[index]), index, 7, path, TREE.root())


@pytest.mark.parametrize(("old", "path"), [(3, [c, d, g, l]), (4, [l]), (6, [i, j, k])])
def test_the_consistency_proofs_of_the_rfc(old: int, path: list[bytes]) -> None:
    assert TREE.consistency_proof(old) == path
    verify_consistency(old, TREE.root(old), 7, TREE.root(), path)


def test_the_roots_of_the_reference_tree() -> None:
    assert [REFERENCE.root(size).hex() for size in range(9)] == ROOTS


@pytest.mark.parametrize(("index", "size", "proof"), INCLUSION)
def test_the_inclusion_proofs_of_the_reference_tree(index: int, size: int, proof: str) -> None:
    root = bytes.fromhex(ROOTS[size])
    assert REFERENCE.inclusion_proof(index, size) == hashes(proof)
    verify_inclusion(leaf_hash(EIGHT[index]), index, size, hashes(proof), root)


@pytest.mark.parametrize(("old", "new", "proof"), CONSISTENCY)
def test_the_consistency_proofs_of_the_reference_tree(old: int, new: int, proof: str) -> None:
    roots = bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[new])
    assert REFERENCE.consistency_proof(old, new) == hashes(proof)
    verify_consistency(old, roots[0], new, roots[1], hashes(proof))
