"""The desk that connects two devices of one user: who may, how much, how long."""

import pytest

from blackthorn.errors import ProtocolError
from blackthorn.ids import Address, DeviceId
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.session import Link, Role, State
from blackthorn.ports.enterprise import DeviceRecord, Standing
from blackthorn.server.accounts import limits as accounts_limits
from blackthorn.server.accounts import pairing
from blackthorn.server.handlers.pairing import PairingHandler
from blackthorn.server.handlers.session import Session
from tests.support.wires import UnusedWire


class Peer(UnusedWire):
    """The other end of one session: what it was told, and how it stands."""

    def __init__(self, number: int = 0, standing: Standing = Standing.LIVE) -> None:
        self.told: list[f.AnyFrame] = []
        self.closed = False
        self.session = Session(self, b"binding", 0.0)
        if number:
            self.session.device = DeviceRecord(
                number,
                DeviceId(bytes([number]) * 16),
                bytes(32),
                Address(f"u{number}@acme.example"),
                standing,
            )
            self.session.link._enter(State.READY)
        else:
            self.session.link._enter(State.PAIRING)
        self._link = Link(Role.DEVICE, 0.0)
        self._link._enter(self.session.link.state)

    def write(self, data: bytes) -> None:
        self.told.append(self._link.receive(data, 0.0))

    def close(self) -> None:
        self.closed = True

    def heard(self) -> list[f.AnyFrame]:
        told, self.told = self.told, []
        return told


OPEN, JOIN = f.OpenPairing("4821", b"X"), f.JoinPairing(1, "4821", b"Y")


def paired(desk: PairingHandler) -> tuple[Peer, Peer]:
    live, new = Peer(1), Peer()
    desk.handle(live.session, OPEN, 0.0)
    desk.handle(new.session, JOIN, 1.0)
    assert live.heard() == [f.PairingOpened(""), f.Paired(b"Y")]
    assert new.heard() == [f.Paired(b"X")]
    return live, new


def test_two_devices_are_connected_and_what_they_say_is_carried_as_it_came() -> None:
    desk = PairingHandler()
    live, new = paired(desk)
    desk.handle(new.session, f.Relay(b"from the new one"), 2.0)
    desk.handle(live.session, f.Relay(b"from the live one"), 2.0)
    assert live.heard() == [f.Relay(b"from the new one")]
    assert new.heard() == [f.Relay(b"from the live one")]
    desk.handle(new.session, f.PairingEnded(""), 3.0)
    assert live.heard() == [f.PairingEnded("")]
    assert new.closed and not live.closed and len(desk) == 0
    desk.handle(live.session, f.Relay(b"crossed with the end"), 3.0)
    assert new.heard()[-1] == f.Bye(Code.GOING, Code.GOING.meaning)


def test_only_a_live_device_opens_a_pairing() -> None:
    desk = PairingHandler()
    waiting = Peer(1, Standing.PENDING)
    desk.handle(waiting.session, OPEN, 0.0)
    assert waiting.heard() == [f.PairingOpened(pairing.NOT_LIVE)]
    with pytest.raises(ProtocolError):
        desk.handle(Peer().session, OPEN, 0.0)
    assert len(desk) == 0


def test_a_number_names_one_pairing_and_one_device_joins_it() -> None:
    desk = PairingHandler()
    paired(desk)
    other = Peer(2)
    desk.handle(other.session, OPEN, 2.0)
    assert other.heard() == [f.PairingOpened(pairing.TAKEN)]
    for nameplate in ("4821", "4822"):
        with pytest.raises(LinkError) as refused:
            desk.handle(Peer().session, f.JoinPairing(1, nameplate, b"Z"), 2.0)
        assert refused.value.code is Code.PAIRING_REFUSED


def test_one_client_guesses_few_numbers() -> None:
    desk = PairingHandler()
    desk.handle(Peer(1).session, OPEN, 0.0)

    def join(client: str, nameplate: str, now: float) -> str:
        guesser = Peer()
        guesser.session.client = client
        try:
            desk.handle(guesser.session, f.JoinPairing(1, nameplate, b"Z"), now)
        except LinkError as refused:
            return refused.code
        return "joined"

    for guess in range(accounts_limits.MAX_CLIENT_TRIES):
        assert join("thief", str(1_000 + guess), 0.0) == Code.PAIRING_REFUSED
    assert join("thief", "4821", 1.0) == Code.BUSY
    assert join("honest", "4821", 1.0) == "joined"
    assert join("thief", "4821", accounts_limits.TRIES_SECONDS + 1.0) == Code.PAIRING_REFUSED


