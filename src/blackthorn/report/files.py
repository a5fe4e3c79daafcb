"""The files of a report by name."""

from typing import Final

from blackthorn.errors import InputError
from blackthorn.report import atom, document, history, page, tables
from blackthorn.report.figures import Figures, compute
from blackthorn.report.period import Period

FEED: Final = "atom.xml"
ENDINGS: Final = (".html", ".json", ".csv", "-directives.csv")
SHOWING_POLICY: Final = (".html", ".json")


def make(stand: history.Snapshot, period: Period, policy: str) -> dict[str, bytes]:
    """All files of a period by name. Raises VerificationError for another policy."""
    document.check_policy(policy, stand)
    figures = compute(stand, period)
    files = {f"{period.name}{ending}": _file(figures, stand, policy, ending) for ending in ENDINGS}
    return {**files, FEED: atom.feed(stand)}


def make_one(stand: history.Snapshot, period: Period, policy: str, ending: str) -> bytes:
    """One file. Raises VerificationError for another policy where the file shows it."""
    if ending == FEED:
        return atom.feed(stand)
    if ending in SHOWING_POLICY:
        document.check_policy(policy, stand)
    return _file(compute(stand, period), stand, policy, ending)


def _file(figures: Figures, stand: history.Snapshot, policy: str, ending: str) -> bytes:
    match ending:
        case ".html":
            return page.page(figures, stand, policy)
        case ".json":
            return document.encode(document.document(figures, stand, policy))
        case ".csv":
            return tables.counts_csv(figures, stand)
    return tables.directives_csv(figures, stand)


def split_name(name: str) -> tuple[str, str]:
    """A period's name and an ending, or ("", FEED). Raises InputError for another name."""
    if name == FEED:
        return "", FEED
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if name.endswith(ending):
            return name.removesuffix(ending), ending
    raise InputError(f"{name!r} is no file of a report")
