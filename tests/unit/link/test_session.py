"""The table of the link: what it allows and refuses, and that crossing frames never break it."""

import random
from collections import deque
from typing import get_args

import msgspec
import pytest

from blackthorn.errors import ProtocolError
from blackthorn.link import frames as f
from blackthorn.link import limits
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.session import OPENED, TABLE, Link, Role, State
from tests.support import runs

ID, KEY = bytes(16), bytes(32)
EXAMPLES: dict[type[f.Frame], f.AnyFrame] = {
    type(frame): frame
    for frame in (
        f.Hello(2, ID, bytes(64), 1, KEY),
        f.Ready(2, 0, 1, b"before"),
        f.Bye("going", ""),
        f.Ping(1),
        f.Pong(1),
        f.Fanout(ID, [ID]),
        f.Send([f.Posting(ID, [f.Parcel(ID, b"x")], f.Order(KEY, 0, ID))]),
        f.Accepted([ID]),
        f.Refused(ID, "storage", "", KEY),
        f.FanoutUnknown([ID], [ID]),
        f.SlowDown("rows", 1_000, [ID]),
        f.Resume(),
        f.Superseded(),
        f.Deliver([f.Delivery(1, b"x")]),
        f.Drained(),
        f.Acknowledge([1]),
        f.SetAside([1]),
        f.PublishKeyPackages([b"k"], b"l"),
        f.KeyPackageStock(1),
        f.ClaimKeyPackages(1, ["a@b.example"]),
        f.KeyPackages(1, [f.ClaimedKeyPackage("a@b.example", ID, b"k")], [], []),
        f.ListMail(1, 0),
        f.MailListing(1, [], False),
        f.FindCertificates(1, "a@b.example"),
        f.CertificatesFound(1, "a@b.example", b"certificates"),
        f.FetchMail(1, 1, 0),
        f.MailChunk(1, 1, 0, 1, b"x"),
        f.MailArrived(1),
        f.SubmitMail(1, ID, "a@b.example", ["c@d.example"], 5),
        f.SubmitMailPiece(1, ID, 0, b"x"),
        f.SubmissionState(1, 0, [f.RefusedRecipient("c@d.example", "gone")]),
        f.MailSubmitted(1, 7),
        f.DeleteMail(1, 1),
        f.MailDeleted(1, True),
        f.AskAppPasswords(1, "mutt", bytes(16), bytes(32)),
        f.AppPasswordList(1, [f.AppPasswordEntry("mutt", 1, 2)]),
        f.ActivateBegin(1, "1234", b"m"),
        f.ActivateChallenge(b"m", KEY, b"p"),
        f.ActivateProve(KEY, bytes(64), b"p"),
        f.Activated(b"p"),
        f.AskOrders(1, [KEY] * limits.ORDERS_PER_FRAME),
        f.Orders(1, [True], [KEY]),
        f.LookUp(1, ["a@b.example"], 0),
        f.LookedUp(
            1,
            f.EpochPart(b"n", b"h", [KEY]),
            [KEY],
            [f.Answer("a@b.example", bytes(80), 1, bytes(37), ID, b"p")],
            ["c@b.example"],
        ),
        f.FetchChain(1, "a@b.example", 0),
        f.ChainPart(
            1,
            "a@b.example",
            9,
            [b"s"],
            [f.Receipt(1, 1, bytes(37), ID, bytes(80), b"m", 0, [KEY], b"h", 1, [KEY])],
            b"c",
            False,
        ),
        f.SubmitStatement(1, b"s", b"c"),
        f.StatementStored(1, ""),
        f.ProveConsistency(1, 1, 2),
        f.Consistency(1, True, [KEY]),
        f.FetchEntries(1, 0),
        f.Entries(1, 0, 1, [b"e"]),
        f.LeafChanged(),
        f.FetchEpochs(7),
        f.EpochPushed(7, 9, [b"p" * 8]),
        f.TellCheckpoint(b"n"),
        f.FetchTrust(1),
        f.Trust(1, b"c", "quorum none"),
        f.OpenPairing("1234", b"m"),
        f.PairingOpened(""),
        f.JoinPairing(1, "1234", b"m"),
        f.Paired(b"m"),
        f.Relay(b"x"),
        f.PairingEnded(""),
        f.Recover(1, "a@b.example", bytes(64), bytes(3309)),
        f.Recognised(1, KEY, "b.example", "2100CAFE", b"c", "quorum none"),
        f.FetchDecisions(1, 0),
        f.Decisions(1, [f.Decision(1, b"s", b"p", 2)], [], ["a@b.example"], 3, False),
        f.SubmitDecision(1, b"s", b"p"),
        f.DecisionTaken(1, "", ["legal"]),
        f.FetchProduction(1, "D-000001", 0),
        f.ProductionPart(1, 0, 4, KEY, 1, 1, b"data"),
        f.MarketNotice("X-PK-1", "announced", 1, 2, 3, 4, "text", False),
        f.TellExit(1, "forward", "a@b.example"),
        f.ExitTold(1, ""),
        f.FetchReceipt(1),
        f.ReceiptPart(1, b"r"),
        f.FetchExit(1, "PK"),
        f.ExitFacts(1, 2, KEY, {"users": 2}),
    )
}
AFTER_CROSSING = (f.Superseded, f.Deliver, f.Drained, f.MailArrived, f.LeafChanged)
"""Heard while SUPERSEDED, when a Resume has crossed; never said then."""

OTHER = {Role.DEVICE: Role.SERVER, Role.SERVER: Role.DEVICE}


