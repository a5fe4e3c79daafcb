"""RFC 9420's passive-client vectors: join by a Welcome, then follow every Commit."""

from collections.abc import Callable
from typing import Any

import pytest

from blackthorn import limits
from blackthorn.crypto.secret import Secret
from blackthorn.mls import processing, protection
from blackthorn.mls.codec import decode
from blackthorn.mls.codepoints import PROPOSAL
from blackthorn.mls.credential import Credential
from blackthorn.mls.framing import PublicMessage, read_message
from blackthorn.mls.group import Group
from blackthorn.mls.key_package import KeyPackagePrivate, read_key_package_message
from tests.vectors.mls_cases import h, supported

Load = Callable[[str], list[Any]]
NOW = 1_690_000_000


def believe(credential: Credential, signature_key: bytes) -> None:
    """The vectors' members have made-up names."""


def receive(group: Group, data: bytes, psks: dict[bytes, Secret]) -> None:
    """Take a handshake in. The vectors send it in the clear, which `process` refuses: so open
    it here by the same parts, and hand it to the same engine."""
    message = decode(read_message, data, "message")
    state = group._state
    if isinstance(message, PublicMessage):
        encoded = state.epoch.context.encoded
        authenticated = protection.unprotect_public(
            group.suite, message, encoded, state.epoch.secrets.membership_key
        )
        verified = processing.verify_content(state.epoch, authenticated)
        if authenticated.content.content_type == PROPOSAL:
            queued = processing.queue_proposal(state, verified)
            assert queued.reference is not None
            state.proposals[queued.reference] = queued
            return
        staged = processing.stage_commit(
            state, verified, now=NOW, validate=believe, external_psks=psks
        )
        group.merge(staged)
        return
    outcome = group.process(data, now=NOW, validate=believe, external_psks=psks)
    if hasattr(outcome, "base"):
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
        now=NOW,
        validate=believe,
        ratchet_tree=None if tree is None else h(tree),
        external_psks=psks,
    )
    assert group.epoch_authenticator == h(case["initial_epoch_authenticator"])
    for epoch in case["epochs"]:
        for proposal in epoch["proposals"]:
            receive(group, h(proposal), psks)
        receive(group, h(epoch["commit"]), psks)
        assert group.epoch_authenticator == h(epoch["epoch_authenticator"])
        group = Group.deserialise(group.serialise())


@pytest.mark.parametrize("name", ["passive-client-welcome", "passive-client-handling-commit"])
def test_passive_client(vectors: Load, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The vectors' key packages live from 0 to 2**64 - 1; ours may not.
    monkeypatch.setattr(limits, "MLS_MAX_LIFETIME_SECONDS", 2**64)
    for _, case in supported(vectors(name)):
        follow(case)
