"""Changed terms of the ledger: compare them with the pinned ones, and pin them on request.

Nothing counts until the user accepts it: the policy decides which signatures prove one common
ledger. Other keys and a shorter reset delay are always refused.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from blackthorn.device.core import anchors, unit_of_work
from blackthorn.device.core.anchors import Anchors
from blackthorn.device.transparency import alarms, ledger_state, limits
from blackthorn.directory import verify
from blackthorn.errors import VerificationError
from blackthorn.link.frames import EpochPart, Trust
from blackthorn.ports.device_store import AlarmRecord
from blackthorn.tlog.verify import (
    NO_QUORUM,
    Policy,
    format_vkey,
    open_checkpoint,
    parse_policy,
)

SETTLED: Final = ("config-changed", "unwitnessed")
"""Alarms about the old terms, which accepting the new ones settles."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The server's terms, if they may follow the pinned ones."""

    config: bytes
    policy_text: str
    anchors: Anchors

    @property
    def digest(self) -> str:
        """The hex digest of both that `blackthorn ledger status` shows to administrators."""
        return verify.terms_digest(self.anchors.config, self.policy_text)


def judge(unit: unit_of_work.UnitOfWork, terms: Trust) -> Offer:
    """The offer, if it may follow the pinned terms.

    Raises VerificationError: N, T and D3 for malformed terms, D31 for forbidden changes, T14 and
    D13 for inconsistent parts.
    """
    pinned = anchors.pinned(unit.records.settings)
    offered = Anchors(verify.decode_config(terms.config), parse_policy(terms.policy))
    verify.check_successor(pinned.config, offered.config)
    if str(offered.policy.log) != offered.config.log_vkey:
        raise VerificationError("T14", "the policy is of another log than the configuration")
    if hashlib.sha256(terms.policy.encode()).digest() != offered.config.policy_digest:
        raise VerificationError("D13", "the policy is not the one that the configuration names")
    return Offer(terms.config, terms.policy, offered)


def not_yet_met(unit: unit_of_work.UnitOfWork, offer: Offer, epoch: EpochPart) -> str:
    """Why the server's newest epoch does not satisfy the offered terms; "" if it does.

    A device that pinned them earlier could accept no epoch, and the old terms are gone.
    """
    policy, config = offer.anchors.policy, offer.anchors.config
    part = verify.EpochPart(epoch.checkpoint, epoch.head, tuple(epoch.proof))
    age, now_ms = limits.DIRECTORY_STALE_SECONDS, ledger_state.clock_ms(unit)
    try:
        verify.verify_epoch(part, [], None, verify.Terms(policy, config, now_ms, age))
    except VerificationError as error:
        if error.rule == "T32":
            missing = ", ".join(_not_cosigned_by(epoch.checkpoint, policy))
            return f"the ledger's newest state is not cosigned by {missing} yet"
        if error.rule == "D13":
            return "the ledger's newest state still has the earlier configuration"
        return f"the ledger's newest state does not satisfy it: {error}"
    return ""


def _not_cosigned_by(note: bytes, policy: Policy) -> list[str]:
    _, parsed = open_checkpoint(note, policy.log)
    return [each.key.name for each in policy.witnesses if not parsed.lines_of(each.key)]


def differences(old: Anchors, new: Anchors) -> list[str]:
    """The differences, one line each."""
    lines = []
    before = {format_vkey(witness.key): witness.key.name for witness in old.policy.witnesses}
    after = {format_vkey(witness.key): witness.key.name for witness in new.policy.witnesses}
    lines += [f"no more a witness: {before[key]} ({key})" for key in before if key not in after]
    lines += [f"a new witness: {after[key]} ({key})" for key in after if key not in before]
    if quorum(old.policy) != quorum(new.policy):
        lines.append(f"who must cosign: {quorum(new.policy)}; before: {quorum(old.policy)}")
    for name, words in _TIMES.items():
        was, becomes = getattr(old.config, name), getattr(new.config, name)
        if was != becomes:
            lines.append(f"{words}: {becomes // 1000} s; before: {was // 1000} s")
    if old.config.rules != new.config.rules:
        lines.append(f"version of the rules: {new.config.rules}; before: {old.config.rules}")
    if old.config.domain != new.config.domain:
        lines.append(f"the domain: {new.config.domain}; before: {old.config.domain}")
    return lines


_TIMES: Final = {
    "epoch_ms": "time from a change to its epoch",
    "heartbeat_ms": "longest time between epochs",
    "reset_delay_ms": "delay of a reset",
}


def quorum(policy: Policy) -> str:
    """The witnesses that must cosign, in words."""
    if policy.quorum == NO_QUORUM:
        return "nobody"
    for group in policy.groups:
        if group.name == policy.quorum:
            return f"{group.threshold} of {', '.join(_names(policy, group.members))}"
    return _names(policy, [policy.quorum])[0]


def _names(policy: Policy, members: Sequence[str]) -> list[str]:
    keys = {witness.name: witness.key.name for witness in policy.witnesses}
    return [keys.get(name, name) for name in members]


def weakens(old: Policy, new: Policy) -> bool:
    """Whether the new policy accepts a ledger that the old one would refuse."""
    if new.quorum == NO_QUORUM:
        return old.quorum != NO_QUORUM
    known = {format_vkey(witness.key): witness.name for witness in old.witnesses}
    names = [(witness.name, known.get(format_vkey(witness.key))) for witness in new.witnesses]
    return any(
        new.satisfied_by({mine for mine, _ in chosen})
        and not old.satisfied_by({theirs for _, theirs in chosen if theirs})
        for chosen in _subsets(names)
    )


_Pair = tuple[str, str | None]


def _subsets(names: list[_Pair]) -> list[list[_Pair]]:
    """All subsets of the witnesses; of more than twelve only the single ones."""
    if len(names) > 12:
        return [[pair] for pair in names]
    found: list[list[_Pair]] = [[]]
    for pair in names:
        found += [[*others, pair] for others in found]
    return found


def accept(unit: unit_of_work.UnitOfWork, offer: Offer) -> list[AlarmRecord]:
    """Pin the offered terms; the alarms that this settles."""
    anchors.pin(unit.records.settings, offer.config, offer.policy_text)
    settled = [alarm for alarm in alarms.open_alarms(unit.records) if alarm.code in SETTLED]
    return [alarms.accept(unit.records, alarm.number) for alarm in settled]
