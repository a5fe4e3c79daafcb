"""Trust policies (c2sp.org/tlog-policy): logs, witnesses, and the quorum.

People write them, devices pin them. A name is one witness or group, in at most one group, so that
no witness counts twice. `Policy` checks the parser's rules in its constructor too.
"""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Final

from blackthorn.errors import VerificationError
from blackthorn.tlog import limits
from blackthorn.wire.note import COSIGNATURE_V1, ED25519, VerifierKey, format_vkey, parse_vkey

NO_QUORUM: Final = "none"
"""The quorum of a policy without cosignatures."""

_CONTROL: Final = re.compile(r"[^\t\n\x20-\x7e\x80-\U0010ffff]")
_BLANK: Final = re.compile(r"[ \t]+")


@dataclass(frozen=True)
class PolicyLog:
    """A log's key, named after its origin, and perhaps its URL."""

    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True)
class PolicyWitness:
    """A witness's name in the policy, its key, and perhaps its URL."""

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True)
class PolicyGroup:
    """Satisfied by `threshold` of its members, witnesses or earlier groups."""

    name: str
    threshold: int
    members: tuple[str, ...]


class _Draft:
    """The rules between lines, in their order."""

    def __init__(self) -> None:
        self.logs: list[PolicyLog] = []
        self.witnesses: list[PolicyWitness] = []
        self.groups: list[PolicyGroup] = []
        self.quorum: str | None = None
        self._names: set[str] = set()
        self._members: set[str] = set()
        self._log_keys: set[bytes] = set()
        self._witness_keys: set[bytes] = set()

    def add_log(self, log: PolicyLog) -> None:
        if log.key.algorithm == COSIGNATURE_V1:
            raise VerificationError("T24", "the key of a log is a witness's")
        if log.key.public in self._log_keys:
            raise VerificationError("T25", "two logs have one key")
        if len(self.logs) == limits.MAX_POLICY_LOGS:
            raise VerificationError("T21", "a policy has too many logs")
        _check_url(log.url)
        self._log_keys.add(log.key.public)
        self.logs.append(log)

    def add_witness(self, witness: PolicyWitness) -> None:
        self._define(witness.name)
        if witness.key.algorithm == ED25519:
            raise VerificationError("T24", "the key of a witness is a log's")
        if witness.key.public in self._witness_keys:
            raise VerificationError("T25", "two witnesses have one key")
        if len(self.witnesses) == limits.MAX_POLICY_WITNESSES:
            raise VerificationError("T21", "a policy has too many witnesses")
        _check_url(witness.url)
        self._witness_keys.add(witness.key.public)
        self.witnesses.append(witness)

    def add_group(self, group: PolicyGroup) -> None:
        for member in group.members:
            if member not in self._names:
                raise VerificationError("T27", "a member of a group is not defined before it")
            if member in self._members:
                raise VerificationError("T28", "a name is a member twice")
            self._members.add(member)
        self._define(group.name)
        if not 1 <= group.threshold <= len(group.members):
            raise VerificationError("T29", "the threshold of a group is not from 1 to its members")
        if len(self.groups) == limits.MAX_POLICY_GROUPS:
            raise VerificationError("T21", "a policy has too many groups")
        self.groups.append(group)

    def set_quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise VerificationError("T30", "a policy has two quorums")
        if name != NO_QUORUM and name not in self._names:
            raise VerificationError("T27", "the quorum is not defined before it is named")
        self.quorum = name

    def _define(self, name: str) -> None:
        if name == NO_QUORUM or name in self._names:
            raise VerificationError("T26", "a name is defined twice, or is the predefined one")
        if not _is_word(name):
            raise VerificationError("T23", "a name is not one word")
        self._names.add(name)


