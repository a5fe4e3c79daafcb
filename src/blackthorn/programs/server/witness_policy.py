"""`blackthorn ledger witness add`: change the trust policy of a server's ledger."""

from dataclasses import replace
from typing import Final

from blackthorn.errors import UserError, VerificationError
from blackthorn.tlog.policy import NO_QUORUM, Policy, PolicyGroup, PolicyWitness
from blackthorn.wire.note import VerifierKey

ALL: Final = "witnesses"
"""Name of the group of all witnesses, once there are several."""


def add_witness(policy: Policy, key: VerifierKey, url: str, quorum: int | None) -> Policy:
    """The policy with one more witness, `quorum` of which must cosign, else as many as before.

    A witness with that key and an address is in it already: it gets the new address.
    Groups made by hand are kept, and then a number is refused. Raises UserError.
    """
    if not url.startswith(("https://", "http://")) or not url.isascii():
        raise UserError(f"{url!r} is not a witness's address: use https:// or http://")
    try:
        witnesses = _with(policy.witnesses, key, url)
        known = {witness.name for witness in policy.witnesses}
        ours = policy.quorum == NO_QUORUM or policy.quorum in known or policy.quorum == ALL
        if not ours or any(group.name != ALL for group in policy.groups):
            if quorum is not None:
                raise UserError("policy.txt has groups of its own: change their numbers there")
            return Policy(policy.logs, witnesses, policy.groups, policy.quorum)
        return _flat(policy, witnesses, quorum)
    except VerificationError as error:
        raise UserError(f"the policy cannot have this witness: {error}") from None


def has_witness(policy: Policy, key: VerifierKey, url: str) -> bool:
    """Whether the policy has the witness with that key at that address."""
    return any((each.key, each.url) == (key, url) for each in policy.witnesses)


def _with(
    witnesses: tuple[PolicyWitness, ...], key: VerifierKey, url: str
) -> tuple[PolicyWitness, ...]:
    if any(each.key == key and each.url for each in witnesses):
        return tuple(replace(each, url=url) if each.key == key else each for each in witnesses)
    return (*witnesses, PolicyWitness(key.name, key, url))


def _flat(policy: Policy, witnesses: tuple[PolicyWitness, ...], quorum: int | None) -> Policy:
    """One group of all witnesses, of which `quorum` must cosign."""
    before = policy.groups[0].threshold if policy.groups else int(policy.quorum != NO_QUORUM)
    threshold = before if quorum is None else quorum
    if threshold == 0:
        return Policy(policy.logs, witnesses, (), NO_QUORUM)
    if not 1 <= threshold <= len(witnesses):
        raise UserError(f"--quorum must be from 1 to {len(witnesses)}, the number of witnesses")
    group = PolicyGroup(ALL, threshold, tuple(witness.name for witness in witnesses))
    return Policy(policy.logs, witnesses, (group,), ALL)
