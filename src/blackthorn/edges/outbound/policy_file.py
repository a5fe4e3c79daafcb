"""Fetches the file of an MTA-STS policy (RFC 8461, 3.3), for delivery and for `dns check`."""

import asyncio
import re
from typing import Final

import httpx

from blackthorn.edges.outbound import limits
from blackthorn.errors import UnavailableError

_ERRNO: Final = re.compile(r"^\[Errno -?[0-9]+\] ")
_PLAIN: Final = "identity"
"""The only encoding: what is packed may be of any size once it is not."""


async def fetch_policy(client: httpx.AsyncClient, host: str, seconds: float) -> bytes:
    """The file of a host such as mta-sts.far.example, in so many seconds; no redirect is followed.

    `client` verifies certificates by the public authorities. Raises UnavailableError with the
    reason: also for another type of content, and beyond MAX_POLICY_BYTES.
    """
    url = f"https://{host}/.well-known/mta-sts.txt"
    try:
        async with asyncio.timeout(seconds):
            return await _fetch(client, url, seconds)
    except TimeoutError:
        reason = f"no whole answer in {seconds:.0f} seconds"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = _ERRNO.sub("", str(error)) or type(error).__name__
    raise UnavailableError(f"{url}: {reason}")


async def _fetch(client: httpx.AsyncClient, url: str, seconds: float) -> bytes:
    data = bytearray()
    headers = {"accept-encoding": _PLAIN}
    asked = client.stream("GET", url, headers=headers, timeout=seconds, follow_redirects=False)
    async with asked as answer:
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if answer.status_code != httpx.codes.OK:
            raise UnavailableError(f"{url} answers {answer.status_code}")
        if kind != "text/plain" or answer.headers.get("content-encoding", _PLAIN) != _PLAIN:
            raise UnavailableError(f"{url} is not of the type text/plain")
        async for piece in answer.aiter_bytes():
            data += piece
            if len(data) > limits.MAX_POLICY_BYTES:
                raise UnavailableError(f"{url} is too large")
    return bytes(data)
