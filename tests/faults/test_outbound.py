"""The queue delivers, retries, gives up and tells, over a real database and real sealing."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from blackthorn.errors import DamageError, DiskError, StorageError
from blackthorn.mail.pgp.seal import BY_SENDER
from blackthorn.ports.outbound.carrier import Reply
from blackthorn.ports.outbound.queue import DropMail, DueDeliveries, FinishDelivery, RetryMail
from blackthorn.ports.waiting import outcome
from blackthorn.programs.server.outbound import limits
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


def test_a_backlog_goes_by_several_connections_once_there_is_one(tmp_path: Path) -> None:
    async def test(at: World, carrier: FakeCarrier) -> None:
        await _wait_long(at, carrier, 20)
        carrier.refused, carrier.held = None, asyncio.Event()
        await at.pass_hours(1)
        await at.until(lambda: carrier.connections == limits.MAX_WORKERS_PER_DOMAIN)
        carrier.held.set()
        await at.empty()
        assert carrier.connections == limits.MAX_WORKERS_PER_DOMAIN

    scene(tmp_path, test)


@pytest.mark.parametrize("code", [421, 554])
def test_a_domain_that_takes_two_connections_gets_all_mail_by_these(
    tmp_path: Path, code: int
) -> None:
    async def test(at: World, carrier: FakeCarrier) -> None:
        await _wait_long(at, carrier, 20)
        carrier.refused, carrier.room = None, 2
        carrier.full = Reply(code, f"{code // 100}.7.0", "too many connections")
        await at.pass_hours(1)
        await at.empty()
        assert len(carrier.addresses) == 20 and carrier.connections == 2

    scene(tmp_path, test)


def test_a_domain_that_ends_every_connection_is_not_tried_for_each_mail(tmp_path: Path) -> None:
    async def test(at: World, carrier: FakeCarrier) -> None:
        await _wait_long(at, carrier, 20)
        carrier.refused, carrier.ended = None, 100
        await at.pass_hours(1)
        await at.until(lambda: carrier.ended < 100)
        later = "SELECT count(*) FROM outbound_delivery WHERE next_ms <= ?"
        rows = at.site.database.reading
        await at.until(lambda: rows.execute(later, (at.clock.wall_ms(),)).get == 0)
        await at.delivering.scan()
        await asyncio.sleep(0.05)
        assert (
            carrier.ended >= 100 - limits.MAX_WORKERS_PER_DOMAIN
            and carrier.taken == []
            and len(_rows(at)) == 20
        )

    scene(tmp_path, test)


def test_a_connection_that_ended_between_two_mails_is_replaced_at_once(tmp_path: Path) -> None:
    async def test(at: World, carrier: FakeCarrier) -> None:
        await at.submit("eve@far.example")
        await at.empty()
        carrier.ended = 1
        await at.submit("dan@far.example", content=sealed(at.site, seed=2))
        await at.empty()
        assert carrier.addresses == ["eve@far.example", "dan@far.example"]
        assert carrier.connections == 2 and at.site.counters.outbound_deferred == 0

    scene(tmp_path, test)


def test_mail_to_users_here_waits_for_no_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_WORKERS", 1)

    async def test(at: World, carrier: FakeCarrier) -> None:
        carrier.held = asyncio.Event()
        await at.submit("eve@far.example")
        await at.until(lambda: len(carrier.taken) == 1)
        await at.submit("dan@other.example", BOB)
        await at.until(lambda: len(at.site.stored(BOB)) == 1)
        assert carrier.addresses == ["eve@far.example"]
        carrier.held.set()
        await at.until(lambda: at.site.counters.outbound_waiting == 1)
        await at.delivering.scan()

    scene(tmp_path, test)


async def _wait_long(at: World, carrier: FakeCarrier, mails: int) -> None:
    """So many mails for a domain that has not been reached yet."""
    carrier.refused = Reply(451, "4.4.1", "no mail server of far.example answered")
    for number in range(mails):
        await at.submit(f"eve{number}@far.example", content=sealed(at.site, seed=number))
    await at.until(lambda: at.delivering._domains.workers == 0)
    await at.pass_hours(1)
    await at.until(lambda: at.delivering._domains.workers == 0)
    assert len(_rows(at)) == mails and all(tries for _, tries in _rows(at))


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


@pytest.mark.parametrize("error", [DiskError("full"), DamageError("one row")])
def test_mail_whose_outcome_cannot_be_stored_is_sent_once(
    tmp_path: Path, error: StorageError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_UNSTORED", 1)

    async def test(at: World, carrier: FakeCarrier) -> None:
        submit = at.site.writer.submit

        def failing(command: Any, done: Any) -> None:
            if isinstance(command, FinishDelivery):
                done(error)
            else:
                submit(command, done)

        at.site.writer.submit = failing  # type: ignore[method-assign]
        await at.submit("eve@far.example")
        await at.until(lambda: at.site.counters.storage_failures == 1)
        await at.submit("dan@other.example")
        for _ in range(3):
            with suppress(DiskError):
                await at.delivering.scan()
            await asyncio.sleep(0.05)
        assert carrier.addresses == ["eve@far.example"] and len(_rows(at)) == 2
        assert at.site.counters.storage_failures == (1 if isinstance(error, DiskError) else 4)
        at.site.writer.submit = submit  # type: ignore[method-assign]
        await at.delivering.scan()
        await at.empty()
        assert carrier.addresses == ["eve@far.example", "dan@other.example"] and not _rows(at)

    scene(tmp_path, test)


@pytest.mark.parametrize("answered", [True, False])
def test_the_end_waits_shortly_for_a_hand_over_and_stores_it(
    tmp_path: Path, answered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not answered:
        monkeypatch.setattr(limits, "DROP_SECONDS", 0.05)

    async def test(at: World, carrier: FakeCarrier) -> None:
        carrier.held = asyncio.Event()
        await at.submit("eve@far.example", "dan@other.example")
        await at.until(lambda: len(carrier.taken) == 2)
        ending = asyncio.create_task(at.tasks.close())
        if answered:
            await asyncio.sleep(0.02)
            assert not ending.done()
            carrier.held.set()
        await ending
        assert len(_rows(at)) == (0 if answered else 2)

    scene(tmp_path, test)


def test_the_end_stores_what_could_not_be_stored_while_another_hand_over_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DROP_SECONDS", 0.2)

    async def test(at: World, carrier: FakeCarrier) -> None:
        submit = at.site.writer.submit

        def failing(command: Any, done: Any) -> None:
            done(DiskError("full")) if isinstance(command, FinishDelivery) else submit(
                command, done
            )

        at.site.writer.submit = failing  # type: ignore[method-assign]
        await at.submit("eve@far.example")
        await at.until(lambda: at.site.counters.storage_failures == 1)
        at.site.writer.submit = submit  # type: ignore[method-assign]
        carrier.held = asyncio.Event()
        await at.submit("dan@other.example")
        await at.until(lambda: len(carrier.taken) == 2)
        await at.tasks.close()
        assert len(_rows(at)) == 1

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


@pytest.mark.parametrize("which", [1, 2, 3])
def test_mail_that_comes_during_a_look_up_which_finds_nothing_waits_for_no_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    """Also during the last one of a domain's only worker, which has no connection."""
    monkeypatch.setattr(limits, "IDLE_SECONDS", 0.01)

    async def test(at: World, carrier: FakeCarrier) -> None:
        ask, empty, submitting = at.site.reader.ask, 0, list[asyncio.Task[None]]()

        async def submit_first(answer: Callable[[], None]) -> None:
            carrier.refused = None
            await at.submit("dan@far.example", content=sealed(at.site, seed=2))
            answer()

        def asked(query: Any, done: Any) -> None:
            def answered(found: Any) -> None:
                nonlocal empty
                empty += isinstance(query, DueDeliveries) and found == []
                if empty == which and not submitting:
                    submitting.append(asyncio.create_task(submit_first(partial(done, found))))
                else:
                    done(found)

            ask(query, answered)

        at.site.reader.ask = asked  # type: ignore[method-assign]
        carrier.refused = Reply(556, "5.1.10", "far.example takes no mail (RFC 7505)")
        await at.submit("eve@far.example")
        await at.until(lambda: carrier.addresses == ["dan@far.example"])

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
