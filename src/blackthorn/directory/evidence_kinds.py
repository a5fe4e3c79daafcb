"""What each kind of evidence shows, recomputed from its fields.

Each function returns a sentence, or raises `VerificationError`: D35 when the fields hold together
and show nothing. Witnesses are not asked for: the log's own signature is what it answers for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from blackthorn.directory.audit import Replay as LogReplay
from blackthorn.directory.checks import (
    Absent,
    Present,
    VerifiedEpoch,
    check_history,
    open_epoch,
    verify_answer,
)
from blackthorn.directory.commitment import decode_value
from blackthorn.directory.config import DirectoryConfig
from blackthorn.directory.lookup import Answer, EpochPart
from blackthorn.errors import VerificationError
from blackthorn.tlog.verify import (
    Checkpoint,
    open_checkpoint,
    parse_vkey,
    verify_consistency,
)

EPOCH: Final[dict[str, type]] = {"note": bytes, "head": bytes, "head_proof": list}
ANSWER: Final[dict[str, type]] = {
    "label": str,
    "vrf_proof": bytes,
    "version": int,
    "value": bytes,
    "opening": bytes,
    "map_proof": bytes,
}

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReplayedChain:
    """What a chain that holds says: its head, its length, and its live devices' MLS keys by id."""

    head: bytes
    seq: int
    devices: Mapping[bytes, bytes]


Replay = Callable[[str, Sequence[bytes], DirectoryConfig], ReplayedChain]
"""Replays a chain by the rules of identity, whatever the time. Raises `VerificationError`."""


def _nothing(text: str) -> VerificationError:
    return VerificationError("D35", text)


def _signed(note: bytes, config: DirectoryConfig) -> Checkpoint:
    """The checkpoint, which the log of the configuration signed."""
    return open_checkpoint(note, parse_vkey(config.log_vkey))[0]


def _two(fields: Fields, config: DirectoryConfig) -> tuple[Checkpoint, Checkpoint]:
    return _signed(fields["first"], config), _signed(fields["second"], config)


