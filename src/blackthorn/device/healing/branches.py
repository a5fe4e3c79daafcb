"""Two branches of one group (H12): which one goes on, counted over users by own questions. Pure.

The branch with more users goes on; of equals that with the greater mark, which is that of its first
epoch. Only users count who were there where the branches part: who was added on one side is unknown
on the other, and both would go on. A user who made a Commit at which the branches part counts for
neither: an insider who forks a group would otherwise speak for both.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from blackthorn.device.healing.notes import Reply


@dataclass(frozen=True, slots=True)
class Own:
    """The own branch: its mark, this user, and who made its Commits where others part from it.

    `counted` are users of the tree at which they part; `silent` those who may still answer.
    """

    mark: bytes
    me: str
    makers: frozenset[str]
    counted: frozenset[str]
    silent: frozenset[str]


def parted(replies: Sequence[Reply]) -> list[Reply]:
    """The replies of other users on another branch."""
    return [one for one in replies if one.mark and not one.own]


def parting(replies: Sequence[Reply]) -> int:
    """The epoch after which the branches part, by the word of most who are on another; 0: none."""
    named = Counter(one.parted for one in parted(replies))
    return max(named, key=lambda epoch: (named[epoch], -epoch), default=0)


def goes_on(own: Own, replies: Sequence[Reply], same: Collection[str]) -> bool | None:
    """Whether the own branch goes on; None as long as users who have not answered may decide it.

    While nobody has told of another branch, anybody may: it is not known yet who counts.
    `same` are the users who say that they are where this device is. Who is behind on the own branch
    names its mark.
    """
    away = [one for one in parted(replies) if one.mark != own.mark]
    behind = {one.user for one in parted(replies) if one.mark == own.mark}
    makers = own.makers | {_maker(away)}
    counted = own.counted - makers
    mine = ({own.me} | behind | set(same)) & counted
    marks = {one.mark for one in away}
    sizes = {mark: len({one.user for one in away if one.mark == mark} & counted) for mark in marks}
    rival, size = max(sizes.items(), key=lambda item: (item[1], item[0]), default=(b"", 0))
    silent = (own.silent & counted) - set(same) - {one.user for one in parted(replies)}
    if silent and (not away or abs(len(mine) - size) <= len(silent)):
        return None
    return not away or (len(mine), own.mark) > (size, rival)


def _maker(away: Sequence[Reply]) -> str:
    """Who made the Commit that began the other branch, by the word of most who are there.

    Of equally many it is one who is there: a fork's maker may name somebody else.
    """
    named = Counter(one.maker for one in away if one.maker)
    there = {one.user for one in away}
    return max(named, key=lambda user: (named[user], user in there, user), default="")
