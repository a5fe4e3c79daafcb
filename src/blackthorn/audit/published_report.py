"""`blackthorn audit report`: compares published files, byte for byte, with the ledger.

A file states its period and number of ledger entries. The ledger is read and verified, and files
are generated again at the heads of those sizes.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from blackthorn import errors
from blackthorn.audit import limits
from blackthorn.audit.ledger import Progress
from blackthorn.audit.report import read_log
from blackthorn.audit.sources import HttpSource
from blackthorn.errors import InputError, SecurityError, UserError, VerificationError
from blackthorn.report import stated
from blackthorn.report.differences import differences
from blackthorn.report.files import ENDINGS, FEED, make_one, split_name
from blackthorn.report.history import Snapshot
from blackthorn.report.period import Period, half_year, parse_period


@dataclass(frozen=True, slots=True)
class File:
    """A published file: `period` None for the feed, `policy` "" if none is stated."""

    name: str
    ending: str
    data: bytes
    period: Period | None
    size: int
    policy: str


@dataclass
class Verdict:
    """File → its differences, [] for none."""

    ledger: str
    entries: int = 0
    files: dict[str, list[str]] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return not any(self.files.values())

    def as_json(self) -> dict[str, Any]:
        return {
            "holds": self.holds,
            "ledger": self.ledger,
            "entries": self.entries,
            "files": self.files,
        }


def check(target: str, ledger: str, policy: Path | None, progress: Progress) -> Verdict:
    """Compare a file, a folder or an address of a report with the ledger.

    Raises SecurityError when a fault of ledger or file prevents the comparison.
    """
    files = _stated(_load(target))
    verdict = Verdict(ledger)

    def at_head(stand: Snapshot, own_policy: str) -> None:
        for file in files:
            if file.size == stand.size:
                verdict.files[file.name] = _compare(file, stand, own_policy)

    read = read_log(ledger, policy, progress, at_head)
    verdict.entries = read.stand.size
    for file in files:
        if file.name in verdict.files:
            continue
        if file.size > read.stand.size:
            text = f"and the ledger shows {read.stand.size}"
        else:
            text = "where no epoch of the ledger ends"
        raise SecurityError(f"{file.name} is made of {file.size} entries, {text}")
    return verdict


def _compare(file: File, stand: Snapshot, own_policy: str) -> list[str]:
    period = file.period or half_year(stand.unix_ms)
    try:
        made = make_one(stand, period, file.policy or own_policy, file.ending)
    except VerificationError:
        if file.policy:
            raise
        text = f"{file.name} is older than the ledger's trust policy: check it beside its JSON"
        raise UserError(text) from None
    return differences(file.ending, file.data, made)


def _load(target: str) -> dict[str, bytes]:
    if "://" in target:
        return _fetch(target)
    path = Path(target)
    if not path.is_dir():
        split_name(path.name)
        return {path.name: _read_file(path)}
    with errors.system_error(UserError, f"{path} cannot be read"):
        known = [file for file in sorted(path.iterdir()) if _is_report(file.name)]
    if not known:
        raise UserError(f"{path} has no file of a report")
    if len(known) > limits.MAX_REPORT_FILES:
        raise errors.LimitError(
            f"{path} holds more than {limits.MAX_REPORT_FILES} files of reports"
        )
    return {file.name: _read_file(file) for file in known}


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
        raise UserError(f"{path} does not exist") from None
    except OSError as error:
        raise errors.DiskError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > limits.MAX_REPORT_BYTES:
        raise errors.LimitError(f"{path} is larger than any report")
    return data


def _fetch(url: str) -> dict[str, bytes]:
    """The file at an address, or all files of the period that it names."""
    parts = urlsplit(url)
    folder, _, last = parts.path.rpartition("/")
    if _is_report(last):
        names = [last]
    else:
        try:
            period = parse_period(last)
        except InputError:
            text = f"{url} names no report: add its period, as in https://HOST/report/2015H2"
            raise UserError(text) from None
        names = [*(f"{period.name}{ending}" for ending in ENDINGS), FEED]
    found = {}
    with HttpSource(f"{parts.scheme}://{parts.netloc}{folder}") as source:
        for name in names:
            data = source.read(name)
            if data is None:
                raise UserError(
                    f"the server publishes no {name}: its newest periods are listed at "
                    f"{parts.scheme}://{parts.netloc}{folder}/"
                )
            found[name] = data
    return found


def _stated(published: dict[str, bytes]) -> list[File]:
    said = {}
    for name, data in published.items():
        ending = split_name(name)[1]
        said[name] = (ending, stated.read(name, ending, data))
    return [_file(name, published[name], said) for name in published]


def _file(name: str, data: bytes, said: dict[str, tuple[str, stated.Claims]]) -> File:
    """The file, completed by the JSON of its period."""
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
        raise SecurityError(f"{name} states an impossible period") from None
    if _is_report(name) and period.name != named:
        raise SecurityError(f"{name} has another period in its name than inside: {period.name}")
    policy = own.policy or (beside.policy if beside.size == size else None)
    return File(name, ending, data, period, size, policy or "")