def test_another_version_is_refused() -> None:
    desk = PairingHandler()
    desk.handle(Peer(1).session, OPEN, 0.0)
    with pytest.raises(LinkError) as refused:
        desk.handle(Peer().session, f.JoinPairing(2, "4821", b"Y"), 0.0)
    assert refused.value.code is Code.VERSION


def test_a_device_has_one_pairing_over_all_its_links() -> None:
    desk = PairingHandler()
    live, new = paired(desk)
    again = Peer(1)
    desk.handle(again.session, f.OpenPairing("5555", b"X"), 2.0)
    assert live.heard() == [f.PairingEnded(Code.PAIRING_LEFT)]
    assert new.heard()[0] == f.PairingEnded(Code.PAIRING_LEFT) and new.closed
    desk.handle(again.session, f.OpenPairing("5555", b"X2"), 3.0)
    assert again.heard() == [f.PairingOpened(""), f.PairingOpened("")]
    assert len(desk) == 1


def test_who_leaves_ends_it_for_the_other() -> None:
    desk = PairingHandler()
    live, new = paired(desk)
    desk.leave(new.session)
    assert live.heard() == [f.PairingEnded(Code.PAIRING_LEFT)]
    live, new = paired(desk)
    desk.leave(live.session)
    assert new.heard()[0] == f.PairingEnded(Code.PAIRING_LEFT) and new.closed
    desk.leave(live.session)
    assert len(desk) == 0


def test_after_a_wrong_code_the_same_number_is_opened_again() -> None:
    desk = PairingHandler()
    live, new = paired(desk)
    desk.handle(live.session, f.PairingEnded(Code.PAIRING_WRONG), 2.0)
    assert new.heard()[0] == f.PairingEnded(Code.PAIRING_WRONG) and new.closed
    desk.handle(live.session, OPEN, 3.0)
    assert live.heard() == [f.PairingOpened("")]


def test_a_pairing_ends_with_its_time() -> None:
    desk = PairingHandler()
    live, new = paired(desk)
    desk.handle(new.session, f.Relay(b"x"), link_limits.PAIRING_SECONDS + 0.0)
    late = f.PairingEnded(Code.PAIRING_LATE)
    assert live.heard() == [late] and new.heard()[0] == late and new.closed
    desk.handle(live.session, OPEN, 1000.0)
    with pytest.raises(LinkError):
        desk.handle(Peer().session, JOIN, 1000.0 + link_limits.PAIRING_SECONDS)


def test_what_is_carried_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts_limits, "MAX_PAIRING_RELAYED", 2)
    monkeypatch.setattr(accounts_limits, "MAX_PAIRING_RELAYED_BYTES", 100)
    too_much = f.PairingEnded(Code.PAIRING_TOO_MUCH)
    desk = PairingHandler()
    live, new = paired(desk)
    for _ in range(3):
        desk.handle(new.session, f.Relay(b"x"), 2.0)
    assert live.heard() == [f.Relay(b"x"), f.Relay(b"x"), too_much]
    live, new = paired(desk)
    desk.handle(live.session, f.Relay(bytes(101)), 2.0)
    assert new.heard()[0] == too_much and live.heard() == [too_much]
    live, new = paired(desk)
    new.session.pause(2.0)
    desk.handle(live.session, f.Relay(b"x"), 2.0)
    assert live.heard() == [too_much]


def test_pairings_are_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts_limits, "MAX_PAIRINGS", 1)
    desk = PairingHandler()
    desk.handle(Peer(1).session, OPEN, 0.0)
    other = Peer(2)
    desk.handle(other.session, f.OpenPairing("1111", b"X"), 1.0)
    assert other.heard() == [f.PairingOpened(pairing.FULL)]
    desk.handle(other.session, f.OpenPairing("1111", b"X"), link_limits.PAIRING_SECONDS + 0.0)
    assert other.heard() == [f.PairingOpened("")]
