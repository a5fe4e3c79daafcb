"""A witness over HTTP (c2sp.org/tlog-witness, v1.1).

`POST /add-checkpoint` asks for a cosignature; `GET /<origin hash>/checkpoint` returns the newest
cosigned checkpoint to monitors, by SHA-256 of the log's origin in hex.
"""

import re
from typing import Final, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from blackthorn.edges.http.answers import SECURITY_HEADERS, text_answer
from blackthorn.edges.http.server import application, read_body
from blackthorn.tlog import limits
from blackthorn.tlog.witness import TEXT, WitnessRefusal

_HEADERS: Final = {**SECURITY_HEADERS, "Cache-Control": "no-store"}
_HASH: Final = re.compile(r"[0-9a-f]{64}")


class CosigningWitness(Protocol):
    """The witness; its methods may block."""

    def add_checkpoint(self, body: bytes) -> bytes:
        """Signature lines. Raises WitnessRefusal, or another BlackthornError."""

    def latest(self, origin_hash: str) -> bytes | None:
        """The newest cosigned note of a log, or None."""


def witness_app(witness: CosigningWitness) -> Starlette:
    """The application, for any prefix."""

    async def add_checkpoint(request: Request) -> Response:
        body = await read_body(request, limits.MAX_ADD_CHECKPOINT_BYTES)
        if body is None:
            return text_answer("the request is too large [W1]", 413)
        try:
            lines = await run_in_threadpool(witness.add_checkpoint, body)
        except WitnessRefusal as refusal:
            return _answer(refusal.body, refusal.status, refusal.content_type)
        return _answer(lines)

    async def latest(request: Request) -> Response:
        origin_hash = request.path_params["origin_hash"]
        if _HASH.fullmatch(origin_hash) is None:
            return text_answer("use the path /<SHA-256 of an origin in hex>/checkpoint", 404)
        note = await run_in_threadpool(witness.latest, origin_hash)
        if note is None:
            return text_answer("this witness has cosigned no checkpoint of that log", 404)
        return _answer(note)

    return application(
        [
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/{origin_hash}/checkpoint", latest),
        ]
    )


def _answer(body: bytes, status: int = 200, kind: str = TEXT) -> Response:
    """Without the charset that Starlette would add to `text/x.tlog.size`."""
    return Response(body, status, {**_HEADERS, "Content-Type": kind})
