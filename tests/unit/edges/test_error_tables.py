"""Each edge answers every kind of error by its table, and what is our fault only with that."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from blackthorn import errors
from blackthorn.edges.http.server import application
from blackthorn.edges.smtp.replies import refusal
from blackthorn.errors import (
    AbsentError,
    BlackthornError,
    ConflictError,
    DamageError,
    DefectError,
    DiskError,
    ForbiddenError,
    LimitError,
    ProtocolError,
    UnavailableError,
    VerificationError,
)
from blackthorn.mail.errors import MailRefusedError

SECRET = "what Alice wrote to Bob"
FAULT = "451 4.3.0 the server failed; try again"

SMTP: list[tuple[Exception, str]] = [
    (MailRefusedError(551, "5.1.6", "moved"), "551 5.1.6 moved"),
    (DiskError(SECRET), "452 4.3.1"),
    (DamageError(SECRET), "452 4.3.1"),
    (UnavailableError(SECRET), "451 4.3.0"),
    (ConflictError(SECRET), "451 4.3.0"),
    (AbsentError(SECRET), "550 5.1.1"),
    (ForbiddenError(SECRET), "550 5.7.1"),
    (LimitError(SECRET), "552 5.3.4"),
    (ProtocolError(SECRET), "554 5.6.0"),
    (DefectError(SECRET), FAULT),
    (VerificationError("T7", SECRET), FAULT),
    (KeyError(SECRET), FAULT),
]

HTTP: list[tuple[Exception, int]] = [
    (DiskError("disk"), 503),
    (DamageError("damage"), 503),
    (UnavailableError("later"), 503),
    (VerificationError("T7", "false"), 503),
    (ConflictError("late"), 409),
    (AbsentError("nothing"), 404),
    (ForbiddenError("no"), 403),
    (LimitError("large"), 413),
    (ProtocolError("odd"), 400),
    (DefectError(SECRET), 500),
    (KeyError(SECRET), 500),
]


def test_the_lists_name_every_kind() -> None:
    kinds = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.RefusalError | errors.StorageError)
    }
    named = {type(error) for error, _ in SMTP} & {type(error) for error, _ in HTTP}
    assert kinds - named == {errors.RefusalError, errors.StorageError}


@pytest.mark.parametrize(("error", "reply"), SMTP, ids=lambda each: type(each).__name__)
def test_smtp_answers_by_kind_and_tells_nothing_of_a_fault(error: Exception, reply: str) -> None:
    reported: list[dict[str, Any]] = []

    async def inside() -> str:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context))
        return refusal(error).reply

    answer = asyncio.run(inside())
    assert answer.startswith(reply) and SECRET not in answer
    ours = reply == FAULT
    assert [each["exception"] for each in reported] == ([error] if ours else [])


@pytest.mark.parametrize(("error", "status"), HTTP, ids=lambda each: type(each).__name__)
def test_http_answers_by_kind_and_tells_nothing_of_a_fault(error: Exception, status: int) -> None:
    reported: list[dict[str, Any]] = []

    async def fail(request: Request) -> Response:
        raise error

    async def inside() -> httpx.Response:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context))
        app = application([Route("/", fail)])
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.get("/")

    answer = asyncio.run(inside())
    assert (answer.status_code, answer.headers["cache-control"]) == (status, "no-store")
    assert answer.text == (f"{error}\n" if status != 500 else "internal server error\n")
    assert [each["exception"] for each in reported] == ([error] if status == 500 else [])
    assert isinstance(error, BlackthornError) or status == 500
