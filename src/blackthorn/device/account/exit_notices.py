"""Notices from the server about a market's exit and about directives, stored for offline display.

Their texts come from the server and must be made safe before printing. The user's receipt of the
closure is fetched while there is one: after the destruction nobody can connect.
"""

from typing import Any, Final

import msgspec

from blackthorn.device.account import limits
from blackthorn.errors import VerificationError
from blackthorn.governance.closure.receipt import decode_placed
from blackthorn.ids import Address
from blackthorn.link.frames import FetchReceipt, MarketNotice, ReceiptPart
from blackthorn.ports.device_store import Settings
from blackthorn.wire.words import count

_SETTING: Final = "market-notices"
_RECEIPT: Final = "market-receipt"
DAY_MS: Final = 24 * 3_600_000
EXPORT: Final = "export: blackthorn export FOLDER"
MORE: Final = "see: blackthorn notices"
RECEIPT: Final = "receipt: blackthorn market receipt --out FILE"


class Notice(msgspec.Struct, frozen=True):
    """A stored MarketNotice; dates are Unix milliseconds, 0 for none."""

    exit: str
    state: str
    read_only_ms: int
    stop_ms: int
    retrieval_end_ms: int
    forwarding_end_ms: int
    text: str
    read: bool

    @property
    def market(self) -> str:
        """The country code of the market, "" for a directive."""
        return self.exit[2:4] if self.exit.startswith("X-") else ""

    @property
    def next_ms(self) -> int:
        """The next date that concerns the user, Unix milliseconds; 0 without one."""
        if self.state in ("announced", "draining", "read-only"):
            return self.stop_ms
        return self.retrieval_end_ms if self.state in ("retrieval", "preparing") else 0


def all_notices(settings: Settings) -> list[Notice]:
    """All stored notices, sorted by case."""
    data = settings.get(_SETTING)
    return msgspec.msgpack.decode(data, type=list[Notice]) if data else []


def keep(settings: Settings, frame: MarketNotice) -> None:
    """Store a notice; it replaces the earlier one of the same case."""
    fresh = Notice(**{name: getattr(frame, name) for name in Notice.__struct_fields__})
    others = [notice for notice in all_notices(settings) if notice.exit != fresh.exit]
    _put(settings, [*others, fresh][-limits.MAX_KEPT_NOTICES :])


def keep_only(settings: Settings, cases: set[str]) -> None:
    """Delete market notices whose exit is not in `cases`: the server no longer reports it."""
    kept = all_notices(settings)
    left = [notice for notice in kept if not notice.market or notice.exit in cases]
    if len(left) < len(kept):
        _put(settings, left)


def set_read(settings: Settings) -> None:
    """Mark all notices as read and delete those without a countdown."""
    kept = [msgspec.structs.replace(notice, read=True) for notice in all_notices(settings)]
    _put(settings, [notice for notice in kept if notice.market and notice.state != "rescinded"])


def days_left(notice: Notice, now_ms: int) -> int | None:
    """Days until `notice.next_ms`, rounded up; None without a date."""
    if not notice.next_ms:
        return None
    return max(0, -((now_ms - notice.next_ms) // DAY_MS))


def countdown(notice: Notice, now_ms: int, day: Any) -> str:
    """One line with the next date and advice. `day` formats Unix milliseconds as a date."""
    if not notice.market:
        return f"Data of your account was given to an authority ({notice.exit}); {MORE}"
    where, left = f"service in {notice.market}", days_left(notice, now_ms)
    away = "" if left is None else f", in {count(left, 'day')}"
    if left is not None and notice.next_ms - now_ms < DAY_MS:
        away = ", in less than a day" if notice.next_ms > now_ms else ", which is past"
    match notice.state:
        case "announced" | "draining":
            return f"{where} stops on {day(notice.stop_ms)}{away}; {EXPORT}"
        case "read-only":
            return f"{where} is read-only and stops on {day(notice.stop_ms)}{away}; {EXPORT}"
        case "retrieval" | "preparing":
            more = f"{EXPORT}; {RECEIPT}" if notice.state == "preparing" else EXPORT
            until = day(notice.retrieval_end_ms)
            if notice.next_ms <= now_ms:
                ended = f"the days to fetch your data ended on {until}, it may be destroyed already"
                return f"{where} has ended; {ended}; {more}"
            return f"{where} has ended; your data can be fetched until {until}{away}; {more}"
        case "rescinded":
            return f"{where} continues: the exit was cancelled; {MORE}"
    return f"{where} has ended; {MORE}"


def sending_ended(settings: Settings) -> str:
    """Why this user sends nothing any more, by the server's notice of an exit; "" when they may."""
    for notice in all_notices(settings):
        if notice.market and notice.state in ("read-only", "stopped", "retrieval", "preparing"):
            ends = "is read-only" if notice.state == "read-only" else "has ended"
            return f"the service in {notice.market}, your market, {ends}; {MORE}"
    return ""


class ReceiptFetcher:
    """Fetches the user's receipt with each link while their market's closure is prepared.

    A closure may be given up and prepared again, so a stored receipt is replaced by a newer one.
    """

    def __init__(self) -> None:
        self.disconnected()

    def disconnected(self) -> None:
        self.awaits_answer = False
        self._wanted = False
        self._next_ms = 0

    def connected(self, settings: Settings) -> None:
        """The server may tell its notices after all that waits: begin with the stored ones."""
        stored = all_notices(settings)
        self._wanted = any(notice.market and notice.state == "preparing" for notice in stored)

    def noticed(self, settings: Settings, frame: MarketNotice) -> None:
        if frame.exit.startswith("X-"):
            self._wanted, self._next_ms = frame.state == "preparing", 0
            if frame.state in ("retrieval", "rescinded"):
                settings.put(_RECEIPT, b"")  # that closure will not take place

    def ask(self, now_ms: int) -> list[FetchReceipt]:
        if not self._wanted or self.awaits_answer or now_ms < self._next_ms:
            return []
        self.awaits_answer = True
        self._next_ms = now_ms + limits.RECEIPT_AGAIN_SECONDS * 1000
        return [FetchReceipt(1)]

    def answered(self, settings: Settings, frame: ReceiptPart, me: Address) -> None:
        """Store the receipt if it is this user's; otherwise ask again later."""
        self.awaits_answer = False
        try:
            if frame.refusal or decode_placed(frame.receipt).receipt.address != me:
                return
        except VerificationError:
            return  # `market receipt` shows it to the user
        settings.put(_RECEIPT, frame.receipt)
        self._wanted = False


def receipt(settings: Settings) -> bytes:
    """The stored receipt, or b""."""
    return settings.get(_RECEIPT) or b""


def _put(settings: Settings, notices: list[Notice]) -> None:
    settings.put(_SETTING, msgspec.msgpack.encode(sorted(notices, key=lambda notice: notice.exit)))
