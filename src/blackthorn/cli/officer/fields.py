"""Read files named by officers: documents, and numbers as JSON."""

import json
from pathlib import Path
from typing import Any

from blackthorn.cli.officer import limits
from blackthorn.errors import UserError, system_error


def read_file(path: Path) -> bytes:
    """A whole document. Raises UserError when it is empty, too large or unreadable."""
    with system_error(UserError, f"{path} cannot be read"), path.open("rb") as file:
        data = file.read(limits.MAX_OFFICER_DOCUMENT_BYTES + 1)
    if not data:
        raise UserError(f"{path} is empty: give the document itself")
    if len(data) > limits.MAX_OFFICER_DOCUMENT_BYTES:
        raise UserError(f"{path} has more than {limits.MAX_OFFICER_DOCUMENT_BYTES} bytes")
    return data


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises UserError."""
    try:
        value = json.loads(read_file(path))
    except (ValueError, RecursionError):
        raise UserError(f"{path} is no JSON") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} holds no JSON object")
    return value
