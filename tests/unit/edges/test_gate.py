"""The gate: who is counted, who gives way, and whose handshakes wait."""

import socket
from collections.abc import Iterator

import pytest

from blackthorn.edges import limits
from blackthorn.edges.gate import Bounds, Door, Gate, GatedSocket, client_key, plain_address
from blackthorn.ids import DeviceId
from blackthorn.programs.server.configuration import Configuration
from blackthorn.programs.server.listening import gate_bounds
from blackthorn.server.counters import Counters

BOUNDS = Bounds({Door.LINK: 8, Door.SMTP: 4}, devices=2, client_sockets=3, client_handshakes=10)


class People:
    """Peers of one gate at a time that the test sets."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.gate = Gate(self.counters, BOUNDS)
        self.now = 1_000.0
        self.peers: list[socket.socket] = []
        self.accepted: list[GatedSocket] = []

    def enter(self, client: str, door: Door = Door.LINK) -> GatedSocket | None:
        ours, theirs = socket.socketpair()
        accepted = GatedSocket.of(ours, client, door, self.now)
        self.peers.append(theirs)
        self.accepted.append(accepted)
        return accepted if self.gate.enter(accepted, self.now) else None


@pytest.fixture
def people() -> Iterator[People]:
    made = People()
    yield made
    for each in (*made.peers, *made.accepted):
        each.close()
    assert made.counters.sockets_of_strangers == 0


def test_a_client_is_an_ipv4_address_or_an_ipv6_network() -> None:
    assert client_key("2001:db8::1") == client_key("2001:db8:0:ff::2") == "2001:db8::/56"
    assert client_key("2001:db8:0:100::1") != client_key("2001:db8::1")
    assert client_key("fe80::1%eth0") == "fe80::/56"
    assert client_key("192.0.2.1") == client_key("::ffff:192.0.2.1") == "192.0.2.1"
    assert client_key("") == ""


def test_an_address_is_compared_with_the_settings_as_they_write_it() -> None:
    assert plain_address("2001:db8:0:0::1") == "2001:db8::1"
    assert plain_address("fe80::1%eth0") == "fe80::1"
    assert plain_address("::ffff:192.0.2.1") == "192.0.2.1"
    assert plain_address("") == ""


def test_one_client_has_so_many_sockets_over_all_listeners(people: People) -> None:
    assert people.enter("a") and people.enter("a", Door.SMTP) and people.enter("a")
    assert people.enter("a") is None and people.enter("a", Door.SMTP) is None
    assert people.enter("b") is not None
    counters = people.counters
    assert (counters.link_sockets_refused, counters.smtp_connections_refused) == (1, 1)


def test_after_a_second_its_oldest_gives_way_to_its_newest(people: People) -> None:
    oldest = people.enter("a")
    assert oldest is not None
    people.enter("a")
    people.enter("a")
    people.now += limits.GRACE_SECONDS
    assert people.enter("a") is not None
    assert people.peers[0].recv(1) == b"" and oldest.gate is None
    assert (people.counters.sockets_dropped, people.counters.sockets_of_strangers) == (1, 3)


@pytest.mark.parametrize("ending", ["close", "detach"])
def test_a_socket_that_ends_leaves_its_place(people: People, ending: str) -> None:
    first = people.enter("a")
    people.enter("a")
    people.enter("a")
    assert first is not None
    left = getattr(first, ending)()
    if left is not None:
        socket.close(left)
    first.close()
    assert people.enter("a") is not None and people.enter("a") is None


def test_the_client_with_most_sockets_gives_way_at_once(people: People) -> None:
    for client in ("a", "a", "b", "c"):
        assert people.enter(client, Door.SMTP)
    assert people.enter("d", Door.SMTP) is not None
    assert people.peers[0].recv(1) == b""
    assert people.enter("e", Door.SMTP) is None  # all others hold one, and have had no second
    people.now += limits.GRACE_SECONDS
    assert people.enter("e", Door.SMTP) is not None
    assert people.enter("f", Door.LINK) is not None  # which has a share of its own


def test_a_known_device_is_charged_to_no_address_and_adds_sockets(people: People) -> None:
    known = people.enter("a")
    assert known is not None and people.gate.recognise(known, DeviceId(b"1" * 16), people.now)
    assert people.gate.recognise(known, DeviceId(b"1" * 16), people.now)
    for _ in range(BOUNDS.client_sockets + limits.DEVICE_SOCKETS):
        assert people.enter("a") is not None
    assert people.enter("a") is None
    people.now += limits.GRACE_SECONDS
    assert people.enter("a") is not None and known.gate is people.gate  # a stranger gave way
    known.close()
    people.now += limits.SEEN_SECONDS
    people.enter("b")
    for stranger in people.accepted[1:]:
        stranger.close()
    assert sum(people.enter("a") is not None for _ in range(9)) == BOUNDS.client_sockets


def test_devices_are_bounded_too(people: People) -> None:
    met = [people.enter(client) for client in "abc"]
    told = [
        people.gate.recognise(each, DeviceId(bytes([place] * 16)), people.now)
        for place, each in enumerate(met)
        if each is not None
    ]
    assert told == [True, True, False]
    assert people.counters.sockets_of_strangers == 1


def test_handshakes_over_the_rate_wait(people: People) -> None:
    delays = [people.gate.handshake_delay("a", people.now) for _ in range(30)]
    assert delays[:10] == [0.0] * 10
    assert delays[29] == pytest.approx(2.0)
    assert people.gate.handshake_delay("b", people.now) == 0.0
    assert people.counters.handshakes_delayed == 20
    known = people.enter("a")
    assert known is not None
    for device in range(10):
        people.gate.recognise(known, DeviceId(bytes([device] * 16)), people.now)
    people.now += 3.1
    assert people.gate.handshake_delay("a", people.now) == 0.0


def test_the_memory_of_handshakes_and_devices_is_bounded(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_STRANGERS", 2)
    monkeypatch.setattr(limits, "MAX_SEEN_DEVICES", 1)
    for client in "abcd":
        people.gate.handshake_delay(client, people.now)
    for place, client in enumerate("ab"):
        met = people.enter(client)
        assert met is not None
        people.gate.recognise(met, DeviceId(bytes([place] * 16)), people.now)
    people.now += 1.0
    people.enter("c")
    assert not people.gate._next_handshake
    assert list(people.gate._seen_by_client) == ["b"]


@pytest.mark.parametrize("descriptors", [300, 1_024, 4_096, 1_048_576])
def test_descriptors_are_left_for_the_server_itself(descriptors: int) -> None:
    bounds = gate_bounds(Configuration(), descriptors)
    taken = sum(bounds.doors.values()) + bounds.devices
    assert taken <= max(5, descriptors - limits.RESERVED_DESCRIPTORS)
    assert min(bounds.doors.values()) >= 1
