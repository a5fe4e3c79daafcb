"""The storing half of `Group`: in one piece, or in rows."""

from typing import Self

from blackthorn.mls import limits
from blackthorn.mls.group import state_codec, state_rows
from blackthorn.mls.group.group_view import GroupView
from blackthorn.mls.group.state import State


class StoredGroup(GroupView):
    """What a store asks of a group. All that is stored has secrets: encrypt it."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._taken: state_rows.Taken | None = None

    def serialise(self) -> bytes:
        """The stored form in one piece."""
        return state_codec.encode_state(self._state)

    @classmethod
    def deserialise(cls, data: bytes) -> Self:
        """The inverse of `serialise`. Raises `MalformedMessage`."""
        return cls(state_codec.decode_state(data))

    @classmethod
    def load(cls, head: bytes, read: state_rows.Read) -> Self:
        """A group from its rows, without its past epochs (`recall`). Raises `MalformedMessage`."""
        state, taken = state_rows.load(head, read)
        group = cls(state)
        group._taken = taken
        return group

    def continue_from(self, before: "StoredGroup") -> None:
        """This group was joined in the place of `before`, whose keys for late messages stay.

        Nothing of a branch stays that has the same epochs: its rows are replaced.
        """
        if before.epoch < self.epoch and before._taken is not None:
            kept = [before._state.epoch.past(), *before._state.past]
            self._state.past = kept[: limits.MLS_PAST_EPOCHS]
            self._taken = before._taken

    @property
    def is_altered(self) -> bool:
        """Whether `take_changes` would give any."""
        return state_rows.differs(self._state, self._taken)

    def take_changes(self) -> state_rows.Changes | None:
        """What to write in rows since this was asked last, or since `load`; None: nothing.

        A group whose changes were taken and not written is to be dropped.
        """
        made = state_rows.take(self._state, self._taken)
        if made is None:
            return None
        changes, self._taken = made
        return changes

    def recall(self, epoch: int, read: state_rows.Read) -> None:
        """Read a past epoch again, if there are rows of it. Raises `MalformedMessage`."""
        past = self._state.past
        if epoch >= self.epoch or any(kept.context.epoch == epoch for kept in past):
            return
        found = state_rows.recall(epoch, read)
        if found is not None:
            kept = past[: 2 * limits.MLS_PAST_EPOCHS - 1]
            self._state.past = sorted([*kept, found], key=lambda one: -one.context.epoch)
