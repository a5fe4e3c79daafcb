"""Evidence about a log: its signatures, and its server's answers.

As in `directory.evidence.users`. That a server gave some unsigned bytes is the word of the file's
owner, and the sentence says so.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from blackthorn.directory import limits
from blackthorn.directory.audit import Replay as LogReplay
from blackthorn.directory.checks import open_epoch
from blackthorn.directory.config import DirectoryConfig
from blackthorn.directory.evidence.users import Fields, Replay, nothing, part_of, says, signed
from blackthorn.directory.head_times import Officers
from blackthorn.errors import VerificationError
from blackthorn.tlog import verify
from blackthorn.tlog.frontier import Frontier


def _two(fields: Fields, config: DirectoryConfig) -> tuple[verify.Checkpoint, verify.Checkpoint]:
    return signed(fields["first"], config), signed(fields["second"], config)


def fork(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    first, second = _two(fields, config)
    if first.size != second.size or first.root == second.root:
        raise nothing("the two checkpoints are not of one size and two roots")
    return f"The log {first.origin} has signed two different trees of {first.size} entries"


def inconsistent(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """Two signed checkpoints, and the server's proof, which does not join them."""
    first, second = sorted(_two(fields, config), key=lambda each: each.size)
    if first.size == second.size:
        raise nothing("the two checkpoints are of one size")
    try:
        verify.verify_consistency(first.size, first.root, second.size, second.root, fields["proof"])
    except VerificationError as error:
        return (
            f"The log {first.origin} has signed trees of {first.size} and {second.size} entries; "
            f"{says('its server gave a proof that does not join them')}: {error}"
        )
    raise nothing("the larger checkpoint does continue the smaller one")


def rollback(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """A smaller checkpoint than an earlier one."""
    first, second = _two(fields, config)
    if second.size >= first.size:
        raise nothing("the second checkpoint is not smaller")
    return (
        f"The log {first.origin} had signed a tree of {first.size} entries; "
        f"{says(f'its server showed {second.size} afterwards')}"
    )


def stale(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """The newest checkpoint available at a time."""
    first = signed(fields["first"], config)
    return (
        f"The log {first.origin} has signed a tree of {first.size} entries; "
        f"{says('nothing newer was available at')} {fields['seen_ms']} ms of Unix time"
    )


def bad_epoch(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """A signed checkpoint with a wrong head."""
    checkpoint = signed(fields["note"], config)
    try:
        open_epoch(part_of(fields), config)
    except VerificationError as error:
        tree = f"a tree of {checkpoint.size} entries"
        if _is_last(fields, checkpoint):
            return f"The log {config.origin} has signed {tree} that does not end in a head: {error}"
        return (
            f"The log {config.origin} has signed {tree}; "
            f"{says('its server gave a head with it that is not its last entry')}: {error}"
        )
    raise nothing("the epoch holds")


def _is_last(fields: Fields, checkpoint: verify.Checkpoint) -> bool:
    last = checkpoint.size - 1
    proof: Sequence[bytes] = fields["head_proof"]
    try:
        verify.verify_inclusion(
            verify.leaf_hash(fields["head"]), last, checkpoint.size, proof, checkpoint.root
        )
    except VerificationError:
        return False
    return True


def config_changed(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    epoch = open_epoch(part_of(fields), config)
    if epoch.head.config == config.digest:
        raise nothing("the head is of this configuration")
    return (
        f"The log {config.origin} has signed a tree of {epoch.accepted.size} entries under another "
        "configuration than the one in this file"
    )


def head_back(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """A head whose epoch or time is not behind an earlier one."""
    head = open_epoch(part_of(fields), config).head
    if head.epoch > fields["before_epoch"] and head.unix_ms > fields["before_ms"]:
        raise nothing("the head is later than the one before")
    before = f"it had ended epoch {fields['before_epoch']} at {fields['before_ms']} ms before"
    return (
        f"The log {config.origin} has ended epoch {head.epoch} at {head.unix_ms} ms of Unix time; "
        f"{says(before)}"
    )


def head_ahead(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """A head whose time is ahead of its witnesses, or of its observer's clock."""
    epoch = open_epoch(part_of(fields), config)
    text: bytes = fields["policy"]
    if hashlib.sha256(text).digest() != config.policy_digest:
        raise nothing("the policy is not that of the configuration")
    quorum_time = verify.verify_checkpoint(
        fields["note"], verify.parse_policy(_text(text))
    ).quorum_time
    bound_ms = quorum_time * 1000 if quorum_time else fields["seen_ms"]
    if epoch.head.unix_ms - bound_ms <= limits.MAX_HEAD_AHEAD_SECONDS * 1000:
        raise nothing("the time of the head is not ahead")
    begin = f"The log {config.origin} has signed a head of {epoch.head.unix_ms} ms of Unix time; "
    if quorum_time:
        return f"{begin}its witnesses cosigned it at {bound_ms} ms"
    return f"{begin}{says(f'it was {bound_ms} ms then')}"


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise nothing("the policy is not text") from None


def bad_log(
    fields: Fields, config: DirectoryConfig, replay: Replay, officers: Officers | None = None
) -> str:
    """Entries of the log that break a rule; `officers` verify what may let the time fall."""
    checkpoint = signed(fields["first"], config)
    entries: list[Any] = fields["entries"]
    tree = f"a tree of {checkpoint.size} entries"
    log = LogReplay(officers=officers)
    try:
        for entry in entries:
            log.feed(entry)
        log.check_checkpoint(checkpoint)
    except VerificationError as error:
        if _root(entries) == (checkpoint.size, checkpoint.root):
            return f"The log {config.origin} has signed {tree} that break a rule: {error}"
        return (
            f"The log {config.origin} has signed {tree}; "
            f"{says('its server gave other entries for it')}: {error}"
        )
    raise nothing("the entries hold")


def _root(entries: Sequence[bytes]) -> tuple[int, bytes]:
    edge = Frontier()
    for entry in entries:
        edge.append(verify.leaf_hash(entry))
    return edge.size, edge.root
