"""The table of HTTP statuses for errors."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from blackthorn import errors

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

STATUS: Final[dict[type[errors.BlackthornError], int]] = {
    errors.LimitError: 413,
    errors.InputError: 400,
    errors.AbsentError: 404,
    errors.ForbiddenError: 403,
    errors.ConflictError: 409,
    errors.RefusalError: 409,
    errors.StorageError: 503,
    errors.UnavailableError: 503,
    errors.SecurityError: 503,
    errors.DefectError: 500,
    errors.BlackthornError: 500,
}
"""The nearest class counts. SecurityError: stored or received data must not be trusted now."""


def text_answer(text: str, status: int) -> Response:
    """One line of text that no cache stores."""
    headers = {
        **SECURITY_HEADERS,
        "Content-Type": "text/plain; charset=utf-8",
        "Cache-Control": "no-store",
    }
    return Response(f"{text}\n".encode(), status, headers)


async def answer_error(request: Request, error: Exception) -> Response:
    """Answer to a handler's error; a fault of ours shows no details."""
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    if status < 500 or isinstance(
        error, errors.StorageError | errors.UnavailableError | errors.SecurityError
    ):
        return text_answer(str(error), status)
    context = {"message": "an HTTP handler failed", "exception": error, "work": "HTTP"}
    asyncio.get_running_loop().call_exception_handler(context)
    return text_answer("internal server error", status)
