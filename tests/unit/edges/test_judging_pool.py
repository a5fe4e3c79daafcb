"""The judgement's rounds: what one mail may ask, and that no earlier mail can use that up."""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address

import pytest

from blackthorn.edges.sealing import limits
from blackthorn.edges.sealing.judging import JudgingPool, JudgingRules
from blackthorn.edges.sealing.pool import SealedMails
from blackthorn.edges.sealing.worker import SealRequest, answer
from blackthorn.mail.authentication.limits import MAX_QUESTIONS
from blackthorn.mail.errors import MailRefusedError
from blackthorn.ports.dns import A, Answer, Record
from tests.support.fake_dns import FakeResolver

REJECT = "v=DMARC1; p=reject"
MAIL = b"From: boss@bank.example\r\nSubject: s\r\n\r\nHello\r\n"


class SlowResolver(FakeResolver):
    """Counts questions at once; those for names that end in `slow` get no answer."""

    def __init__(self) -> None:
        super().__init__()
        self.running = self.most = 0
        self.slow = ".slow.example"

    async def look_up(self, name: str, kind: type[Record]) -> Answer[Record]:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if name.endswith(self.slow):
                await asyncio.sleep(3_600)
            return await super().look_up(name, kind)
        finally:
            self.running -= 1


class SealingHere:
    """The pool, without its processes; it seals nothing."""

    def __init__(self) -> None:
        self.given: list[tuple[SealRequest, int]] = []

    async def seal(self, request: SealRequest, content: bytearray) -> SealedMails:
        self.given.append((request, len(content)))
        head, _ = answer(request, bytes(content))
        if head.refusal is not None:
            raise MailRefusedError(*head.refusal)
        return SealedMails([], tuple(head.questions), tuple(head.asked), head.summary, head.place)


class Room:
    def __init__(self) -> None:
        self.pool = SealingHere()
        self.resolver = SlowResolver()
        self.resolver.txt("_dmarc.bank.example", REJECT)
        self.resolver.txt("evil.example", "v=spf1 ip4:192.0.2.1 -all")
        self.judging = JudgingPool(self.pool, self.resolver, JudgingRules("acme.example"))  # type: ignore[arg-type]

    async def judge(self, mail: bytes) -> SealedMails:
        """As the gateway has it. Raises MailRefusedError."""
        request = SealRequest(
            [], "acme.example", "x@evil.example", "mx.evil.example", "192.0.2.1", False, 1
        )
        content = bytearray(mail)
        judgement = await self.judging.begin(request, content)
        while True:
            sealed = await judgement.seal(request, content)
            if not sealed.questions:
                return sealed
            await judgement.answer(sealed.questions, content)


def judging(test: Callable[[Room], Awaitable[None]]) -> None:
    async def body() -> None:
        await test(Room())

    asyncio.run(body())


def with_keys(count: int, domain: str) -> bytes:
    """Signatures and seals that need so many keys, all of them different."""
    seals = []
    for number in range(1, count // 2 + 1):
        tags = f"i={number}; a=rsa-sha256; b=AA; d={domain};"
        seals += [
            f"ARC-Seal: {tags} s=a{number}; cv=none",
            f"ARC-Message-Signature: {tags} s=b{number}; h=from; bh=AA",
            f"ARC-Authentication-Results: i={number}; x.example; none",
        ]
    return "\r\n".join([*seals, ""]).encode()


def with_signatures(count: int, domain: str) -> bytes:
    line = "DKIM-Signature: v=1; a=rsa-sha256; b=AA; d={}; s=s{}; h=from; bh=AA\r\n"
    return "".join(line.format(domain, number) for number in range(count)).encode()


def test_a_forged_mail_is_refused_whatever_the_senders_last_mail_asked() -> None:
    async def test(room: Room) -> None:
        words = " ".join(f"a:h{number}.evil.example" for number in range(9))
        room.resolver.txt("evil.example", f"v=spf1 {words} ip4:192.0.2.1 -all")
        for number in range(9):
            room.resolver.add(f"h{number}.evil.example", A(IPv4Address("198.51.100.1")))
        first = with_keys(40, "evil.example") + with_signatures(8, "evil.example")
        own = first + MAIL.replace(b"bank.example", b"a.b.c.d.e.evil.example")
        await room.judge(own)
        assert sum(room.resolver.asked.values()) > 60
        with pytest.raises(MailRefusedError, match=r"bank\.example, which asks to reject") as error:
            await room.judge(MAIL)
        assert error.value.code == 550

    judging(test)


def test_a_policy_that_stays_unknown_defers() -> None:
    async def test(room: Room) -> None:
        room.resolver.slow = "_dmarc.bank.example"
        with pytest.raises(MailRefusedError) as error:
            await room.judge(MAIL)
        assert error.value.code == 451

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "JUDGING_SECONDS", 0.05)
        judging(test)


def test_one_mail_takes_few_places_of_the_resolver() -> None:
    async def test(room: Room) -> None:
        await room.judge(with_keys(40, "evil.example") + MAIL.replace(b"bank", b"evil"))
        assert room.resolver.most == limits.MAX_QUESTIONS_AT_ONCE
        assert sum(room.resolver.asked.values()) <= MAX_QUESTIONS

    judging(test)


def test_slow_names_of_an_earlier_mail_delay_the_next_one_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "LOOK_AHEAD_SECONDS", 0.05)
    mail = MAIL.replace(b"bank.example", b"evil.example")

    async def test(room: Room) -> None:
        await room.judge(with_keys(40, "evil.example") + mail)
        room.resolver.slow = "._domainkey.evil.example"
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await room.judge(mail)
        assert loop.time() - begun < 1.0
        assert room.resolver.running == 0

    judging(test)


def test_what_is_remembered_of_a_sender_is_bounded() -> None:
    async def test(room: Room) -> None:
        await room.judge(with_keys(40, "evil.example") + MAIL.replace(b"bank", b"evil"))
        before = room.resolver.asked.total()
        await room.judge(MAIL.replace(b"bank", b"evil"))
        assert room.resolver.asked.total() - before <= limits.MAX_REMEMBERED_QUESTIONS + 3

    judging(test)


def test_a_new_senders_header_goes_round_without_body_and_recipients() -> None:
    async def test(room: Room) -> None:
        await room.judge(MAIL.replace(b"bank", b"evil") + b"body\r\n" * 1_000)
        *asking, sealing = room.pool.given
        assert len(asking) > 1 and all(size < 100 for _, size in asking)
        assert not any(request.recipients for request, _ in asking)
        assert sealing[1] > 6_000

    judging(test)
