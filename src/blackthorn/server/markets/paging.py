"""Reads many rows in pages, so that no query and no turn of the event loop is long."""

from collections.abc import Callable
from typing import TypeVar

from blackthorn.ports.store import Done, Query, Reader, unless_failed

Page = TypeVar("Page")
Key = TypeVar("Key")


def read_pages(
    reader: Reader,
    first: Key,
    query: Callable[[Key], Query[Page]],
    take: Callable[[Page], Key | None],
    done: Done[None],
) -> None:
    """Ask for the page at `first`, then at the keys returned by `take`, until None."""

    def ask(key: Key) -> None:
        reader.ask(query(key), unless_failed(done, answered))

    def answered(page: Page) -> None:
        following = take(page)
        if following is None:
            done(None)
        else:
            ask(following)

    ask(first)
