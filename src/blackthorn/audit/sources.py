"""Where an auditor reads a log: a server's tiles over HTTP, or a mirror of them in a folder.

TLS certificates are not looked at, and none is trusted: whatever comes is believed only as far
as the log's signature and its witnesses' cosignatures reach. TLS hides from the network what is
read, and no more. A tile that a checkpoint needs and that is not there is no mishap: it is data
that the log has signed and hides.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

import httpx

from blackthorn.audit import limits
from blackthorn.errors import DiskError, SecurityError, UnavailableError, UserError
from blackthorn.tlog.tiles import FULL, Tile

_SECONDS: Final = 30.0


class Source(Protocol):
    """Reads by path, as in c2sp.org/tlog-tiles."""

    def read(self, path: str) -> bytes | None:
        """What is at the path, None when there is nothing."""


def need(source: Source, path: str) -> bytes:
    """What is at the path. Raises SecurityError when there is nothing."""
    data = source.read(path)
    if data is None:
        raise SecurityError(f"{path} is missing: the log has signed it and does not show it")
    return data


def need_tile(source: Source, tile: Tile) -> bytes:
    """The bytes of a tile or bundle; the full one serves where a partial one is gone."""
    data = source.read(tile.path)
    if data is None and tile.width < FULL:
        data = source.read(Tile(tile.level, tile.index).path)
    return data if data is not None else need(source, tile.path)


class HttpSource:
    """Below an address with http:// or https://. Use it in a `with` block."""

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

    def read(self, path: str) -> bytes | None:
        """See `Source`. Raises UnavailableError, and UserError for an address that is none."""
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
                    if len(data) > limits.MAX_AUDIT_ANSWER_BYTES:
                        raise SecurityError(f"{url} answers more than any tile has")
                return bytes(data)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise UserError(f"{self._base!r} is no address of a log") from None
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise UnavailableError(f"{url} cannot be read: {reason}") from None


@dataclass
class FolderSource:
    """A folder that holds `checkpoint`, `policy` and `tile/…`, as a mirror does."""

    folder: Path

    def read(self, path: str) -> bytes | None:
        """See `Source`. Raises DiskError."""
        try:
            return (self.folder / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DiskError(f"{self.folder / path} cannot be read: {error.strerror}") from None
