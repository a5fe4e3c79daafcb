"""What a device is answered whose market is read-only, where others would send and publish.

It is read, exported, forwarded and moved; nothing new is sent, and nobody new is invited.
"""

from collections.abc import Callable
from typing import Any

from blackthorn.link import frames as f
from blackthorn.link.codes import Code
from blackthorn.server.handlers.session import Session


def _send(session: Session, frame: f.Send, why: str, stock: int) -> None:
    session.transmit(*(f.Refused(each.id, Code.MARKET_LEFT, why) for each in frame.postings))


def _fanout(session: Session, frame: f.Fanout, why: str, stock: int) -> None:
    """Nothing comes of it."""


def _publish(session: Session, frame: f.PublishKeyPackages, why: str, stock: int) -> None:
    """Nothing is stored: the stock is what it was."""
    session.transmit(f.KeyPackageStock(stock))


def _claim(session: Session, frame: f.ClaimKeyPackages, why: str, stock: int) -> None:
    addresses = list(dict.fromkeys(frame.addresses))
    session.transmit(f.KeyPackages(frame.request, [], [], addresses))


ANSWERS: dict[type[f.Frame], Callable[[Session, Any, str, int], None]] = {
    f.Send: _send,
    f.Fanout: _fanout,
    f.PublishKeyPackages: _publish,
    f.ClaimKeyPackages: _claim,
}
"""Frame → what is said in place of doing it; `why` is one line for its person."""
