"""Where an auditor reads a log: a server's tiles over HTTP, or a mirror folder.

TLS certificates are not verified: all content is authenticated by the log's and its witnesses'
signatures, and TLS only hides the reader's interest. A missing tile that a checkpoint needs is a
fault: the log signed and hides it.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

import httpx

from blackthorn.audit import limits
from blackthorn.errors import DiskError, SecurityError, UnavailableError, UserError
from blackthorn.tlog.tiles import FULL, Tile

_SECONDS: Final = 30.0
_ERRNO: Final = re.compile(r"^\[Errno -?[0-9]+\] ")
"""The system's number before its reason."""


class Source(Protocol):
    """Reads by path, as in c2sp.org/tlog-tiles."""

    def read(self, path: str) -> bytes | None:
        """None for a missing path."""


def need(source: Source, path: str) -> bytes:
    """Raises SecurityError for a missing path."""
    data = source.read(path)
    if data is None:
        raise SecurityError(f"{path} is missing, although the log signed it")
    return data


def need_tile(source: Source, tile: Tile) -> bytes:
    """A tile or bundle, or the full one in place of a missing partial one."""
    data = source.read(tile.path)
    if data is None and tile.width < FULL:
        data = source.read(Tile(tile.level, tile.index).path)
    return data if data is not None else need(source, tile.path)


class HttpSource:
    """An http:// or https:// address; use it in a `with` block."""

    def __init__(self, url: str) -> None:
        self._base = url.rstrip("/")
        self._client = httpx.Client(
            verify=False,  # noqa: S501 - see the module: nothing is believed for its certificate
            headers={"Accept-Encoding": "identity", "User-Agent": "blackthorn"},
            trust_env=False,
            follow_redirects=False,
            timeout=_SECONDS,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def read(self, path: str, bound: int = limits.MAX_AUDIT_ANSWER_BYTES) -> bytes | None:
        """Raises UnavailableError, and UserError for a malformed address."""
        url = f"{self._base}/{path}"
        try:
            with self._client.stream("GET", url) as answer:
                if answer.status_code == httpx.codes.NOT_FOUND:
                    return None
                if answer.status_code != httpx.codes.OK:
                    raise UnavailableError(f"{url} answers {answer.status_code}")
                data = bytearray()
                for piece in answer.iter_raw():
                    data += piece
                    if len(data) > bound:
                        raise SecurityError(f"{url} answers with more than {bound} bytes")
                return bytes(data)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise UserError(f"{self._base!r} is not the address of a log") from None
        except httpx.HTTPError as error:
            reason = _ERRNO.sub("", str(error)) or type(error).__name__
            hint = _other_scheme(self._base, error)
            raise UnavailableError(f"{url} cannot be read: {reason}{hint}") from None


def _other_scheme(base: str, error: httpx.HTTPError) -> str:
    """Advice for an address that speaks, but not as its scheme says; else ""."""
    scheme, _, rest = base.partition("://")
    if scheme == "http" and isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
        return f"; a server's ledger is served by https: try https://{rest}"
    if scheme == "https" and isinstance(error, httpx.ConnectError) and "SSL" in str(error):
        return f"; it does not speak TLS: try http://{rest}"
    return ""


@dataclass
class FolderSource:
    """A mirror: a folder with `checkpoint`, `policy` and `tile/…`."""

    folder: Path

    def read(self, path: str) -> bytes | None:
        """Raises DiskError."""
        try:
            return (self.folder / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DiskError(f"{self.folder / path} cannot be read: {error.strerror}") from None
