"""`make vectors`: have the published test vectors and the mail corpus at hand.

Each set is looked for where its environment variable points, then in `.vectors/`; otherwise it
is fetched, at the pinned commit, within a bounded time, and kept only when every file has the
digest in `vectors.sha256`. Without a network it says in one line which tests will be
reported as absent, and succeeds: tests must not need the Internet.
"""

import hashlib
import io
import os
import shutil
import sys
import tarfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

ROOT = Path(__file__).resolve().parent.parent
FETCHED = ROOT / ".vectors"
MANIFEST = ROOT / "tools" / "vectors.sha256"
CONNECT_SECONDS = 10
FETCH_SECONDS = 120
MAX_ARCHIVE_BYTES = 200 * 1024 * 1024
PIECE_BYTES = 64 * 1024

console = Console(highlight=False)


@dataclass(frozen=True)
class VectorSet:
    """One published set: where it is found and where it comes from."""

    title: str
    variable: str
    folder: str
    archive: str
    inside: str


SETS = (
    VectorSet(
        title="RFC 9420 vectors",
        variable="BLACKTHORN_MLS_VECTORS",
        folder="mls",
        archive="https://github.com/mlswg/mls-implementations/archive/cfd4502.tar.gz",
        inside="test-vectors",
    ),
    VectorSet(
        title="mail corpus",
        variable="BLACKTHORN_MAIL_CORPUS",
        folder="mail",
        archive="https://github.com/stalwartlabs/mail-parser/archive/339a430.tar.gz",
        inside="resources/eml",
    ),
)


class FetchError(Exception):
    """The set could not be fetched; the text says why in a few words."""


def manifest(wanted: VectorSet) -> dict[str, str]:
    """The files of a set, by their path within it, each with its SHA-256 as hex."""
    lines = (line.split(maxsplit=1) for line in MANIFEST.read_text().splitlines())
    prefix = wanted.folder + "/"
    return {path.removeprefix(prefix): digest for digest, path in lines if path.startswith(prefix)}


def download(url: str, title: str) -> bytes:
    """The bytes behind `url`, with a progress bar; FetchError after FETCH_SECONDS at the latest."""
    deadline = time.monotonic() + FETCH_SECONDS
    bar = Progress(
        TextColumn(f"fetching the {title}"), BarColumn(), DownloadColumn(), console=console
    )
    received = bytearray()
    try:
        with urllib.request.urlopen(url, timeout=CONNECT_SECONDS) as answer, bar:
            length = answer.headers.get("Content-Length")
            task = bar.add_task("fetch", total=int(length) if length else None)
            while piece := answer.read(PIECE_BYTES):
                received += piece
                bar.update(task, completed=len(received))
                if time.monotonic() > deadline:
                    raise FetchError(f"not done in {FETCH_SECONDS} s")
                if len(received) > MAX_ARCHIVE_BYTES:
                    raise FetchError(f"more than {MAX_ARCHIVE_BYTES} bytes")
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise FetchError(getattr(reason, "strerror", None) or str(reason)) from None
    return bytes(received)


def unpack(wanted: VectorSet, archive: bytes) -> dict[str, bytes]:
    """The set's files out of the fetched archive; FetchError unless every one is as pinned."""
    digests = manifest(wanted)
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            for member in tar:
                _, _, path = member.name.partition("/")
                name = path.removeprefix(wanted.inside + "/")
                content = tar.extractfile(member) if name != path and name in digests else None
                if content is not None:
                    files[name] = content.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise FetchError(f"not an archive: {error}") from None
    for name, digest in digests.items():
        if hashlib.sha256(files.get(name, b"")).hexdigest() != digest:
            raise FetchError(f"{name} is missing or is not the pinned one")
    return files


def store(files: dict[str, bytes], folder: Path) -> None:
    """Write the files beside `folder`, then move them there as one."""
    building = folder.with_suffix(".new")
    shutil.rmtree(building, ignore_errors=True)
    for name, content in files.items():
        target = building / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    building.rename(folder)


def provide(wanted: VectorSet) -> str:
    """Make sure of one set; returns the line to tell the person."""
    pointed = os.environ.get(wanted.variable)
    if pointed and Path(pointed).is_dir():
        return f"{wanted.title}: {pointed} ({wanted.variable})"
    folder = FETCHED / wanted.folder
    if folder.is_dir():
        return f"{wanted.title}: {folder.relative_to(ROOT)}"
    try:
        files = unpack(wanted, download(wanted.archive, wanted.title))
    except FetchError as error:
        return f"{wanted.title}: not fetched ({error}); its tests will be reported as absent"
    store(files, folder)
    return f"{wanted.title}: fetched {len(files)} files into {folder.relative_to(ROOT)}"


def main() -> int:
    """Provide every set, telling in one line each; always 0."""
    for wanted in SETS:
        console.print(provide(wanted), markup=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
