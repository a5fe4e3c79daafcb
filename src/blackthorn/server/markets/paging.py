"""Reading many rows page by page, so that no query and no turn of the event loop is long."""

from collections.abc import Callable
from typing import TypeVar

from blackthorn.errors import BlackthornError
from blackthorn.ports.store import Done, Query, Reader

Page = TypeVar("Page")
Key = TypeVar("Key")


def read_pages(
    reader: Reader,
    first: Key,
    query: Callable[[Key], Query[Page]],
    take: Callable[[Page], Key | None],
    done: Done[None],
) -> None:
    """Ask for the page at `first`, then at the key that `take` returns, until that is None."""

    def ask(key: Key) -> None:
        reader.ask(query(key), answered)

    def answered(page: Page | BlackthornError) -> None:
        if isinstance(page, BlackthornError):
            done(page)
            return
        following = take(page)
        if following is None:
            done(None)
        else:
            ask(following)

    ask(first)