def fork(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """Two signed checkpoints of one size."""
    first, second = _two(fields, config)
    if first.size != second.size or first.root == second.root:
        raise _nothing("the two checkpoints are not of one size and two roots")
    return f"The log {first.origin} has signed two different trees of {first.size} entries"


def inconsistent(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """Two signed checkpoints, and the server's proof, which does not join them."""
    first, second = sorted(_two(fields, config), key=lambda each: each.size)
    if first.size == second.size:
        raise _nothing("the two checkpoints are of one size")
    try:
        verify_consistency(first.size, first.root, second.size, second.root, fields["proof"])
    except VerificationError:
        return (
            f"The log {first.origin} has signed trees of {first.size} and {second.size} entries; "
            "the proof that its server gave does not show that one continues the other"
        )
    raise _nothing("the larger checkpoint does continue the smaller one")


def rollback(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """A smaller checkpoint than one that was seen before."""
    first, second = _two(fields, config)
    if second.size >= first.size:
        raise _nothing("the second checkpoint is not smaller")
    return (
        f"The log {first.origin} had signed a tree of {first.size} entries; whoever keeps this "
        f"file says that its server showed {second.size} afterwards"
    )


def stale(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """The newest checkpoint that was to be had at a time."""
    first = _signed(fields["first"], config)
    return (
        f"The log {first.origin} has signed a tree of {first.size} entries; whoever keeps this "
        f"file says that nothing newer was to be had at {fields['seen_ms']} ms of Unix time"
    )


def _part(fields: Fields) -> EpochPart:
    return EpochPart(fields["note"], fields["head"], tuple(fields["head_proof"]))


def _answer(fields: Fields) -> Answer:
    return Answer(*(fields[name] for name in ANSWER))


def _committed(fields: Fields, config: DirectoryConfig) -> tuple[VerifiedEpoch, Present | Absent]:
    """What the log has signed of a user."""
    epoch = open_epoch(_part(fields), config)
    return epoch, verify_answer(_answer(fields), fields["label"], epoch, config)


def _present(fields: Fields, config: DirectoryConfig) -> tuple[str, Present]:
    """The same, of somebody who is there, and the beginning of a sentence about it."""
    epoch, answer = _committed(fields, config)
    if not isinstance(answer, Present):
        raise _nothing("the answer speaks of nobody")
    origin = config.origin
    return f"In its tree of {epoch.accepted.size} entries the log {origin} has", answer


def bad_epoch(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """A signed checkpoint with a head that does not fit."""
    _signed(fields["note"], config)
    try:
        open_epoch(_part(fields), config)
    except VerificationError as error:
        return f"The log {config.origin} has signed a checkpoint whose head breaks a rule: {error}"
    raise _nothing("the epoch holds")


def bad_answer(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """An answer that does not hold against a signed checkpoint."""
    epoch = open_epoch(_part(fields), config)
    try:
        verify_answer(_answer(fields), fields["label"], epoch, config)
    except VerificationError as error:
        return (
            f"Whoever keeps this file says that the server of {config.origin} gave this answer; it "
            f"does not hold against the log's checkpoint: {error}"
        )
    raise _nothing("the answer holds")


def config_changed(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """A head of another configuration."""
    epoch = open_epoch(_part(fields), config)
    if epoch.head.config == config.digest:
        raise _nothing("the head is of this configuration")
    return (
        f"The log {config.origin} has signed a tree of {epoch.accepted.size} entries under another "
        "configuration than the one in this file"
    )


def unknown_statement(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """A chain of which its owner says that it is not his."""
    begin, answer = _present(fields, config)
    value = answer.value
    if (value.head, value.seq) == (fields["own_head"], fields["own_seq"]):
        raise _nothing("the ledger has the chain that its owner knows")
    return (
        f"{begin} statement {value.seq} as the newest of {fields['label']}, in version "
        f"{answer.version}; its owner says that his own newest is {fields['own_seq']}, another one"
    )


def bad_history(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """An entry that may not follow the one that was there before."""
    epoch, answer = _committed(fields, config)
    before = Present(fields["before_version"], decode_value(fields["before_value"]))
    try:
        check_history(before, answer)
    except VerificationError as error:
        return (
            f"In its tree of {epoch.accepted.size} entries the log {config.origin} has a state of "
            f"{fields['label']} that may not follow version {before.version}, statement "
            f"{before.value.seq}, which whoever keeps this file saw: {error}"
        )
    raise _nothing("the entry may follow the one before")


def bad_chain(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """A chain that the ledger commits to and that breaks the rules of chains."""
    begin, answer = _present(fields, config)
    try:
        chain = replay(fields["label"], fields["statements"], config)
    except VerificationError as error:
        return f"{begin} a chain of {fields['label']} that breaks a rule: {error}"
    if (chain.head, chain.seq) == (answer.value.head, answer.value.seq):
        raise _nothing("the chain holds")
    return f"{begin} another chain of {fields['label']} than its server gave"


def false_leaf(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """A device in a conversation that its user's chain does not have."""
    begin, answer = _present(fields, config)
    chain = replay(fields["label"], fields["statements"], config)
    if (chain.head, chain.seq) != (answer.value.head, answer.value.seq):
        raise _nothing("the chain is not the one that the ledger has")
    if chain.devices.get(fields["device"]) == fields["key"]:
        raise _nothing("the chain has this device with this key")
    return (
        f"{begin} no live device {fields['device'].hex()} of {fields['label']} with the key in "
        "this file; whoever keeps it met one that said so"
    )


def bad_log(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """Entries of the log that no honest server logs."""
    checkpoint = _signed(fields["first"], config)
    log = LogReplay()
    try:
        for entry in fields["entries"]:
            log.feed(entry)
        log.check_checkpoint(checkpoint)
    except VerificationError as error:
        return f"The entries that the server of {config.origin} gave break a rule: {error}"
    raise _nothing("the entries hold")