@dataclass(frozen=True)
class Policy:
    """A policy: the logs, and the quorum of witnesses. Raises T21 to T30."""

    logs: tuple[PolicyLog, ...]
    witnesses: tuple[PolicyWitness, ...]
    groups: tuple[PolicyGroup, ...]
    quorum: str
    _group_by_name: Mapping[str, PolicyGroup] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        draft = _Draft()
        for log in self.logs:
            draft.add_log(log)
        for witness in self.witnesses:
            draft.add_witness(witness)
        for group in self.groups:
            draft.add_group(group)
        draft.set_quorum(self.quorum)
        object.__setattr__(self, "_group_by_name", {group.name: group for group in self.groups})

    @property
    def log(self) -> VerifierKey:
        """The first log's key. Raises T31 without one."""
        if not self.logs:
            raise VerificationError("T31", "the policy names no log")
        return self.logs[0].key

    def satisfied_by(self, names: Set[str]) -> bool:
        return self.quorum_time(dict.fromkeys(names, 0)) is not None

    def quorum_time(self, times: Mapping[str, int]) -> int | None:
        """The latest time since which a quorum has cosigned; None without one, 0 if none is needed.

        `times` maps witness names to Unix seconds.
        """
        if self.quorum == NO_QUORUM:
            return 0
        return self._time_of(self.quorum, times)

    def _time_of(self, name: str, times: Mapping[str, int]) -> int | None:
        group = self._group_by_name.get(name)
        if group is None:
            return times.get(name)
        found = [self._time_of(member, times) for member in group.members]
        present = sorted((time for time in found if time is not None), reverse=True)
        if len(present) < group.threshold:
            return None
        return present[group.threshold - 1]


def parse_policy(text: str | bytes) -> Policy:
    """Raises N7 to N12 and T20 to T30.

    Bytes that are not UTF-8 stay distinct from all text, as the specification asks.
    """
    draft = _Draft()
    for number, line in enumerate(_lines(text), 1):
        words = [word for word in _BLANK.split(line) if word]
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "log" and len(words) in (2, 3):
            draft.add_log(PolicyLog(parse_vkey(words[1]), *words[2:]))
        elif words[0] == "witness" and len(words) in (3, 4):
            draft.add_witness(PolicyWitness(words[1], parse_vkey(words[2]), *words[3:]))
        elif words[0] == "group" and len(words) >= 4:
            members = tuple(words[3:])
            draft.add_group(PolicyGroup(words[1], _threshold(words[2], len(members)), members))
        elif words[0] == "quorum" and len(words) == 2:
            draft.set_quorum(words[1])
        else:
            raise VerificationError(
                "T23", f"line {number} of a policy is no log, witness, group or quorum"
            )
    if draft.quorum is None:
        raise VerificationError("T30", "a policy has no quorum")
    return Policy(tuple(draft.logs), tuple(draft.witnesses), tuple(draft.groups), draft.quorum)


def format_policy(policy: Policy) -> str:
    """One line for each part, logs first, the quorum last."""
    lines = [_join("log", format_vkey(log.key), log.url) for log in policy.logs]
    for witness in policy.witnesses:
        lines.append(_join("witness", witness.name, format_vkey(witness.key), witness.url))
    for group in policy.groups:
        lines.append(_join("group", group.name, str(group.threshold), *group.members))
    lines.append(_join("quorum", policy.quorum))
    return "".join(lines)


def _lines(text: str | bytes) -> list[str]:
    """Raises T20 to T22."""
    try:
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise VerificationError("T22", "a policy is not text") from error
    if len(data) > limits.MAX_POLICY_BYTES:
        raise VerificationError("T20", "a policy is too large")
    decoded = data.decode("utf-8", "surrogateescape")
    if _CONTROL.search(decoded):
        raise VerificationError("T22", "a policy has a control character")
    lines = decoded.split("\n")
    if lines.pop():
        raise VerificationError("T23", "the last line of a policy does not end")
    if len(lines) > limits.MAX_POLICY_LINES:
        raise VerificationError("T20", "a policy has too many lines")
    return lines


def _threshold(word: str, members: int) -> int:
    if word == "any":
        return 1
    if word == "all":
        return members
    if re.fullmatch(r"[1-9][0-9]{0,3}", word) is None:
        raise VerificationError("T29", "the threshold of a group is not a number")
    return int(word)


def _is_word(text: str) -> bool:
    return bool(text) and not re.search(r"[\x00-\x20\x7f]", text)


def _check_url(url: str | None) -> None:
    if url is not None and not _is_word(url):
        raise VerificationError("T23", "an address is not one word")


def _join(*words: str | None) -> str:
    return " ".join(word for word in words if word is not None) + "\n"
