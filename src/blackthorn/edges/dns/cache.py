"""Answers of the domain name system, kept for a bounded time, the least used forgotten first."""

from collections import OrderedDict
from typing import Any

from blackthorn.edges.dns import limits
from blackthorn.ports.dns import Answer, Caa, Txt

Key = tuple[str, type[Any]]


class AnswerCache:
    """At most MAX_CACHED_ANSWERS answers. `now` is in seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, tuple[float, Answer[Any]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key, now: float) -> Answer[Any] | None:
        """An answer that still holds, or None."""
        found = self._kept.get(key)
        if found is None:
            return None
        if found[0] <= now:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return found[1]

    def put(self, key: Key, answer: Answer[Any], ttl: float, now: float) -> None:
        """Keep an answer for `ttl` seconds, within the bounds."""
        longest = limits.MAX_TTL_SECONDS if answer.records else limits.MAX_ABSENT_SECONDS
        if ttl <= 0 or _size(answer) > limits.MAX_CACHED_ANSWER_BYTES:
            return
        self._kept[key] = now + min(ttl, longest), answer
        self._kept.move_to_end(key)
        if len(self._kept) > limits.MAX_CACHED_ANSWERS:
            self._kept.popitem(last=False)


def _size(answer: Answer[Any]) -> int:
    """Bytes of an answer, about."""
    return sum(
        len(record.text)
        if isinstance(record, Txt)
        else 64 + len(getattr(record, "host", ""))
        if not isinstance(record, Caa)
        else 64 + len(record.value)
        for record in answer.records
    )
