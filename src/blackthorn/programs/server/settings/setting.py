"""How a setting is declared: its default, its documentation and what it may be."""

from dataclasses import field
from typing import Any


def setting(
    default: Any,
    doc: str,
    *,
    at_least: int = 0,
    at_most: int = 2**31,
    choices: tuple[str, ...] = (),
) -> Any:
    """A field with its documentation and permitted values."""
    metadata = {"doc": doc, "at_least": at_least, "at_most": at_most, "choices": choices}
    return field(default=default, metadata=metadata)


def port_setting(default: int, what: str) -> Any:
    doc = f"TCP port of {what}. 0 lets the system choose one; the ready line of the log says which."
    return setting(default, doc, at_most=65535)


def host_setting(what: str) -> Any:
    doc = f"Address on which {what} listens. 0.0.0.0 or :: is every interface."
    return setting("127.0.0.1", doc)
