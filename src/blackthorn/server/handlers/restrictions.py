"""Answers to devices that may not use a service: pending ones, and those of a read-only market.

A pending device may say hello, look up, submit, publish key packages and wait: it learns nothing of
its user before the reset is effective. A user of a read-only market reads, exports, forwards and
moves; nothing new is sent.
"""

from collections.abc import Callable
from typing import Any, Final

from blackthorn.link import frames as f
from blackthorn.link.codes import Code
from blackthorn.ports.enterprise import Standing
from blackthorn.server.handlers.key_packages import KeyPackageHandler
from blackthorn.server.handlers.session import Session
from blackthorn.server.markets.exit_rules import ExitRules, May

WAITS: Final = "this device waits until its user's reset is effective"


class Restrictions:
    """Answers in place of the handlers; `exits` are the rules of markets that are being closed."""

    def __init__(self, exits: ExitRules | None, key_packages: KeyPackageHandler) -> None:
        self._exits = exits
        self._key_packages = key_packages

    def answer(self, session: Session, frame: f.AnyFrame) -> bool:
        """Answer the frame if its device may not use the service; whether it was answered."""
        device, kind = session.device, type(frame)
        if device is None:
            return False
        if device.standing is Standing.PENDING and kind in PENDING:
            session.transmit(*PENDING[kind](frame))
            return True
        if self._exits is None or not self._exits.reading or kind not in READ_ONLY:
            return False
        why = self._exits.refusal(device.address, May.SEND)
        if why:
            session.transmit(*READ_ONLY[kind](frame, why))
            if kind is f.PublishKeyPackages:
                self._key_packages.stock(session)  # nothing is stored
        return bool(why)


Answers = list[f.AnyFrame]


def _refuse(send: f.Send, code: Code, why: str) -> Answers:
    return [f.Refused(posting.id, code, why) for posting in send.postings]


def _without(claim: f.ClaimKeyPackages) -> Answers:
    return [f.KeyPackages(claim.request, [], [], list(dict.fromkeys(claim.addresses)))]


PENDING: Final[dict[type[f.Frame], Callable[[Any], Answers]]] = {
    f.Send: lambda frame: _refuse(frame, Code.NOT_NOW, WAITS),
    f.Fanout: lambda frame: [],
    f.ClaimKeyPackages: _without,
    f.AskOrders: lambda frame: [f.Orders(frame.request, [])],
    f.ListMail: lambda frame: [f.MailListing(frame.request, [], False)],
    f.FetchMail: lambda frame: [f.MailChunk(frame.request, frame.uid, frame.offset, 0, b"")],
    f.SubmitMail: lambda frame: [f.MailSubmitted(frame.request, 0, WAITS)],
    f.SubmitMailPiece: lambda frame: [f.MailSubmitted(frame.request, 0, WAITS)],
    f.DeleteMail: lambda frame: [f.MailDeleted(frame.request, False)],
    f.FindCertificates: lambda frame: [
        f.CertificatesFound(frame.request, frame.address, b"", WAITS)
    ],
    f.AskAppPasswords: lambda frame: [f.AppPasswordList(frame.request, [], WAITS)],
    f.OpenPairing: lambda frame: [f.PairingOpened(WAITS)],
    f.Relay: lambda frame: [],
    f.PairingEnded: lambda frame: [],
}
"""Answers to a pending device; all other frames are handled as for any device."""

READ_ONLY: Final[dict[type[f.Frame], Callable[[Any, str], Answers]]] = {
    f.Send: lambda frame, why: _refuse(frame, Code.MARKET_LEFT, why),
    f.Fanout: lambda frame, why: [],
    f.ClaimKeyPackages: lambda frame, why: _without(frame),
    f.SubmitMail: lambda frame, why: [f.MailSubmitted(frame.request, 0, why[:512])],
    f.SubmitMailPiece: lambda frame, why: [f.MailSubmitted(frame.request, 0, why[:512])],
    f.PublishKeyPackages: lambda frame, why: [],
}
"""Answers to a device whose market is read-only, with the reason."""
