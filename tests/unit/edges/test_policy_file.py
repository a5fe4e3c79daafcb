"""A domain's MTA-STS policy is fetched within bounds of time, size and kind."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from blackthorn.edges.outbound import limits
from blackthorn.edges.outbound.policy_file import fetch_policy
from blackthorn.errors import UnavailableError

PACKED = {"content-type": "text/plain", "content-encoding": "gzip"}
Answer = Callable[[httpx.Request], httpx.Response]


async def drops() -> AsyncIterator[bytes]:
    while True:
        yield b"x"
        await asyncio.sleep(0.01)


def fetched(answer: Answer) -> bytes:
    async def fetch() -> bytes:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            return await fetch_policy(client, "mta-sts.far.example", 0.2)

    return asyncio.run(fetch())


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("[Errno -2] Name or service not known")


def test_a_policy_is_the_file_as_it_is() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == "https://mta-sts.far.example/.well-known/mta-sts.txt"
        assert request.headers["accept-encoding"] == "identity"
        return httpx.Response(200, headers={"content-type": "Text/Plain; charset=x"}, content=b"p")

    assert fetched(answer) == b"p"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            lambda _: httpx.Response(200, headers={"content-type": "text/plain"}, content=drops()),
            "no whole answer in 0 seconds",
        ),
        (lambda _: httpx.Response(200, text="x" * (limits.MAX_POLICY_BYTES + 1)), "too large"),
        (lambda _: httpx.Response(200, html="x"), "not of the type text/plain"),
        (lambda _: httpx.Response(200, headers=PACKED, content=gzip.compress(b"p")), "of the type"),
        (lambda _: httpx.Response(404, text="x"), "answers 404"),
        (lambda _: httpx.Response(301, headers={"location": "https://far.example"}), "answers 301"),
        (unreachable, "txt: Name or service"),
    ],
)
def test_anything_else_is_no_policy(answer: Answer, reason: str) -> None:
    with pytest.raises(UnavailableError, match=reason):
        fetched(answer)
