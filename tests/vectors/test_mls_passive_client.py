"""RFC 9420's passive-client vectors: join by a Welcome, then follow every Commit.

Every `passive-client-*.json` in the folder of vectors is run, and `interop/passive/*.json` there:
recordings of other implementations, with external joins, PSKs and proposals from outside.
"""

from collections.abc import Callable
from typing import Any

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codec import decode
from blackthorn.mls.epoch.policy import ExternalJoin, Outsider, Policy
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.framing.key_package import KeyPackagePrivate, read_key_package_message
from blackthorn.mls.framing.proposals import Proposal, ReInit
from blackthorn.mls.group.group import Group
from tests.vectors.conftest import folder
from tests.vectors.mls_cases import h, supported

Load = Callable[[str], list[Any]]
NOW = 1_684_000_000
"""May 2023, when the recordings' key packages were alive."""


def believe(*_: object) -> None:
    """The vectors' members have made-up names."""


def allow_join(join: ExternalJoin) -> None:
    """The vectors' groups are open."""


def allow_outsider(outsider: Outsider, proposal: Proposal) -> None:
    """The vectors' groups take proposals from outside."""


def allow_reinit(reinit: ReInit) -> None:
    """The vectors' groups are re-initialised into anything."""


# The vectors' handshakes travel in the clear, and some key packages live for ever.
OPEN = Policy(
    join=allow_join,
    propose=allow_outsider,
    reinitialise=allow_reinit,
    public_handshakes=True,
    max_lifetime_seconds=2**64,
)


def receive(group: Group, data: bytes, psks: dict[bytes, Secret]) -> None:
    """Take a handshake in."""
    outcome = group.process(data, validate=believe, external_psks=psks, policy=OPEN)
    if isinstance(outcome, StagedCommit):
        group.merge(outcome)


def follow(case: Any) -> None:
    psks = {h(v["psk_id"]): Secret(h(v["psk"])) for v in case["external_psks"]}
    private = KeyPackagePrivate(
        decode(read_key_package_message, h(case["key_package"]), "key package"),
        Secret(h(case["init_priv"])),
        Secret(h(case["encryption_priv"])),
    )
    tree = case["ratchet_tree"]
    group = Group.join(
        h(case["welcome"]),
        private,
        Secret(h(case["signature_priv"])),
        validate=believe,
        ratchet_tree=None if tree is None else h(tree),
        external_psks=psks,
        policy=OPEN,
    )
    assert group.epoch_authenticator == h(case["initial_epoch_authenticator"])
    for epoch in case["epochs"]:
        for proposal in epoch["proposals"]:
            receive(group, h(proposal), psks)
        receive(group, h(epoch["commit"]), psks)
        assert group.epoch_authenticator == h(epoch["epoch_authenticator"])
        group = Group.deserialise(group.serialise())


def test_passive_client(vectors: Load) -> None:
    home = folder()
    assert home is not None
    files = [*home.glob("passive-client-*.json"), *home.glob("interop/passive/*.json")]
    names = {str(file.relative_to(home).with_suffix("")) for file in files}
    assert {"passive-client-welcome", "passive-client-handling-commit"} <= names
    for name in sorted(names):
        for number, (_, case) in enumerate(supported(vectors(name))):
            print(f"{name} {number}")
            follow(case)
