"""RFC 9420's vectors for tree-validation, tree-operations and treekem."""

import random
from collections.abc import Callable
from typing import Any

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codec import decode
from blackthorn.mls.framing.group_context import GroupContext
from blackthorn.mls.framing.proposals import Add, Remove, Update, read_proposal
from blackthorn.mls.suites import CipherSuite
from blackthorn.mls.tree import treekem
from blackthorn.mls.tree.ratchet_tree import RatchetTree, read_ratchet_tree
from blackthorn.mls.tree.tree_hash import root_hash, tree_hash
from blackthorn.mls.tree.tree_validation import check_tree
from blackthorn.mls.tree.treekem import DecryptedPath
from blackthorn.mls.tree.update_path import UpdatePath, read_update_path
from tests.vectors.mls_cases import h, supported

Load = Callable[[str], list[Any]]


def read_tree(text: str) -> RatchetTree:
    return decode(read_ratchet_tree, h(text), "tree")


def test_tree_validation(vectors: Load) -> None:
    for suite, case in supported(vectors("tree-validation")):
        tree = read_tree(case["tree"])
        assert tree.encode() == h(case["tree"])
        for node, resolution in enumerate(case["resolutions"]):
            assert tree.resolution(node) == resolution
        for node, expected in enumerate(case["tree_hashes"]):
            assert tree_hash(suite, tree, node) == h(expected)
        check_tree(suite, tree, h(case["group_id"]))


def test_tree_operations(vectors: Load) -> None:
    for suite, case in supported(vectors("tree-operations")):
        tree = read_tree(case["tree_before"])
        assert root_hash(suite, tree) == h(case["tree_hash_before"])
        before = tree.copy()
        proposal = decode(read_proposal, h(case["proposal"]), "proposal")
        if isinstance(proposal, Add):
            tree.add_leaf(proposal.package.leaf)
        elif isinstance(proposal, Remove):
            tree.remove_leaf(proposal.removed)
        else:
            assert isinstance(proposal, Update)
            tree.update_leaf(case["proposal_sender"], proposal.leaf)
        assert tree.encode() == h(case["tree_after"])
        assert root_hash(suite, tree) == h(case["tree_hash_after"])
        assert before.encode() == h(case["tree_before"])


def private_keys(suite: CipherSuite, leaf: Any, tree: RatchetTree) -> dict[int, Secret]:
    keys = {2 * leaf["index"]: Secret(h(leaf["encryption_priv"]))}
    for entry in leaf["path_secrets"]:
        keys[entry["node"]], _ = treekem.derive_node(suite, h(entry["path_secret"]))
    for node, private in keys.items():
        found = tree.nodes[node]
        assert found is not None
        suite.hpke.check_key_pair(private, found.encryption_key)
    return keys


def context_of(suite: CipherSuite, case: Any, tree: RatchetTree) -> bytes:
    return GroupContext(
        suite.number,
        h(case["group_id"]),
        case["epoch"],
        root_hash(suite, tree),
        h(case["confirmed_transcript_hash"]),
    ).encoded


def receive(
    suite: CipherSuite, case: Any, sender: int, path: UpdatePath, keys: dict[int, dict[int, Secret]]
) -> tuple[RatchetTree, dict[int, DecryptedPath]]:
    """The tree after a path, and what each other member took from it."""
    tree = read_tree(case["ratchet_tree"])
    path.leaf.verify(suite, h(case["group_id"]), sender)
    steps = treekem.apply_path(suite, tree, sender, path)
    context = context_of(suite, case, tree)
    taken = {
        index: treekem.open_path(suite, steps, path, index, own, context, ())
        for index, own in keys.items()
        if index != sender
    }
    return tree, taken


def test_treekem(vectors: Load) -> None:
    seeded = random.Random(9420)
    for suite, case in supported(vectors("treekem")):
        tree = read_tree(case["ratchet_tree"])
        keys = {v["index"]: private_keys(suite, v, tree) for v in case["leaves_private"]}
        signers = {v["index"]: Secret(h(v["signature_priv"])) for v in case["leaves_private"]}
        for v in case["update_paths"]:
            path = decode(read_update_path, h(v["update_path"]), "path")
            after, taken = receive(suite, case, v["sender"], path, keys)
            assert root_hash(suite, after) == h(v["tree_hash_after"])
            for index, each in taken.items():
                assert each.commit_secret.expose() == h(v["commit_secret"])
                secret = h(v["path_secrets"][index])
                private, _ = treekem.derive_node(suite, secret)
                assert private in each.private_keys.values()
            # And a path of our own making, which every other member must be able to follow.
            ours = tree.copy()
            made = treekem.create_path(
                suite,
                ours,
                v["sender"],
                h(case["group_id"]),
                signers[v["sender"]],
                seeded.randbytes,
            )
            sealed = treekem.seal_path(suite, ours, made, context_of(suite, case, ours), ())
            after, taken = receive(suite, case, v["sender"], sealed, keys)
            assert root_hash(suite, after) == root_hash(suite, ours)
            assert all(each.commit_secret == made.commit_secret for each in taken.values())
