"""Has each mail judged before it is sealed: the workers say what to ask, the resolver answers.

A worker judges and seals in one turn when it has all answers. So the questions of a sender's last
mail are looked up ahead, mostly from the cache; of a new sender's mail the header goes round first.
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
        self.pool = pool
        self.resolver = resolver
        self.rules = rules
        self._questions: OrderedDict[str, tuple[Question, ...]] = OrderedDict()

    async def begin(
        self, request: SealRequest, content: bytearray, *, header_first: bool = False
    ) -> "Judgement":
        """The judgement of one mail, with the answers that it will probably need.

        `header_first`: all that the header makes necessary is asked before the mail is sealed.
        """
        judgement = Judgement(self, request)
        await judgement.look_ahead(self._questions.get(_domain(request), ()))
        if header_first or not judgement.known:
            await judgement.ask_for_header(content)
        return judgement

    def remember(self, request: SealRequest, asked: Iterable[Question]) -> None:
        """The next mail of the sender will ask the same, but for the peer's names."""
        sender = _domain(request)
        lasting = sorted(question for question in asked if question.kind is not Kind.PTR)
        self._questions[sender] = tuple(lasting[: limits.MAX_REMEMBERED_QUESTIONS])
        self._questions.move_to_end(sender)
        if len(self._questions) > limits.MAX_REMEMBERED_SENDERS:
            self._questions.popitem(last=False)


class Judgement:
    """The verdict on one mail: the answers so far, and what may still be asked.

    Only what the mail's own verdict asks uses its budget of questions and time. What was looked up
    ahead does not: the names in it are the choice of the sender of an earlier mail.
    """

    def __init__(self, judging: JudgingPool, request: SealRequest) -> None:
        self.known: dict[Question, Known] = {}
        self._judging = judging
        self._envelope = structs.replace(request, recipients=[])
        self._left = MAX_QUESTIONS
        self._last = False
        self._ends = asyncio.get_running_loop().time() + limits.JUDGING_SECONDS
        self._places = asyncio.Semaphore(limits.MAX_QUESTIONS_AT_ONCE)

    async def seal(self, request: SealRequest, content: bytearray) -> SealedMails:
        """As `SealingPool.seal`, judged; with questions it is to be repeated after `answer`.

        Raises MailRefusedError.
        """
        mails = await self._judging.pool.seal(self._asking(request), content)
        if not mails.questions:
            self._judging.remember(request, mails.asked)
        return mails

    async def answer(self, questions: Iterable[Question], content: bytearray) -> None:
        """Look up these, and all else that the header alone makes necessary."""
        if await self._look_up(questions):
            await self.ask_for_header(content)
        else:
            self._last = True

    async def ask_for_header(self, content: bytearray) -> None:
        """Look up what the header makes necessary. No recipients go to the worker for it."""
        header = _header(content)
        while True:
            request = self._asking(self._envelope, header_only=True)
            mails = await self._judging.pool.seal(request, header)
            if not await self._look_up(mails.questions):
                return

    async def look_ahead(self, questions: Iterable[Question]) -> None:
        """Look up what an earlier mail of the sender asked: answers that come soon are kept."""
        soon = asyncio.get_running_loop().time() + limits.LOOK_AHEAD_SECONDS
        found = await asyncio.gather(*(self._find(question, soon) for question in questions))
        self.known |= {Question(one.kind, one.name): one for one in found if not one.failed}
        self._ends = asyncio.get_running_loop().time() + limits.JUDGING_SECONDS

    def _asking(self, request: SealRequest, *, header_only: bool = False) -> SealRequest:
        rules = self._judging.rules
        authenticate = Authenticate(
            host=rules.host,
            refuse_by_dmarc=rules.refuse_by_dmarc,
            own_from=rules.own_from,
            sealers=list(rules.sealers),
            known=list(self.known.values()),
            last=self._last,
            header_only=header_only,
        )
        return structs.replace(request, authenticate=authenticate)

    async def _look_up(self, questions: Iterable[Question]) -> bool:
        """Look up those that are new, within the budget; whether there were any."""
        new = [question for question in questions if question not in self.known][: self._left]
        self._left -= len(new)
        found = await asyncio.gather(*(self._find(question, self._ends) for question in new))
        self.known.update(zip(new, found, strict=True))
        return bool(new)

    async def _find(self, question: Question, ends: float) -> Known:
        kind = _KINDS[question.kind]
        try:
            async with asyncio.timeout_at(ends), self._places:
                if asyncio.get_running_loop().time() >= ends:
                    raise TimeoutError  # before a place of the resolver is taken
                answer = await self._judging.resolver.look_up(question.name, kind)
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
