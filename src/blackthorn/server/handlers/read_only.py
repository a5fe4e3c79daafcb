"""What a device is answered whose market is read-only, where others would send and publish.

It is read, exported, forwarded and moved; nothing new is sent, and nobody new is invited.
"""

from collections.abc import Callable
from typing import Any

from blackthorn.link import frames as f
from blackthorn.link.codes import Code
from blackthorn.server.handlers.key_packages import KeyPackageHandler
from blackthorn.server.handlers.session import Session
from blackthorn.server.markets.exit_rules import ExitRules, May


class ReadOnly:
    """Answers in place of the handlers while exits leave users their mail and no more."""

    def __init__(self, exits: ExitRules, key_packages: KeyPackageHandler) -> None:
        self._exits = exits
        self._key_packages = key_packages
        self._answers: dict[type[f.Frame], Callable[[Session, Any, str], None]] = {
            f.Send: _send,
            f.Fanout: _fanout,
            f.PublishKeyPackages: self._publish,
            f.ClaimKeyPackages: _claim,
        }

    def answers(self, session: Session, frame: f.AnyFrame) -> bool:
        """Answer the frame if its user may only read; whether that was so."""
        if not self._exits.reading or session.device is None:
            return False
        answer = self._answers.get(type(frame))
        if answer is None or not (why := self._exits.refusal(session.device.address, May.SEND)):
            return False
        answer(session, frame, why)
        return True

    def _publish(self, session: Session, frame: f.PublishKeyPackages, why: str) -> None:
        """Nothing is stored: the stock is what it was."""
        self._key_packages.stock(session)


def _send(session: Session, frame: f.Send, why: str) -> None:
    refused = (f.Refused(posting.id, Code.MARKET_LEFT, why) for posting in frame.postings)
    session.transmit(*refused)


def _fanout(session: Session, frame: f.Fanout, why: str) -> None:
    """Nothing comes of it."""


def _claim(session: Session, frame: f.ClaimKeyPackages, why: str) -> None:
    addresses = list(dict.fromkeys(frame.addresses))
    session.transmit(f.KeyPackages(frame.request, [], [], addresses))
