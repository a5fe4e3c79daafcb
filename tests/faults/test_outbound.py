"""The queue delivers, retries, gives up and tells, over a real database and real sealing."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from blackthorn.mail.pgp.seal import BY_SENDER
from blackthorn.ports.outbound.carrier import Reply
from blackthorn.ports.outbound.queue import DropMail, RetryMail
from blackthorn.ports.waiting import outcome
from blackthorn.server.outbound.queue import queue_id
from tests.support.outbound_world import LATER, NEVER, FakeCarrier, World, sealed, world
from tests.support.smtp_harness import ALICE, BOB, run


def scene(folder: Path, test: Callable[[World, FakeCarrier], Awaitable[None]]) -> None:
    async def play() -> None:
        carrier = FakeCarrier()
        async with world(folder, carrier) as made:
            await test(made, carrier)

    run(play)


def test_mail_goes_to_all_domains_and_to_the_mailbox_here(tmp_path: Path) -> None:
    async def test(at: World, carrier: FakeCarrier) -> None:
        content = sealed(at.site)
        await at.submit("eve@far.example", BOB, "dan@other.example", content=content)
        await at.empty()
        assert sorted(carrier.taken) == [
            ("dan@other.example", content),
            ("eve@far.example", content),
        ]
        assert at.site.stored(BOB) == [BY_SENDER + content]
        assert b"Attack at dawn." in at.site.opened(BOB)[0].content
        assert at.site.counters.outbound_delivered == 3 and at.reports() == []

    scene(tmp_path, test)


def test_greylisted_mail_is_tried_again_after_a_pause(tmp_path: Path) -> None:
    async def test(at: World, carrier: FakeCarrier) -> None:
        carrier.replies["eve@far.example"] = LATER
        await at.submit("eve@far.example", "dan@far.example")
        await at.until(lambda: at.site.counters.outbound_deferred == 1)
        assert carrier.addresses == ["dan@far.example"]
        carrier.replies.clear()
        await at.pass_hours(0.05)
        await asyncio.sleep(0.1)
        assert carrier.addresses == ["dan@far.example"]
        await at.pass_hours(0.05)
        await at.empty()
        assert carrier.addresses == ["dan@far.example", "eve@far.example"]
        assert at.reports() == []

    scene(tmp_path, test)


def test_a_final_refusal_is_told_to_the_sender_sealed(tmp_path: Path) -> None:
    async def test(at: World, carrier: FakeCarrier) -> None:
        carrier.replies["eve@far.example"] = NEVER
        number = await at.submit("eve@far.example", "dan@far.example")
        await at.empty()
        (report,) = at.reports()
        assert "Final-Recipient: rfc822; eve@far.example" in report
        assert "Action: failed\r\nStatus: 5.1.1" in report
        assert "smtp; mx.far.example said: 550 5.1.1 no such user" in report
        assert queue_id(number) in report and "dan@far.example" not in report
        assert "Subject: [...]" in report and "Attack at dawn" not in report
        assert all(b"eve@far.example" not in stored for stored in at.site.stored(ALICE))

    scene(tmp_path, test)


def test_an_unreachable_domain_is_left_alone_then_told_late_then_given_up(tmp_path: Path) -> None:
    async def test(at: World, carrier: FakeCarrier) -> None:
        carrier.refused = Reply(451, "4.4.1", "no mail server of far.example answered")
        for n in range(3):
            await at.submit(f"eve{n}@far.example", content=sealed(at.site, seed=n))
        waiting = at.site.counters
        await at.until(lambda: len(_rows(at)) == 3 and all(tries for _, tries in _rows(at)))
        await at.pass_hours(5)
        await at.until(lambda: waiting.outbound_reports == 3)
        assert all("Action: delayed" in each and "need not send" in each for each in at.reports())
        await at.pass_hours(5)
        await at.until(lambda: all(tries == 3 for _, tries in _rows(at)))
        assert waiting.outbound_reports == 3  # told once
        await at.pass_hours(115)
        await at.empty()
        failed = [each for each in at.reports() if "Action: failed" in each]
        assert len(failed) == 3 and "Status: 4.4.7" in failed[0]
        assert carrier.taken == []

    scene(tmp_path, test)


def _rows(at: World) -> list[tuple[int, int]]:
    rows = at.site.database.reading.execute("SELECT mail, tries FROM outbound_delivery").fetchall()
    return [(mail, tries) for mail, tries in rows]


def test_a_domain_without_mail_fails_at_once(tmp_path: Path) -> None:
    async def test(at: World, carrier: FakeCarrier) -> None:
        carrier.refused = Reply(556, "5.1.10", "far.example takes no mail (RFC 7505)")
        await at.submit("eve@far.example")
        await at.empty()
        assert "Status: 5.1.10" in at.reports()[0]

    scene(tmp_path, test)


def test_mail_whose_answer_was_lost_is_sent_again(tmp_path: Path) -> None:
    async def test(at: World, carrier: FakeCarrier) -> None:
        carrier.lost_after = True
        await at.submit("eve@far.example")
        await at.until(lambda: at.site.counters.outbound_deferred == 1)
        await at.pass_hours(1)
        await at.empty()
        assert carrier.addresses == ["eve@far.example"] * 2 and carrier.connections == 2

    scene(tmp_path, test)


def test_the_administrator_retries_a_mail_before_its_time_and_drops_one(tmp_path: Path) -> None:
    async def test(at: World, carrier: FakeCarrier) -> None:
        carrier.refused = Reply(451, "4.4.1", "no answer")
        number = await at.submit("eve@far.example")
        dropped = await at.submit("dan@other.example", content=sealed(at.site, seed=3))
        await at.until(lambda: all(tries for _, tries in _rows(at)))
        carrier.refused = None
        await outcome(lambda done: at.site.writer.submit(RetryMail(number), done))
        await outcome(lambda done: at.site.writer.submit(DropMail(dropped), done))
        await at.delivering.scan()
        await at.empty()
        assert carrier.addresses == ["eve@far.example"]
        (report,) = at.reports()
        assert "dan@other.example" in report and "administrator" in report

    scene(tmp_path, test)


def test_a_mailbox_that_is_full_defers_and_the_rest_arrives(tmp_path: Path) -> None:
    async def test(at: World, carrier: FakeCarrier) -> None:
        at.mail.quota.bytes = 10
        await at.submit(BOB, "eve@far.example")
        await at.until(lambda: at.site.counters.outbound_deferred == 1)
        assert at.site.stored(BOB) == []
        at.mail.quota.bytes = 1_000_000
        await at.pass_hours(1)
        await at.empty()
        assert len(at.site.stored(BOB)) == 1 and carrier.addresses == ["eve@far.example"]

    scene(tmp_path, test)


def test_a_large_mail_goes_out_whole_and_its_pieces_are_deleted(tmp_path: Path) -> None:
    async def test(at: World, carrier: FakeCarrier) -> None:
        content = sealed(at.site)
        packets = bytes([0xC1, 50]) + bytes(50) + b"\xd2\xff" + (3_000_000).to_bytes(4, "big")
        armored = base64.encodebytes(packets + bytes(3_000_000)).replace(b"\n", b"\r\n")
        head, _, rest = content.partition(b"-----BEGIN PGP MESSAGE-----\r\n")
        tail = rest.partition(b"-----END")[2]
        begin = b"-----BEGIN PGP MESSAGE-----\r\n\r\n"
        content = head + begin + armored + b"-----END" + tail
        await at.submit("eve@far.example", content=content)
        await at.empty()
        assert carrier.taken == [("eve@far.example", content)]
        count = "SELECT count(*) FROM mail_piece"
        await at.until(lambda: at.site.database.reading.execute(count).get == 0)

    scene(tmp_path, test)


@pytest.mark.parametrize("mails", [200])
def test_many_mails_share_few_connections(tmp_path: Path, mails: int) -> None:
    async def test(at: World, carrier: FakeCarrier) -> None:
        content = sealed(at.site)
        await asyncio.gather(
            *(at.submit(f"eve{n}@far.example", content=content) for n in range(mails))
        )
        await at.empty()
        assert sorted(carrier.addresses) == sorted(f"eve{n}@far.example" for n in range(mails))
        assert carrier.connections <= 10

    scene(tmp_path, test)
