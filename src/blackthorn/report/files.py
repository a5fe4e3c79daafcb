"""The files of a report, by name: what is written, what is served, and what is checked."""

from typing import Final

from blackthorn.errors import InputError
from blackthorn.report import atom, document, page, tables
from blackthorn.report.figures import compute
from blackthorn.report.history import Stand
from blackthorn.report.period import Period

FEED: Final = "atom.xml"
ENDINGS: Final = (".html", ".json", ".csv", "-directives.csv")
"""Behind a period's name."""


def make(stand: Stand, period: Period, policy: str) -> dict[str, bytes]:
    """All files of a period: name → bytes. Raises `VerificationError` for another policy."""
    document.check_policy(policy, stand)
    figures = compute(stand, period)
    return {
        f"{period.name}.html": page.page(figures, stand, policy),
        f"{period.name}.json": document.encode(document.document(figures, stand, policy)),
        f"{period.name}.csv": tables.counts_csv(figures, stand),
        f"{period.name}-directives.csv": tables.directives_csv(figures, stand),
        FEED: atom.feed(stand),
    }


def split_name(name: str) -> tuple[str, str]:
    """A period's name and an ending, or ("", FEED). Raises InputError for another name."""
    if name == FEED:
        return "", FEED
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if name.endswith(ending):
            return name.removesuffix(ending), ending
    raise InputError(f"{name!r} is no file of a report")