def link_in(state: State, role: Role) -> Link:
    link = Link(role, 0.0)
    link._enter(state)
    return link


def test_every_frame_has_an_example_and_a_place_in_the_table() -> None:
    kinds = set(get_args(f.AnyFrame))
    assert set(EXAMPLES) == kinds
    assert {kind for moves in TABLE.values() for kind in moves} == kinds


def test_every_frame_survives_the_wire() -> None:
    for frame in EXAMPLES.values():
        assert f.decode(f.encode(frame)) == frame


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("role", Role)
def test_the_table_is_kept_on_both_sides(state: State, role: Role) -> None:
    for kind, frame in EXAMPLES.items():
        speaker, hearer = link_in(state, role), link_in(state, OTHER[role])
        then = TABLE[state, role].get(kind)
        if then is None:
            with pytest.raises(ProtocolError):
                speaker.send(frame)
            with pytest.raises(LinkError) as refused:
                hearer.receive(f.encode(frame), 1.0)
            assert refused.value.code is Code.NOT_NOW
            then = state
        else:
            assert hearer.receive(speaker.send(frame), 1.0) == frame
        assert (speaker.state, hearer.state) == (then, then)


def test_only_an_opened_link_carries_parcels() -> None:
    for (state, _), moves in TABLE.items():
        if {f.Send, f.Deliver, f.Acknowledge, f.KeyPackages, f.MailChunk} & set(moves):
            assert state in OPENED


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"\xff" * 40, b"\x91\x63", msgspec.msgpack.encode([2, 1]), b"\x92\x04\xa1x"],
)
def test_bytes_that_are_no_frame_are_malformed(data: bytes) -> None:
    link = link_in(State.READY, Role.SERVER)
    with pytest.raises(LinkError) as refused:
        link.receive(data, 1.0)
    assert (refused.value.code, link.state) == (Code.MALFORMED, State.READY)


def test_a_frame_above_the_bound_is_too_large() -> None:
    with pytest.raises(LinkError) as refused:
        link_in(State.READY, Role.SERVER).receive(bytes(limits.MAX_FRAME_BYTES + 1), 1.0)
    assert refused.value.code is Code.TOO_LARGE


def test_a_parcel_of_the_largest_size_fits_and_one_byte_more_does_not() -> None:
    link = link_in(State.READY, Role.SERVER)
    for size, fits in ((limits.MAX_PARCEL_BYTES, True), (limits.MAX_PARCEL_BYTES + 1, False)):
        data = f.encode(f.Send([f.Posting(ID, [f.Parcel(ID, bytes(size))])]))
        if fits:
            link.receive(data, 1.0)
        else:
            with pytest.raises(LinkError):
                link.receive(data, 1.0)


def test_random_bytes_raise_nothing_but_link_errors() -> None:
    seed = runs.seed()
    chance = random.Random(seed)
    valid = [f.encode(frame) for frame in EXAMPLES.values()]
    for _ in range(5_000):
        data = bytearray(chance.choice(valid))
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            link_in(State.RECEIVING, Role.SERVER).receive(bytes(data), 1.0)
        except LinkError as error:
            assert error.code in (Code.MALFORMED, Code.NOT_NOW)


def test_opening_must_be_quick_and_an_open_link_may_not_be_silent() -> None:
    link = Link(Role.SERVER, 100.0)
    link.check(100.0 + limits.LINK_HELLO_SECONDS)
    with pytest.raises(LinkError) as slow:
        link.check(100.1 + limits.LINK_HELLO_SECONDS)
    assert slow.value.code is Code.TOO_SLOW
    link = link_in(State.READY, Role.SERVER)
    link.receive(f.encode(f.Ping(7)), 50.0)
    link.check(50.0 + limits.LINK_IDLE_SECONDS)
    with pytest.raises(LinkError) as idle:
        link.check(50.1 + limits.LINK_IDLE_SECONDS)
    assert idle.value.code is Code.IDLE


def test_a_refused_frame_does_not_count_as_heard() -> None:
    link = link_in(State.READY, Role.SERVER)
    with pytest.raises(LinkError):
        link.receive(b"junk", limits.LINK_IDLE_SECONDS * 2.0)
    with pytest.raises(LinkError):
        link.check(limits.LINK_IDLE_SECONDS * 2.0)


def test_a_ping_is_due_well_before_the_link_is_idle() -> None:
    link = link_in(State.READY, Role.DEVICE)
    assert not link.ping_due(limits.LINK_IDLE_SECONDS / 3)
    assert link.ping_due(limits.LINK_IDLE_SECONDS / 3 + 1)
    assert not Link(Role.DEVICE, 0.0).ping_due(1e9)


def test_frames_that_cross_never_break_the_link() -> None:
    """Both sides say whatever their own table allows, with any delay: no LinkError, ever."""
    seed = runs.seed()
    chance = random.Random(seed)
    for _ in range(60):
        ends = {role: Link(role, 0.0) for role in Role}
        wires: dict[Role, deque[bytes]] = {role: deque() for role in Role}
        for _ in range(400):
            role = chance.choice(list(Role))
            if wires[role] and chance.random() < 0.5:
                ends[OTHER[role]].receive(wires[role].popleft(), 0.0)
                continue
            kinds = [kind for kind in TABLE[ends[role].state, role] if kind is not f.Bye]
            if role is Role.SERVER and ends[role].state is State.SUPERSEDED:
                kinds = [kind for kind in kinds if kind not in AFTER_CROSSING]
            if kinds:
                wires[role].append(ends[role].send(EXAMPLES[chance.choice(kinds)]))
