"""RFC 9420's vectors for crypto-basics, tree-math, deserialization, psk_secret, key-schedule,
secret-tree and transcript-hashes."""

from collections.abc import Callable
from typing import Any

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codec import decode
from blackthorn.mls.framing import protection
from blackthorn.mls.framing.framing import read_authenticated_content
from blackthorn.mls.framing.group_context import GroupContext
from blackthorn.mls.schedule import key_schedule, transcript
from blackthorn.mls.schedule.psk import ExternalPskId
from blackthorn.mls.schedule.secret_tree import APPLICATION, HANDSHAKE, SecretTree
from blackthorn.mls.tree import treemath
from blackthorn.wire.tls import Reader, varint
from tests.vectors.mls_cases import h, supported

Load = Callable[[str], list[Any]]


def test_crypto_basics(vectors: Load) -> None:
    for suite, case in supported(vectors("crypto-basics")):
        v = case["ref_hash"]
        assert suite.ref_hash(v["label"].encode(), h(v["value"])) == h(v["out"])
        v = case["expand_with_label"]
        label, context = v["label"].encode(), h(v["context"])
        out = suite.expand_with_label(h(v["secret"]), label, context, v["length"])
        assert out == h(v["out"])
        v = case["derive_secret"]
        assert suite.derive_secret(h(v["secret"]), v["label"].encode()) == h(v["out"])
        v = case["derive_tree_secret"]
        out = suite.derive_tree_secret(
            h(v["secret"]), v["label"].encode(), v["generation"], v["length"]
        )
        assert out == h(v["out"])
        v = case["sign_with_label"]
        label, content = v["label"].encode(), h(v["content"])
        suite.verify_with_label(h(v["pub"]), label, content, h(v["signature"]))
        signature = suite.sign_with_label(Secret(h(v["priv"])), label, content)
        suite.verify_with_label(h(v["pub"]), label, content, signature)
        v = case["encrypt_with_label"]
        label, context = v["label"].encode(), h(v["context"])
        private = Secret(h(v["priv"]))
        sealed = (h(v["kem_output"]), h(v["ciphertext"]))
        assert suite.decrypt_with_label(private, label, context, sealed) == h(v["plaintext"])
        sealed = suite.sealer_with_label(label, context)(h(v["pub"]), h(v["plaintext"]))
        assert suite.decrypt_with_label(private, label, context, sealed) == h(v["plaintext"])


def test_tree_math(vectors: Load) -> None:
    for case in vectors("tree-math"):
        leaves = case["n_leaves"]
        root = treemath.root(leaves)
        assert treemath.node_width(leaves) == case["n_nodes"]
        assert root == case["root"]
        for node in range(case["n_nodes"]):
            is_leaf, is_root = not node & 1, node == root
            assert case["left"][node] == (None if is_leaf else treemath.left(node))
            assert case["right"][node] == (None if is_leaf else treemath.right(node))
            assert case["parent"][node] == (None if is_root else treemath.parent(node))
            assert case["sibling"][node] == (None if is_root else treemath.sibling(node))


def test_deserialization(vectors: Load) -> None:
    for case in vectors("deserialization"):
        header = h(case["vlbytes_header"])
        assert Reader(header).varint() == case["length"]
        assert varint(case["length"]) == header


def test_psk_secret(vectors: Load) -> None:
    for suite, case in supported(vectors("psk_secret")):
        psks = [
            (ExternalPskId(h(v["psk_id"]), h(v["psk_nonce"])), Secret(h(v["psk"])))
            for v in case["psks"]
        ]
        assert key_schedule.psk_secret(suite, psks).expose() == h(case["psk_secret"])


def test_key_schedule(vectors: Load) -> None:
    names = {
        "init_secret": "init",
        "sender_data_secret": "sender_data",
        "encryption_secret": "encryption",
        "exporter_secret": "exporter",
        "external_secret": "external",
        "confirmation_key": "confirmation_key",
        "membership_key": "membership_key",
        "resumption_psk": "resumption_psk",
        "epoch_authenticator": "epoch_authenticator",
    }
    for suite, case in supported(vectors("key-schedule")):
        init = Secret(h(case["initial_init_secret"]))
        for number, epoch in enumerate(case["epochs"]):
            context = GroupContext(
                suite.number,
                h(case["group_id"]),
                number,
                h(epoch["tree_hash"]),
                h(epoch["confirmed_transcript_hash"]),
            ).encoded
            assert context == h(epoch["group_context"])
            commit, psk = Secret(h(epoch["commit_secret"])), Secret(h(epoch["psk_secret"]))
            joiner = key_schedule.joiner_secret(suite, init, commit, context)
            assert joiner.expose() == h(epoch["joiner_secret"])
            welcome = key_schedule.welcome_secret(suite, joiner, psk)
            assert welcome.expose() == h(epoch["welcome_secret"])
            secrets = key_schedule.epoch_secrets(suite, joiner, psk, context)
            for name, attribute in names.items():
                assert getattr(secrets, attribute).expose() == h(epoch[name]), name
            assert key_schedule.external_public_key(suite, secrets) == h(epoch["external_pub"])
            v = epoch["exporter"]
            exported = key_schedule.export(
                suite, secrets, v["label"].encode(), h(v["context"]), v["length"]
            )
            assert exported == h(v["secret"])
            init = secrets.init


def test_secret_tree(vectors: Load) -> None:
    for suite, case in supported(vectors("secret-tree")):
        v = case["sender_data"]
        key, nonce = protection.sender_data_key(
            suite, Secret(h(v["sender_data_secret"])), h(v["ciphertext"])
        )
        assert (key, nonce) == (h(v["key"]), h(v["nonce"]))
        encryption = Secret(h(case["encryption_secret"]))
        tree = SecretTree.of_epoch(suite, len(case["leaves"]), encryption)
        for leaf, generations in enumerate(case["leaves"]):
            for v in generations:
                for kind, name in ((HANDSHAKE, "handshake"), (APPLICATION, "application")):
                    use = tree.prepare(leaf, kind, v["generation"])
                    assert use.key == h(v[f"{name}_key"])
                    assert use.nonce == h(v[f"{name}_nonce"])
                    use.consume()


def test_transcript_hashes(vectors: Load) -> None:
    for suite, case in supported(vectors("transcript-hashes")):
        authenticated = decode(
            read_authenticated_content, h(case["authenticated_content"]), "content"
        )
        assert authenticated.encoded == h(case["authenticated_content"])
        confirmed = transcript.confirmed_transcript_hash(
            suite,
            h(case["interim_transcript_hash_before"]),
            authenticated.wire_format,
            authenticated.content.encoded,
            authenticated.signature,
        )
        assert confirmed == h(case["confirmed_transcript_hash_after"])
        tag = transcript.confirmation_tag(suite, h(case["confirmation_key"]), confirmed)
        assert tag == authenticated.confirmation_tag
        interim = transcript.interim_transcript_hash(suite, confirmed, tag)
        assert interim == h(case["interim_transcript_hash_after"])
