"""Link handler: a device gets its user's notices at hello and reports the user's acts."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from blackthorn.governance import exits
from blackthorn.ids import Address
from blackthorn.link.frames import AnyFrame, ExitTold, MarketNotice, TellExit
from blackthorn.ports.store import unless_failed
from blackthorn.server.handlers.answers import answering
from blackthorn.server.handlers.session import Session
from blackthorn.server.markets.notice import Notice
from blackthorn.server.markets.notices import Notices


@dataclass(frozen=True, slots=True)
class NoticeHandler:
    notices: Notices

    def greet(self, session: Session) -> None:
        """Send the user's notices to a live device that has just connected."""
        if session.device is None:
            return

        def found(notices: list[Notice]) -> None:
            session.answer(*map(market_notice, notices))

        session.ask()
        self.notices.notices_of(session.device.address, unless_failed(session.fail, found))

    def handle(self, session: Session, frame: TellExit, now: float) -> None:
        """Record a reported act, then answer."""
        if session.device is not None:
            told = partial(ExitTold, frame.request)
            done = answering(session, lambda _: told(""), told)
            self.notices.note(session.device.address, frame.what, frame.value, done)


def market_notice(notice: Notice) -> MarketNotice:
    dates = exits.dates(notice.case)
    return MarketNotice(
        exit=notice.case.id,
        state=notice.case.state,
        read_only_ms=dates["read_only_ms"],
        stop_ms=dates["stop_ms"],
        retrieval_end_ms=dates["retrieval_end_ms"],
        forwarding_end_ms=dates["forwarding_end_ms"],
        text=notice.text,
        read=notice.read,
    )


def notifying(notify: Callable[[Address, AnyFrame], None]) -> Callable[[Notice], None]:
    """Callback that sends a notice to its user's devices, by `Dispatcher.notify_user`."""
    return lambda notice: notify(notice.to.address, market_notice(notice))
