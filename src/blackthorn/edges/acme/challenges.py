"""HTTP-01 (RFC 8555, 8.3): the answers to an authority's challenges over plain HTTP."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from blackthorn.edges.http.answers import text_answer
from blackthorn.edges.http.server import application


def challenge_app(answers: dict[str, str]) -> Starlette:
    """Serves `answers`, token → key authorization, as they are at each request."""

    async def answer(request: Request) -> Response:
        found = answers.get(request.path_params["token"])
        if found is None:
            return text_answer("no such challenge", 404)
        return Response(found, media_type="application/octet-stream")

    return application([Route("/.well-known/acme-challenge/{token}", answer)])
