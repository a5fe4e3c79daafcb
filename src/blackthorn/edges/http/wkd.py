"""The Web Key Directory over HTTPS (draft-koch-openpgp-webkey-service-21), both methods.

The certificate of a user is given to those who know the address: it is public, and the address
comes with the request. No client address is logged.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from blackthorn.edges.http.answers import SECURITY_HEADERS, text_answer
from blackthorn.mail.pgp.wkd import WELL_KNOWN

Published = Callable[[str, str, str], Awaitable[bytes | None]]
"""Domain, or empty for the direct method, hash and local part → a binary certificate, or None."""

_HEADERS: Final = {
    **SECURITY_HEADERS,
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "public, max-age=300",
}


def wkd_routes(published: Published) -> list[BaseRoute]:
    """The routes. A request without the local part (`?l=`) that the draft asks for finds none."""

    async def key(request: Request) -> Response:
        domain = request.path_params.get("domain", "")
        local_part = request.query_params.get("l", "")
        found = await published(domain, request.path_params["name"], local_part)
        if found is None:
            answer = text_answer("no certificate of that address is published here", 404)
            answer.headers["Access-Control-Allow-Origin"] = "*"
            return answer
        return Response(found, 200, {**_HEADERS, "Content-Type": "application/octet-stream"})

    async def policy(request: Request) -> Response:
        """Empty: no flag of the draft's section 4.5 is set."""
        return Response(b"", 200, {**_HEADERS, "Content-Type": "text/plain"})

    return [
        Route(f"{WELL_KNOWN}/policy", policy),
        Route(f"{WELL_KNOWN}/hu/{{name}}", key),
        Route(f"{WELL_KNOWN}/{{domain}}/policy", policy),
        Route(f"{WELL_KNOWN}/{{domain}}/hu/{{name}}", key),
    ]
