"""What an HTML mail would make a mail program fetch: hosts only. Nothing here fetches."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from blackthorn.mail.limits import MAX_URL_BYTES

_SOURCES: Final = ("src", "background", "poster", "data", "srcset")
_CSS_URL: Final = re.compile(r"url\(\s*+['\"]?\s*+((?:https?:)?//[^\s'\")]{1,500})", re.IGNORECASE)


def remote_hosts(root: Element) -> list[str]:
    """The hosts of remote pictures, frames and style sheets, each once, in order."""
    hosts: dict[str, None] = {}
    for element in root.iter():
        if isinstance(element.tag, str):
            for url in _urls(element):
                if host := _host(url):
                    hosts[host] = None
    return list(hosts)


def _urls(element: Element) -> Iterator[str]:
    for name in _SOURCES:
        if value := element.get(name):
            yield value
    if element.tag == "link" and "stylesheet" in element.get("rel", "").lower():
        yield element.get("href", "")
    if style := element.get("style"):
        yield from _CSS_URL.findall(style)
    if element.tag == "style" and element.text:
        yield from _CSS_URL.findall(element.text)


def _host(url: str) -> str:
    """The host of an address that is fetched over a network, or empty."""
    start = "".join(url[:MAX_URL_BYTES].split()).lower()
    if not start.startswith(("http://", "https://", "//", "ftp://")):
        return ""
    try:
        return urlsplit(start).hostname or ""
    except ValueError:
        return "an address that cannot be read"
