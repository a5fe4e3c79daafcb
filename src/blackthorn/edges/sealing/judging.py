"""Has each mail judged before it is sealed: the workers say what to ask, the resolver answers.

A worker judges and seals in one turn when it has all answers. So the questions of a sender's last
mail are looked up first, mostly from the cache; only a new sender's mail goes round more often.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from msgspec import structs

from blackthorn.edges.sealing import limits
from blackthorn.edges.sealing.pool import SealedMails, SealingPool
from blackthorn.edges.sealing.worker import Authenticate, Known, SealRequest
from blackthorn.mail.authentication.limits import MAX_QUESTIONS
from blackthorn.mail.authentication.questions import Kind, Question
from blackthorn.ports.dns import A, Aaaa, Answer, Mx, Ptr, Resolver, ResolverError, Txt

_KINDS: Final[dict[Kind, type[Any]]] = {
    Kind.A: A,
    Kind.AAAA: Aaaa,
    Kind.MX: Mx,
    Kind.PTR: Ptr,
    Kind.TXT: Txt,
}


@dataclass(frozen=True, slots=True)
class JudgingRules:
    """The settings; see `mail.authentication.verdict.Rules`."""

    host: str
    refuse_by_dmarc: bool = True
    own_from: str = "mark"
    sealers: tuple[str, ...] = ()


class JudgingPool:
    """Judges and seals mail from outside by `pool`."""

    def __init__(self, pool: SealingPool, resolver: Resolver, rules: JudgingRules) -> None:
        self._pool = pool
        self._resolver = resolver
        self._rules = rules
        self._questions: OrderedDict[str, frozenset[Question]] = OrderedDict()

    async def seal(self, request: SealRequest, content: bytearray) -> SealedMails:
        """As `SealingPool.seal`, judged. Raises MailRefusedError."""
        sender = _domain(request)
        ends = asyncio.get_running_loop().time() + limits.JUDGING_SECONDS
        known: dict[Question, Known] = {}
        await self._look_up(self._questions.get(sender, ()), known, ends)
        for _ in range(limits.MAX_JUDGING_ROUNDS):
            mails = await self._pool.seal(self._asking(request, known, last=False), content)
            if not mails.questions:
                break
            await self._prepare(request, content, mails.questions, known, ends)
        else:
            mails = await self._pool.seal(self._asking(request, known, last=True), content)
        self._remember(sender, mails.asked)
        return mails

    async def _prepare(
        self,
        request: SealRequest,
        content: bytearray,
        questions: Iterable[Question],
        known: dict[Question, Known],
        ends: float,
    ) -> None:
        """Look up all that the header alone makes necessary."""
        header = _header(content)
        for _ in range(limits.MAX_JUDGING_ROUNDS):
            await self._look_up(questions, known, ends)
            asking = self._asking(request, known, last=False, header_only=True)
            questions = (await self._pool.seal(asking, header)).questions
            if not questions or len(known) >= MAX_QUESTIONS:
                return

    def _asking(
        self,
        request: SealRequest,
        known: dict[Question, Known],
        *,
        last: bool,
        header_only: bool = False,
    ) -> SealRequest:
        rules = self._rules
        authenticate = Authenticate(
            host=rules.host,
            refuse_by_dmarc=rules.refuse_by_dmarc,
            own_from=rules.own_from,
            sealers=list(rules.sealers),
            known=list(known.values()),
            last=last or len(known) >= MAX_QUESTIONS,
            header_only=header_only,
        )
        return structs.replace(request, authenticate=authenticate)

    def _remember(self, sender: str, asked: Iterable[Question]) -> None:
        """The next mail of the sender will ask the same, but for the peer's names."""
        self._questions[sender] = frozenset(each for each in asked if each.kind is not Kind.PTR)
        self._questions.move_to_end(sender)
        if len(self._questions) > limits.MAX_REMEMBERED_SENDERS:
            self._questions.popitem(last=False)

    async def _look_up(
        self, questions: Iterable[Question], known: dict[Question, Known], ends: float
    ) -> None:
        new = [each for each in questions if each not in known]
        new = new[: max(0, MAX_QUESTIONS - len(known))]
        found = await asyncio.gather(*(self._answer(each, ends) for each in new))
        known.update(zip(new, found, strict=True))

    async def _answer(self, question: Question, ends: float) -> Known:
        try:
            async with asyncio.timeout_at(ends):
                answer = await self._resolver.look_up(question.name, _KINDS[question.kind])
        except (ResolverError, TimeoutError):
            return Known(question.kind, question.name, [], exists=True, failed=True)
        records = list(_records(question.kind, answer))
        return Known(question.kind, question.name, records, answer.exists, failed=False)


def _records(kind: Kind, answer: Answer[Any]) -> Iterable[bytes]:
    for record in answer.records[: limits.MAX_JUDGED_RECORDS]:
        match kind:
            case Kind.TXT:
                yield record.text
            case Kind.MX:
                yield f"{record.preference} {record.host}".encode()
            case Kind.PTR:
                yield record.host.encode()
            case Kind.A | Kind.AAAA:
                yield str(record.address).encode()


def _domain(request: SealRequest) -> str:
    """Whose mail it is, by its envelope."""
    return (request.sender.rpartition("@")[2] or request.helo).lower()


def _header(content: bytearray) -> bytearray:
    """The header, or the beginning of a mail without an end of its header."""
    end = content.find(b"\r\n\r\n", 0, limits.MAX_JUDGED_HEADER_BYTES)
    return content[: limits.MAX_JUDGED_HEADER_BYTES if end < 0 else end + 4]
