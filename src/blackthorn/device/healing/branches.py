"""Two branches of one group (H12): which one goes on, counted over users by own questions. Pure.

The branch with more users goes on; of equals that with the greater mark, which all members of an
epoch share. A user who made a Commit at which the branches part counts for neither: an insider who
forks a group would otherwise speak for both.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from blackthorn.device.healing import limits
from blackthorn.device.healing.notes import Reply


@dataclass(frozen=True, slots=True)
class Own:
    """The own branch: its mark, this user, and who made its Commits where others part from it.

    `asked` users can be asked; `over`: all were, and had time to answer.
    """

    mark: bytes
    me: str
    makers: frozenset[str]
    asked: int
    over: bool


def parted(replies: Sequence[Reply]) -> list[Reply]:
    """The replies of other users on another branch."""
    return [one for one in replies if one.mark and not one.own]


def goes_on(own: Own, replies: Sequence[Reply], same: Collection[str]) -> bool | None:
    """Whether the own branch goes on; None as long as users who have not answered may decide it.

    `same` are the users who say that they are where this device is.
    """
    away = parted(replies)
    makers = own.makers | {_maker(away)}
    mine = ({own.me} | set(same)) - makers
    marks = {one.mark for one in away}
    sizes = {mark: len({one.user for one in away if one.mark == mark} - makers) for mark in marks}
    rival, size = max(sizes.items(), key=lambda item: (item[1], item[0]), default=(b"", 0))
    heard = (set(same) - {own.me}) | {one.user for one in away}
    silent = min(own.asked, limits.MAX_COUNTED_USERS) - len(heard)
    if silent > 0 and abs(len(mine) - size) <= silent and not own.over:
        return None
    return (len(mine), own.mark) > (size, rival)


def _maker(away: Sequence[Reply]) -> str:
    """Who made the Commit that began the other branch, by the word of most who are there.

    Of equally many it is one who is there: a fork's maker may name somebody else.
    """
    named = Counter(one.maker for one in away if one.maker)
    there = {one.user for one in away}
    return max(named, key=lambda user: (named[user], user in there, user), default="")
