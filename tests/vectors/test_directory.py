"""Commitments and maps of others: KEYTRANS (draft-ietf-keytrans-protocol-05), suite 2.

The numbers of the first two parts were computed by katie, a Go implementation of the draft's
author, at 00da52541f6a; they are in github.com/OR13/kt at 1965dfb942598 (commitment.json),
c2a6ccdfa0f54 (prefix-tree.json) and 15078c486143c (prefix-mutation.json). Those of the last part
are ours: each was computed once with `openssl`, from the bytes that stand beside it.
"""

import pytest

from blackthorn.directory.commitment import Value, commit, opening_for
from blackthorn.directory.entries import Head, Mutation
from blackthorn.directory.prefix_tree import PrefixTree
from blackthorn.directory.proof import MapProof, OtherLeaf, RequestedLeaf, Vacant, decode_map_proof
from blackthorn.tlog.merkle import leaf_hash

h = bytes.fromhex

# --- Commitments --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opening", "label", "version", "value", "commitment"),
    [
        (
            "000102030405060708090a0b0c0d0e0f", "", 0, "",
            "1ca642a2380c1d7b8b9904be90f31b4f356390a133ae079d77a4b351bc20971e",
        ),
        (
            "101112131415161718191a1b1c1d1e1f", "alice@example.com", 0,
            "6b65792d6d6174657269616c2d31",
            "d59be42d9c42be3f4f3c24870b2dcb1dafa6022f2ac64eee904e4e577257f125",
        ),
        (
            "101112131415161718191a1b1c1d1e1f", "alice@example.com", 1,
            "6b65792d6d6174657269616c2d32",
            "480bd9422e842df3ca3ff274488f393d4105a89da508df92b5a665a8d618f878",
        ),
        (
            "202122232425262728292a2b2c2d2e2f", "bob@example.com", 2**32 - 1, "6b",
            "be1782f33de56f269ee994fc11171f309ae1d934b93297c496458225a38cd7bd",
        ),
        (
            "303132333435363738393a3b3c3d3e3f", "a" * 255, 7, "76",
            "a48889712624b1746c18d783407878b1d8637b4803748b99c6d5e2ddd9c2cc55",
        ),
        (
            "404142434445464748494a4b4c4d4e4f", "carol", 3, "000100ff",
            "69ff8afbb9edd644af83a239bdb71a98557ce4b8651fb764e638ddb415078d39",
        ),
    ],
)  # fmt: skip
def test_commitments(opening, label, version, value, commitment) -> None:
    assert commit(h(opening), label, version, h(value)).hex() == commitment


# --- Maps ---------------------------------------------------------------------------------


