"""Evidence about users: their entries in the map, their chains and their devices.

Each function returns a sentence, or raises `VerificationError`: D35 when the fields prove nothing.
Witnesses are not needed: the log answers for its own signature. Unsigned bytes, such as the list of
signatures in a chain, could be made up by the file's owner; the sentence says so (`says`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from blackthorn.directory import checks
from blackthorn.directory.commitment import Value, decode_value
from blackthorn.directory.config import DirectoryConfig
from blackthorn.directory.lookup import Answer, EpochPart, Receipt
from blackthorn.directory.receipts import verify_receipt
from blackthorn.errors import VerificationError
from blackthorn.tlog.verify import Checkpoint, open_checkpoint, parse_vkey

EPOCH: Final[dict[str, type]] = {"note": bytes, "head": bytes, "head_proof": list}
ANSWER: Final[dict[str, type]] = {
    "label": str,
    "vrf_proof": bytes,
    "version": int,
    "value": bytes,
    "opening": bytes,
    "map_proof": bytes,
}
RECEIPT: Final[dict[str, type]] = {
    "seq": int,
    "version": int,
    "value": bytes,
    "opening": bytes,
    "vrf_proof": bytes,
    "mutation": bytes,
    "index": int,
    "proof": list,
    "logged_head": bytes,
    "logged_head_index": int,
    "logged_head_proof": list,
}
"""The fields of a receipt in their order; its head's names differ from `EPOCH`'s."""

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReplayedChain:
    """A verified chain: its head, length, and live devices' MLS keys by id.

    `flags` are those that the map must have with it.
    """

    head: bytes
    seq: int
    devices: Mapping[bytes, bytes]
    flags: int = 0


Replay = Callable[[str, Sequence[bytes], DirectoryConfig], ReplayedChain]
"""Replays a chain by the rules of identity, at any time. Raises `VerificationError`."""


def nothing(text: str) -> VerificationError:
    """The file proves nothing (D35)."""
    return VerificationError("D35", text)


def says(text: str) -> str:
    """A claim that rests on the word of the file's owner."""
    return f"the owner of this file says that {text}"


def signed(note: bytes, config: DirectoryConfig) -> Checkpoint:
    return open_checkpoint(note, parse_vkey(config.log_vkey))[0]


def part_of(fields: Fields) -> EpochPart:
    return EpochPart(fields["note"], fields["head"], tuple(fields["head_proof"]))


def _answer(fields: Fields) -> Answer:
    return Answer(*(fields[name] for name in ANSWER))


def _committed(
    fields: Fields, config: DirectoryConfig
) -> tuple[checks.VerifiedEpoch, checks.Present | checks.Absent]:
    """The verified answer for the user in the signed epoch."""
    epoch = checks.open_epoch(part_of(fields), config)
    return epoch, checks.verify_answer(_answer(fields), fields["label"], epoch, config)


def _present(fields: Fields, config: DirectoryConfig) -> tuple[str, checks.Present]:
    """The same for a present user, and the start of a sentence about it."""
    epoch, answer = _committed(fields, config)
    if not isinstance(answer, checks.Present):
        raise nothing("the answer is of an absent user")
    origin = config.origin
    return f"In its tree of {epoch.accepted.size} entries the log {origin} has", answer


def bad_answer(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """An answer that does not hold against a signed checkpoint."""
    epoch = checks.open_epoch(part_of(fields), config)
    try:
        checks.verify_answer(_answer(fields), fields["label"], epoch, config)
    except VerificationError as error:
        return (
            f"The owner of this file says that the server of {config.origin} gave this answer; it "
            f"does not hold against the log's checkpoint: {error}"
        )
    raise nothing("the answer holds")


def unknown_statement(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """A chain whose owner disowns its newest statement."""
    begin, answer = _present(fields, config)
    value = answer.value
    if (value.head, value.seq) == (fields["own_head"], fields["own_seq"]):
        raise nothing("the ledger has the chain that its owner knows")
    return (
        f"{begin} statement {value.seq} as the newest of {fields['label']}, in version "
        f"{answer.version}; its owner says that their newest is {fields['own_seq']}, another one"
    )


NOTHING: Final = Value(bytes(32), 0, 0)
"""The map's value of a user before their first entry."""


def bad_history(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """An entry that may not follow the earlier one, or may not be the first."""
    epoch, answer = _committed(fields, config)
    version = fields["before_version"]
    value = decode_value(fields["before_value"]) if version else NOTHING
    before = checks.Present(version, value)
    try:
        checks.check_history(before, answer)
    except VerificationError as error:
        if not version:
            return (
                f"In its tree of {epoch.accepted.size} entries the log {config.origin} has a state "
                f"of {fields['label']} that its chain cannot have led to: {error}"
            )
        return (
            f"In its tree of {epoch.accepted.size} entries the log {config.origin} has a state of "
            f"{fields['label']} that may not follow version {before.version}, statement "
            f"{before.value.seq}, which the owner of this file saw: {error}"
        )
    raise nothing("the entry may follow the one before")


def bad_receipt(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """A receipt that does not hold against a signed checkpoint."""
    epoch = checks.open_epoch(part_of(fields), config)
    values: list[Any] = [
        tuple(fields[name]) if kind is list else fields[name] for name, kind in RECEIPT.items()
    ]
    receipt = Receipt(*values)
    try:
        verify_receipt(receipt, fields["label"], epoch, config)
    except VerificationError as error:
        return (
            f"The log {config.origin} has signed a tree of {epoch.accepted.size} entries; "
            f"{says('its server gave a receipt that does not hold against it')}: {error}"
        )
    raise nothing("the receipt holds")


def bad_chain(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """The ledger's commitment to a chain, and the server's chain for it."""
    begin, answer = _present(fields, config)
    begin = f"{begin} statement {answer.value.seq} as the newest of {fields['label']}"
    try:
        chain = replay(fields["label"], fields["statements"], config)
    except VerificationError as error:
        return f"{begin}; {says('its server gave a chain for it that breaks a rule')}: {error}"
    value = answer.value
    if (chain.head, chain.seq, chain.flags) == (value.head, value.seq, value.flags):
        raise nothing("the chain holds")
    other = f"its server gave a chain of {chain.seq} statements for it that ends otherwise"
    if (chain.head, chain.seq) == (value.head, value.seq):
        other = "its server gave the chain for it, which asks for other flags in the map"
    return f"{begin}; {says(other)}"


def false_leaf(fields: Fields, config: DirectoryConfig, replay: Replay) -> str:
    """A device in a conversation that its user's chain lacks."""
    begin, answer = _present(fields, config)
    chain = replay(fields["label"], fields["statements"], config)
    if (chain.head, chain.seq) != (answer.value.head, answer.value.seq):
        raise nothing("the chain is not the one that the ledger has")
    if chain.devices.get(fields["device"]) == fields["key"]:
        raise nothing("the chain has this device with this key")
    return (
        f"{begin} no live device {fields['device'].hex()} of {fields['label']} with the key in "
        "this file; the file's owner has met such a device"
    )
