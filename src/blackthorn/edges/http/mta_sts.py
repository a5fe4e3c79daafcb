"""The domain's MTA-STS policy over HTTPS (RFC 8461, 3.2), for senders of mail."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from blackthorn.edges.http.answers import SECURITY_HEADERS

PATH = "/.well-known/mta-sts.txt"


def mta_sts_routes(policy: str) -> list[BaseRoute]:
    """Serves the policy under every name that leads here: which one counts, the sender knows."""

    async def answer(request: Request) -> Response:
        headers = {**SECURITY_HEADERS, "Content-Type": "text/plain", "Cache-Control": "no-store"}
        return Response(policy.encode(), 200, headers)

    return [Route(PATH, answer)]
