"""What a device is told that waits for its reset: nothing of the user's, until it is his device.

It may say hello, look up, submit, publish key packages and wait on the link. Whoever has talked
an administrator into a code has not even learned when mail arrives.
"""

from collections.abc import Callable
from typing import Any

from blackthorn.link import frames as f
from blackthorn.link.codes import Code
from blackthorn.server.handlers.session import Session

WAITS = "this device waits until its user's reset is effective"


def _send(session: Session, frame: f.Send) -> None:
    session.transmit(*(f.Refused(each.id, Code.NOT_NOW, WAITS) for each in frame.postings))


def _fanout(session: Session, frame: f.Fanout) -> None:
    """Nothing comes of it."""


def _claim(session: Session, frame: f.ClaimKeyPackages) -> None:
    addresses = list(dict.fromkeys(frame.addresses))
    session.transmit(f.KeyPackages(frame.request, [], [], addresses))


def _list_mail(session: Session, frame: f.ListMail) -> None:
    session.transmit(f.MailListing(frame.request, [], False))


def _fetch_mail(session: Session, frame: f.FetchMail) -> None:
    session.transmit(f.MailChunk(frame.request, frame.uid, frame.offset, 0, b""))


def _open_pairing(session: Session, frame: f.OpenPairing) -> None:
    session.transmit(f.PairingOpened(WAITS))


def _pairing(session: Session, frame: f.Relay | f.PairingEnded) -> None:
    """It has no pairing."""


ANSWERS: dict[type[f.Frame], Callable[[Session, Any], None]] = {
    f.Send: _send,
    f.Fanout: _fanout,
    f.ClaimKeyPackages: _claim,
    f.ListMail: _list_mail,
    f.FetchMail: _fetch_mail,
    f.OpenPairing: _open_pairing,
    f.Relay: _pairing,
    f.PairingEnded: _pairing,
}
"""The frames that a pending device is answered here; all others are served as for any device."""
