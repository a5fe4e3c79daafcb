"""Creates groups that follow a group (RFC 9420, 11.2 and 11.3): re-initialisation and branching.

Send the Welcome of the pending first Commit, then merge; receivers join with `predecessor`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codepoints import APPLICATION_EXTENSION
from blackthorn.mls.credential import Credential, CredentialValidator
from blackthorn.mls.epoch.policy import CLOSED, Policy
from blackthorn.mls.errors import InvalidProposal, InvalidWelcome
from blackthorn.mls.extension import Extension
from blackthorn.mls.framing.key_package import VerifiedKeyPackage
from blackthorn.mls.group.group import Commit, Group, Random
from blackthorn.mls.group.succession import Successor, branched, check_members, reinitialised


@dataclass(frozen=True)
class Identity:
    """This client in the new group, perhaps with another signature key."""

    credential: Credential
    signature_private: Secret
    signature_public: bytes


def reinitialise(
    old: Group,
    identity: Identity,
    add: Sequence[VerifiedKeyPackage],
    *,
    random: Random,
    now: int,
    validate: CredentialValidator,
) -> tuple[Group, Commit]:
    """The group of `old.reinit`, with all other members added.

    Raises `GroupState` without a ReInit, `InvalidProposal` for a missing member, and as
    `Group.create` and `Group.commit`.
    """
    successor = reinitialised(old._state, random)
    return _follow(
        old,
        successor,
        identity,
        add,
        random=random,
        now=now,
        validate=validate,
        all_of_old=True,
    )


def branch(
    old: Group,
    group_id: bytes,
    add: Sequence[VerifiedKeyPackage],
    *,
    random: Random,
    now: int,
    validate: CredentialValidator,
    extensions: Sequence[Extension] = (),
    extension_types: Sequence[int] = (APPLICATION_EXTENSION,),
    policy: Policy = CLOSED,
) -> tuple[Group, Commit]:
    """A new group of some members of `old`, with the same suite.

    Raises `InvalidProposal` for a new member, and as `Group.create` and `Group.commit`.
    """
    state = old._state
    state.require_member()
    leaf = state.epoch.own_leaf()
    successor = branched(state, group_id, tuple(extensions), random)
    return _follow(
        old,
        successor,
        Identity(leaf.credential, state.signature_private, leaf.signature_key),
        add,
        random=random,
        now=now,
        validate=validate,
        extension_types=extension_types,
        policy=policy,
        all_of_old=False,
    )


def _follow(
    old: Group,
    successor: Successor,
    identity: Identity,
    add: Sequence[VerifiedKeyPackage],
    *,
    random: Callable[[int], bytes],
    now: int,
    validate: CredentialValidator,
    all_of_old: bool,
    extension_types: Sequence[int] = (APPLICATION_EXTENSION,),
    policy: Policy = CLOSED,
) -> tuple[Group, Commit]:
    credentials = [identity.credential, *(package.credential for package in add)]
    try:
        check_members(old._state, old.epoch, credentials, policy.same_client, all_of_old=all_of_old)
    except InvalidWelcome as error:
        raise InvalidProposal(str(error), error.rule) from error
    group = Group.create(
        successor.suite,
        successor.group_id,
        identity.credential,
        identity.signature_private,
        identity.signature_public,
        random=random,
        now=now,
        extensions=successor.extensions,
        extension_types=extension_types,
    )
    made = group.commit(
        add=add,
        random=random,
        now=now,
        validate=validate,
        resumption_psks={(old.group_id, old.epoch): old.resumption_psk()},
        follows=successor,
        policy=policy,
    )
    return group, made
