"""Operations over HTTP: /healthz, /readyz and /metrics, for the operator's own network.

Just enough HTTP/1.1 for a probe: one GET or HEAD per connection, the head bounded in bytes and
time, no body read. No answer names a person.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from blackthorn.edges.gate import Bounds, Door, Gate, GatedSocket
from blackthorn.edges.http import limits, metrics
from blackthorn.edges.listening import Listener, listen
from blackthorn.server.counters import Counters

Answer = tuple[HTTPStatus, str, bytes]


@dataclass(frozen=True, slots=True)
class Operations:
    """Callbacks of the program.

    `problems`: why the server is not ready, `warnings`: what else to correct, one line each.
    `metrics`: Prometheus' text.
    """

    problems: Callable[[], Awaitable[list[str]]]
    warnings: Callable[[], Awaitable[list[str]]]
    metrics: Callable[[], bytes]


def serve_ops(operations: Operations, counters: Counters, host: str, port: int) -> Listener:
    """Listen on `host`:`port`, behind a gate of its own. Raises UnavailableError."""
    loop = asyncio.get_running_loop()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _serve_one(operations, reader, writer)

    def protocol(accepted: GatedSocket) -> asyncio.BaseProtocol:
        reader = asyncio.StreamReader(limits.MAX_OPS_HEAD_BYTES, loop)
        return asyncio.StreamReaderProtocol(reader, connected, loop)

    most = limits.MAX_OPS_CONNECTIONS
    gate = Gate(counters, Bounds({Door.OPERATIONS: most}, client_sockets=most))
    return listen("operations HTTP", host, port, gate, Door.OPERATIONS, protocol)


async def _serve_one(
    operations: Operations, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        async with asyncio.timeout(limits.OPS_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
            method, answer = await _answer(operations, head)
            writer.write(_encode(method, *answer))
            await writer.drain()
    except (asyncio.LimitOverrunError, asyncio.IncompleteReadError, TimeoutError, OSError):
        pass
    finally:
        writer.close()


async def _answer(operations: Operations, head: bytes) -> tuple[str, Answer]:
    parts = head.split(b"\r\n", 1)[0].decode("ascii", "replace").split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        return "GET", _text(HTTPStatus.BAD_REQUEST, "not an HTTP/1.1 request")
    method, path, _ = parts
    if method not in ("GET", "HEAD"):
        return "GET", _text(HTTPStatus.METHOD_NOT_ALLOWED, "only GET is answered here")
    match path.partition("?")[0]:
        case "/healthz":
            return method, _text(HTTPStatus.OK, "alive")
        case "/readyz":
            problems, warnings = await asyncio.gather(operations.problems(), operations.warnings())
            status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
            told = {"ready": not problems, "problems": problems, "warnings": warnings}
            body = json.dumps(told).encode()
            return method, (status, "application/json", body + b"\n")
        case "/metrics":
            return method, (HTTPStatus.OK, metrics.CONTENT_TYPE, operations.metrics())
    return method, _text(HTTPStatus.NOT_FOUND, "there are /healthz, /readyz and /metrics")


def _text(status: HTTPStatus, text: str) -> Answer:
    return status, "text/plain; charset=utf-8", text.encode() + b"\n"


def _encode(method: str, status: HTTPStatus, kind: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + (b"" if method == "HEAD" else body)
