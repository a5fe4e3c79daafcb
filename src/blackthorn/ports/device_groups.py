"""The port to the MLS states in a device's own store (`ports.device_store`)."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

GroupKey = tuple[int, ...]


class EndedEpoch(NamedTuple):
    """A past epoch of which message keys are kept, and their bytes."""

    epoch: int
    ended_ms: int
    bytes: int


class Groups(Protocol):
    """MLS states: a head, and tables of rows by integers (`mls.group.state_rows`).

    `version` counts the changes of one state, whichever process made them. A past epoch has ended;
    its keys go before the rest of it does, with which its envelope key goes.
    """

    def version(self, conversation: bytes) -> int | None: ...
    def head(self, conversation: bytes) -> bytes: ...
    def read(self, conversation: bytes, table: str, begin: GroupKey) -> dict[GroupKey, bytes]: ...
    def write(
        self,
        conversation: bytes,
        head: bytes | None,
        cleared: Iterable[tuple[str, GroupKey]],
        rows: Mapping[str, Mapping[GroupKey, bytes | None]],
    ) -> int: ...
    def end_epochs(self, conversation: bytes, before: int, now_ms: int) -> None: ...
    def epochs_with_keys(self, conversation: bytes) -> Iterable[EndedEpoch]: ...
    def first_ended(self, conversation: bytes, since_ms: int) -> int | None: ...
    def forget_keys(self, conversation: bytes, before: int) -> None: ...
    def forget_epochs(self, conversation: bytes, before: int) -> None: ...


class CommitOrders(Protocol):
    """Void Commits of each epoch by their digests, and the winners that the server named.

    `put_void` keeps at most `most` of an epoch that the server has not named. `give_up` takes the
    newest winner for lost if it was named before that moment and is not void; whether it did.
    `passed` is the newest winner that is void or lost, `missing` one that is neither; empty without
    one.
    """

    def put_void(self, conversation: bytes, epoch: int, digest: bytes, most: int) -> None: ...
    def put_winner(self, conversation: bytes, epoch: int, digest: bytes, now_ms: int) -> None: ...
    def give_up(self, conversation: bytes, epoch: int, before_ms: int) -> bool: ...
    def is_passed(self, conversation: bytes, epoch: int, digest: bytes) -> bool: ...
    def passed(self, conversation: bytes, epoch: int) -> bytes: ...
    def missing(self, conversation: bytes, epoch: int) -> bytes: ...
    def forget_before(self, conversation: bytes, epoch: int) -> None: ...
