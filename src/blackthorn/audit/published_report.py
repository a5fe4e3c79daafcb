"""`blackthorn audit report`: what is published is, byte for byte, what the ledger gives.

Each file says of which period it is and of how many entries of the ledger. The ledger is read
and checked whole; at the heads of those sizes the files are made anew and compared.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from blackthorn.audit import limits
from blackthorn.audit.ledger import Progress
from blackthorn.audit.report import read_log
from blackthorn.audit.sources import HttpSource
from blackthorn.errors import (
    DiskError,
    InputError,
    LimitError,
    SecurityError,
    UserError,
    VerificationError,
    system_error,
)
from blackthorn.report import stated
from blackthorn.report.differences import differences
from blackthorn.report.files import ENDINGS, FEED, make_one, split_name
from blackthorn.report.history import Snapshot
from blackthorn.report.period import Period, half_year, parse_period


@dataclass(frozen=True, slots=True)
class File:
    """A published file: `period` None for the feed, `policy` "" where none stands beside it."""

    name: str
    ending: str
    data: bytes
    period: Period | None
    size: int
    policy: str


@dataclass
class Verdict:
    """What came of it: file → its differences, [] when there is none."""

    ledger: str
    entries: int = 0
    files: dict[str, list[str]] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every file is what the ledger gives."""
        return not any(self.files.values())

    def as_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "holds": self.holds,
            "ledger": self.ledger,
            "entries": self.entries,
            "files": self.files,
        }


def check(target: str, ledger: str, policy: Path | None, progress: Progress) -> Verdict:
    """Compare a file, a folder or an address of a report with the ledger.

    Raises SecurityError when the ledger or a file is wrong in a way that ends the comparison.
    """
    files = _stated(_load(target))
    verdict = Verdict(ledger)

    def at_head(stand: Snapshot, own_policy: str) -> None:
        for each in files:
            if each.size == stand.size:
                verdict.files[each.name] = _compare(each, stand, own_policy)

    read = read_log(ledger, policy, progress, at_head)
    verdict.entries = read.stand.size
    for each in files:
        if each.name in verdict.files:
            continue
        if each.size > read.stand.size:
            text = f"and the ledger shows {read.stand.size}"
        else:
            text = "where no epoch of the ledger ends"
        raise SecurityError(f"{each.name} is made of {each.size} entries, {text}")
    return verdict


def _compare(file: File, stand: Snapshot, own_policy: str) -> list[str]:
    period = file.period or half_year(stand.unix_ms)
    try:
        made = make_one(stand, period, file.policy or own_policy, file.ending)
    except VerificationError:
        if file.policy:
            raise
        raise UserError(
            f"{file.name} is older than the ledger's trust policy: check it beside its JSON"
        ) from None
    return differences(file.ending, file.data, made)


# --- Which files there are, and what they say of themselves -----------------------------------


def _load(target: str) -> dict[str, bytes]:
    if "://" in target:
        return _fetch(target)
    path = Path(target)
    if not path.is_dir():
        split_name(path.name)
        return {path.name: _read_file(path)}
    with system_error(UserError, f"{path} cannot be read"):
        known = [each for each in sorted(path.iterdir()) if _is_report(each.name)]
    if not known:
        raise UserError(f"{path} holds no file of a report")
    if len(known) > limits.MAX_REPORT_FILES:
        raise LimitError(f"{path} holds more than {limits.MAX_REPORT_FILES} files of reports")
    return {each.name: _read_file(each) for each in known}


def _is_report(name: str) -> bool:
    try:
        period, _ = split_name(name)
        if period:
            parse_period(period)
    except InputError:
        return False
    return True


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as opened:
            data = opened.read(limits.MAX_REPORT_BYTES + 1)
    except FileNotFoundError:
        raise UserError(f"{path} is not there") from None
    except OSError as error:
        raise DiskError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > limits.MAX_REPORT_BYTES:
        raise LimitError(f"{path} is larger than any report")
    return data


def _fetch(url: str) -> dict[str, bytes]:
    """The file at an address; all files of a period when it names the period alone."""
    parts = urlsplit(url)
    folder, _, last = parts.path.rpartition("/")
    if _is_report(last):
        names = [last]
    else:
        try:
            period = parse_period(last)
        except InputError:
            raise UserError(
                f"{url} names no report: say its period, as in https://HOST/report/2015H2"
            ) from None
        names = [*(f"{period.name}{ending}" for ending in ENDINGS), FEED]
    found = {}
    with HttpSource(f"{parts.scheme}://{parts.netloc}{folder}") as source:
        for name in names:
            data = source.read(name)
            if data is None:
                raise UserError(f"there is no {name} at {parts.scheme}://{parts.netloc}{folder}/")
            found[name] = data
    return found


def _stated(published: dict[str, bytes]) -> list[File]:
    said = {}
    for name, data in published.items():
        ending = split_name(name)[1]
        said[name] = (ending, stated.read(name, ending, data))
    return [_file(name, published[name], said) for name in published]


def _file(name: str, data: bytes, said: dict[str, tuple[str, stated.Claims]]) -> File:
    """The file, with what the JSON of its period says where it does not say it itself."""
    ending, own = said[name]
    named = split_name(name)[0]
    _, beside = said.get(f"{named}.json", ("", stated.Claims("", None)))
    size = own.size if own.size is not None else beside.size
    if size is None:
        raise UserError(f"{name} has no line that says of which ledger it is: check its folder")
    if ending == FEED:
        return File(name, ending, data, None, size, "")
    try:
        period = parse_period(own.period or beside.period)
    except InputError:
        raise SecurityError(f"{name} is of a period that cannot be") from None
    if _is_report(name) and period.name != named:
        raise SecurityError(f"{name} is named after one period and tells of {period.name}")
    policy = own.policy or (beside.policy if beside.size == size else None)
    return File(name, ending, data, period, size, policy or "")
