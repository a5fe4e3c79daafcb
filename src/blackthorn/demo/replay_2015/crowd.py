"""The users of the replay: made in worker processes, activated, with mail.

Some never activate a device and cannot be notified. Counts are taken from the database.
"""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final, Self, TypeVar

from blackthorn.demo.replay_2015.people import PeopleTask, Person, make_people
from blackthorn.demo.replay_2015.world import DOMAIN, World

MAILS: Final = 3
MESSAGES: Final = 2
MARKETS: Final = ("AE", "CA", "GB")
LANGUAGES: Final = {"PK": "ur", "AE": "ar"}
NEVER_ACTIVATED: Final = 50
"""One user in this many never activates a device."""

_BATCH: Final = 64
_AHEAD: Final = 4
Task = TypeVar("Task")
Result = TypeVar("Result")


class Workers:
    """Worker processes for keys, mail and exports."""

    def __init__(self, count: int) -> None:
        self._pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def map(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """The results in order, with few computed ahead."""
        waiting: deque[Future[list[Result]]] = deque()
        for batch in in_batches(tasks, _BATCH // 4):
            waiting.append(self._pool.submit(_all, work, batch))
            if len(waiting) >= _AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _all(work: Callable[[Task], Result], batch: Sequence[Task]) -> list[Result]:
    return [work(task) for task in batch]


def in_batches(tasks: Iterable[Task], size: int) -> Iterator[list[Task]]:
    remaining = iter(tasks)
    while batch := list(islice(remaining, size)):
        yield batch


@dataclass
class Population:
    """`people` by address have a device; `silent` are the addresses of the others."""

    people: dict[str, Person] = field(default_factory=dict, repr=False)
    silent: list[str] = field(default_factory=list)


def settle_in(
    world: World,
    workers: Workers,
    markets: Sequence[str],
    count: int,
    advance: Callable[[int], None],
) -> Population:
    """Create `count` users in these markets; pairs of one market have a conversation."""
    crowd, tasks = Population(), []
    homes = _homes(markets, count)
    for market, addresses in homes.items():
        world.open_market(market)
        silent = addresses[: len(addresses) // NEVER_ACTIVATED]
        crowd.silent += silent
        active = [each for each in addresses if each not in set(silent)]
        pairs = in_batches(active, 2)
        tasks += [PeopleTask(tuple(pair), world.clock.now_ms, MAILS, MESSAGES) for pair in pairs]
    market_of = {each: market for market, found in homes.items() for each in found}
    plates = {
        each: world.add_user(each, market, LANGUAGES.get(market, "en"))
        for each, market in market_of.items()
    }
    for group in in_batches(workers.map(make_people, tasks), _BATCH // 2):
        arrived = [person for pair in group for person in pair]
        world.enrol([(plates[each.address], each) for each in arrived])
        world.store_mail([(each.address, mail) for each in arrived for mail in each.mails])
        world.store_parcels([(each.address, data) for each in arrived for data in each.parcels])
        crowd.people |= {each.address: replace(each, mails=(), parcels=()) for each in arrived}
        advance(len(arrived))
    world.settle()
    return crowd


def _homes(markets: Sequence[str], count: int) -> dict[str, list[str]]:
    homes: dict[str, list[str]] = {market: [] for market in markets}
    for number in range(count):
        market = markets[number % len(markets)]
        homes[market].append(f"{market.lower()}{number + 1:05}@{DOMAIN}")
    return homes
