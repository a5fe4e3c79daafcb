"""rfc9420 (PyPI) timed in the steps of bench/mls_ours.py, as far as it can do them.

rfc9420 1.3.0 does not sign the leaf of its own update path, so that not even itself processes
its update Commits: `process` has no figure, and messages are timed in the epoch before. It
takes no part in the interoperation tests.
"""

import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from peer_bench import CONTENT, main, timed
from rfc9420 import (
    DefaultCryptoProvider,
    DefaultRandProvider,
    ProtocolMLSGroup,
    Sender,
    SenderType,
)
from rfc9420.extensions.extensions import build_capabilities_data
from rfc9420.messages.data_structures import CipherSuite, Credential, Signature, Welcome
from rfc9420.messages.key_packages import KeyPackage, LeafNode
from rfc9420.messages.messages import MLSCiphertext

crypto = DefaultCryptoProvider(suite_id=1)
SUITE = crypto.active_ciphersuite


class Device:
    """Somebody with a key package."""

    def __init__(self, name: bytes) -> None:
        keys = (
            X25519PrivateKey.generate(),
            X25519PrivateKey.generate(),
            Ed25519PrivateKey.generate(),
        )
        self.init, self.leaf, self.signer = (key.private_bytes_raw() for key in keys)
        init, leaf, signer = (key.public_key().public_bytes_raw() for key in keys)
        now = int(time.time())
        fields = {
            "encryption_key": leaf,
            "signature_key": signer,
            "credential": Credential(name + bytes(16), signer),
            "capabilities": build_capabilities_data([1], []),
            "lifetime_not_before": now - 3600,
            "lifetime_not_after": now + 14 * 86400,
        }
        signed = self._sign(b"LeafNodeTBS", LeafNode(**fields).tbs_serialize())
        parts = {
            "cipher_suite": CipherSuite(SUITE.kem, SUITE.kdf, SUITE.aead),
            "init_key": init,
            "leaf_node": LeafNode(**fields, signature=signed),
        }
        signed = self._sign(b"KeyPackageTBS", KeyPackage(**parts).tbs_serialize())
        self.package = KeyPackage(**parts, signature=signed)

    def _sign(self, label: bytes, content: bytes) -> Signature:
        return Signature(crypto.sign_with_label(self.signer, label, content))

    def join(self, welcome: bytes) -> ProtocolMLSGroup:
        """The group of a Welcome."""
        return ProtocolMLSGroup.from_welcome(
            Welcome.deserialize(welcome),
            self.init,
            crypto,
            DefaultRandProvider(),
            key_package=self.package,
            encryption_private_key=self.leaf,
        )

    def commit(self, group: ProtocolMLSGroup, packages: list[bytes]) -> tuple[bytes, bytes]:
        """A Commit, merged, and its Welcome; it adds by reference only."""
        sender = Sender(group.get_own_leaf_index(), SenderType.MEMBER)
        for each in packages:
            package = KeyPackage.deserialize(each)
            group.process_proposal(group.create_add_proposal(package, self.signer), sender)
        pending = group.create_commit(self.signer)
        group.apply_own_commit(pending)
        welcome = pending.welcomes[0].serialize() if pending.welcomes else b""
        return pending.commit_message.serialize(), welcome


def measure(size: int, messages: int) -> dict[str, float]:
    """One life of a group of `size` members."""
    devices = [Device(b"user%d@acme.example" % number) for number in range(size - 1)]
    packages = [each.package.serialize() for each in devices]
    first, last = Device(b"founder@acme.example"), devices[-1]
    founder = ProtocolMLSGroup.create(b"bench", first.package, crypto, DefaultRandProvider())
    (added, welcome), add_seconds = timed(lambda: first.commit(founder, packages))
    member, join_seconds = timed(lambda: last.join(welcome))
    sealed, encrypt_seconds = timed(
        lambda: [
            member.protect(CONTENT, signing_key=last.signer).serialize() for _ in range(messages)
        ]
    )
    _, decrypt_seconds = timed(
        lambda: [founder.unprotect(MLSCiphertext.deserialize(each)) for each in sealed]
    )
    (updated, _), update_seconds = timed(lambda: last.commit(member, []))
    return {
        "add": add_seconds,
        "join": join_seconds,
        "update": update_seconds,
        "encrypt": encrypt_seconds / messages,
        "decrypt": decrypt_seconds / messages,
        "add_bytes": len(added),
        "welcome_bytes": len(welcome),
        "update_bytes": len(updated),
        "message_bytes": len(sealed[0]),
    }


main(measure)