def index(start: str, end: int) -> bytes:
    """An index that begins and ends with these bytes, with zeros between."""
    return h(start) + bytes(31 - len(start) // 2) + bytes([end])


def tree(*leaves: tuple[str, int, int]) -> PrefixTree:
    """A map of leaves, each by the ends of its index and the byte of its commitment."""
    made = PrefixTree()
    for start, end, byte in leaves:
        made = made.updated({index(start, end): bytes([byte]) * 32})
    return made


ONE = tree(("10", 1, 0xA1))
FIVE = tree(("10", 1, 0xA1), ("28", 2, 0xB2), ("88", 3, 0xC3), ("b8", 4, 0xD4), ("d8", 5, 0xE5))
"""The tree in the draft's figure."""

DEEP = tree(("00", 0x10, 0x11), ("000000000080", 0x11, 0x22), ("000008", 0x12, 0x33))
WIDE = tree(*((f"{4 * n:02x}", n, n) for n in range(64)))
TWO = tree(("00", 1, 0xA1), ("80", 4, 0xD4))
THREE = tree(("00", 1, 0xA1), ("40", 2, 0xB2), ("80", 4, 0xD4))


@pytest.mark.parametrize(
    ("made", "root"),
    [
        (PrefixTree(), "00" * 32),
        (ONE, "4538338fe0c00c52e07147f6be3267aeed9d19792624529e0fc1eddd5c9c43ca"),
        (FIVE, "bb0a41868d61177f0b22c608ee1382cbee6685aafba53395cfc67ba3ef217064"),
        (DEEP, "23a3436af3d8c9095b7812177955ef8da7aff9b76c212af42004a1e700899ae9"),
        (WIDE, "2a9187c9edc2166e2ef3887f48f33866484b80340271c351b125f963353ad044"),
        (TWO, "a0281728172889568ab22f74f10ecf1edc626c8ea87aaa8583f055574cb12057"),
        (THREE, "ffb5bd83bfea74a93ad6303a0f281926d057ba64f6f00e174642fccef52a2024"),
    ],
)
def test_roots(made, root) -> None:
    assert made.root.hex() == root


@pytest.mark.parametrize(
    ("before", "added", "root"),
    [
        (
            TWO, [("40", 2, 0xB2), ("c0", 6, 0xF6)],
            "f1c59c6bf8c2d147ce833a4993f437362fc3f702b49fd3e56ae2d3acc204c10c",
        ),
        (TWO, [("20", 5, 0xE5)],
         "a2c1cdca8d5f31b25d34f55e34d8364296883792aab7dc6a16a607e66f9923c2"),
        (THREE, [("00", 1, 0xFF)],
         "c7eb32d3a33da19b6c8863f435a7435a32dd3192441716fa99c339465ac14eca"),
    ],
)  # fmt: skip
def test_roots_after_changes(before, added, root) -> None:
    after = before
    for start, end, byte in added:
        after = after.updated({index(start, end): bytes([byte]) * 32})
    assert after.root.hex() == root


def from_the_left(proof: MapProof, searched: bytes) -> list[str]:
    """The siblings in the draft's order, which is that of the leaves."""
    path = int.from_bytes(searched, "big")
    sides: list[list[str]] = [[], []]
    for depth, sibling in enumerate(proof.siblings):
        sides[path >> (255 - depth) & 1].append(sibling.hex())
    return sides[1] + sides[0][::-1]


ZERO = "00" * 32
LEAF_10 = OtherLeaf(index("10", 1), bytes([0xA1]) * 32)


@pytest.mark.parametrize(
    ("made", "searched", "end", "elements"),
    [
        (ONE, index("10", 1), RequestedLeaf(), []),
        (ONE, index("f8", 0x7F), LEAF_10, []),
        (
            FIVE, index("88", 3), RequestedLeaf(),
            [
                "9c04d4a3efa2feb6bce95a77128cb0d678a9385d1f9de70d7da91a07842b1213",
                "543db9e12e0b6853e4c7f9a45e09dee1c28f94f25a7b691abc138fd0a89b5f61",
                "971ab802a960cfbccfe4f981748d45b14a682e4e425a071a9811a813f03656d7",
            ],
        ),
        (
            FIVE, index("18", 0x20), LEAF_10,
            [
                "32979dbb7c8c7e3d9b97b12cd22fcb1048bf64a6392498101c7a87d53d9351de",
                ZERO,
                "840fde7724baa1fb7afc57fcd6648d5c4200e74af68cc93cd67a664da0855ff4",
            ],
        ),
        (
            FIVE, index("40", 0x21), Vacant(),
            [
                "5a1c6bae0558ae049303918250e4e32dc4280f0e0a899683ff92a263c431c511",
                "840fde7724baa1fb7afc57fcd6648d5c4200e74af68cc93cd67a664da0855ff4",
            ],
        ),
        (
            DEEP, index("00000002", 0x30), Vacant(),
            [
                "fde0c6a586f5ad0a6ae6024389b3e7a4d5a7626e6a1b103136c41df7d300a3de",
                *[ZERO] * 9,
                "4c316d37b8d6909e14bb7f27db2cdf4b477004aedbdc1a8a8610361d1dcde5e0",
                *[ZERO] * 20,
            ],
        ),
        (
            WIDE, index("44", 0x11), RequestedLeaf(),
            [
                "e7fde92168d3e3e3c2059e41e5e06195a69a8e4fbaead03171a38b42536e0427",
                "e165859f0e295ef410036c66ce0bdc83edf76bffa73772393c0bfef647a22076",
                "134a35afc877e7b9517cf36039a8ec2548c8973167307b89034bc5cf492a8f70",
                "dc3fbcb73ca3d95e68aba9c9fa4fd8cb7fbd174567fad72b487bc2b8a96af29e",
                "7979da295f17dbb8fefd431e38a4d64278323d5d3effd5c9a0cb37e85ea54dec",
                "7977f115f3315fb7d1da23e0f7046ba227b314291383a228b0af5fd8a22e6610",
            ],
        ),
    ],
)  # fmt: skip
def test_proofs(made, searched, end, elements) -> None:
    proof = made.prove(searched)
    assert (proof.end, from_the_left(proof, searched)) == (end, elements)
    assert decode_map_proof(proof.encode()) == proof
    assert proof.root(searched, made.get(searched) or b"") == made.root


def test_absent_siblings_cost_a_bit_on_the_wire() -> None:
    """Two of these 31 siblings are there: 2 bytes, 31 bits, 64 bytes."""
    assert len(DEEP.prove(index("00000002", 0x30)).encode()) == 2 + 4 + 64
    assert FIVE.prove(index("40", 0x21)).encode()[:3] == bytes([3, 2, 0b11_000000])
    assert FIVE.prove(index("18", 0x20)).encode()[:3] == bytes([2, 3, 0b101_00000])


# --- Our own bytes ------------------------------------------------------------------------


def test_a_value_its_commitment_and_its_opening() -> None:
    value = Value(bytes(range(32)), 7, 1)
    assert value.encode() == bytes(range(32)) + h("00000007") + h("01")
    made = commit(bytes(range(16)), "alice@acme.example", 3, value.encode())
    assert made.hex() == "5bee4236cf2e1ae40a736c4a6f4faee6b50986a7bbc843736a6898f90ada7490"
    assert (
        opening_for(bytes(range(32)), bytes([9]) * 32, 3).hex()
        == "da0c456411ed0b194a18f290f45a72df"
    )


def test_entries_and_their_leaves_in_the_log() -> None:
    mutation = Mutation(2, bytes([0xAA]) * 32, 3, bytes([0xBB]) * 32).encode()
    assert mutation == h("01" + "0000000000000002" + "aa" * 32 + "00000003" + "bb" * 32)
    assert (
        leaf_hash(mutation).hex()
        == "83f13ecc65f44eff355a1a1a65c246636fb2f2fc8bac7abacb121c09631ddaba"
    )
    head = Head(2, 1_700_000_000_000, bytes([0xCC]) * 32, 5, 1, bytes([0xDD]) * 32).encode()
    assert head == h(
        "02" + "0000000000000002" + "0000018bcfe56800" + "cc" * 32 + "0000000000000005"
        "00000001" + "dd" * 32
    )
    assert (
        leaf_hash(head).hex() == "0ca1bb142004b7440eb5056b0fa6ac133547a1aa22b027f99288555f7db8b035"
    )
