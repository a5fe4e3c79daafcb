"""The driver's protocol for a peer in Python: one JSON object a line, each way, in order."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

Request = dict[str, Any]
Command = Callable[[Request], Mapping[str, object]]


def serve(commands: Mapping[str, Command]) -> None:
    """Answer until `quit` or the end."""
    for line in sys.stdin:
        request: Request = {}
        try:
            request = json.loads(line)
            if request["cmd"] in commands:
                reply = {"ok": True, **commands[request["cmd"]](request)}
            else:
                reply = {"ok": False, "error": "not supported", "unsupported": True}
        except Exception as error:
            reply = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"id": request.get("id"), **reply}), flush=True)
        if request.get("cmd") == "quit":
            break
