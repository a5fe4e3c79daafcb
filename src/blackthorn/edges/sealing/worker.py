"""A process that scans and seals mail, so that pysequoia's lock is never the server's.

`python -m blackthorn.edges.sealing.worker` reads requests from standard input and writes answers in
order to standard output. It ends with its input, writes no file, and leaves no core dump.
"""

import dataclasses
import os
import resource
import signal
import sys
from typing import BinaryIO

import msgspec

from blackthorn.crypto.openpgp_seal import CertificateError, parse_certificate
from blackthorn.edges.sealing import limits
from blackthorn.mail.authentication.questions import Found, Kind, Question
from blackthorn.mail.authentication.verdict import (
    Arrival,
    Rules,
    Verdict,
    clean,
    judge,
    questions,
)
from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.mime.scan import remove_dots, scan
from blackthorn.mail.pgp.seal import Envelope, seal_mail


class SealTo(msgspec.Struct, array_like=True, frozen=True):
    address: str
    certificate: bytes


class Known(msgspec.Struct, array_like=True, frozen=True):
    """An answer of the domain name system (`mail.authentication.questions`)."""

    kind: Kind
    name: str
    records: list[bytes]
    exists: bool
    failed: bool


class Authenticate(msgspec.Struct, array_like=True, frozen=True):
    """How to judge a mail; see `mail.authentication.verdict.Rules`. `last`: ask no more.

    `header_only`: only the header follows, to learn what else is to be asked.
    """

    host: str
    refuse_by_dmarc: bool
    own_from: str
    sealers: list[str]
    known: list[Known]
    last: bool = False
    header_only: bool = False


class SealRequest(msgspec.Struct, array_like=True, frozen=True):
    """One mail's envelope (`mail.pgp.seal.Envelope`) and recipients; its bytes follow.

    Without `authenticate` it is the server's own, which nobody has to prove. `dots`: they are
    doubled at the beginnings of lines (RFC 5321, 4.5.2).
    """

    recipients: list[SealTo]
    domain: str
    sender: str
    helo: str
    peer: str
    tls: bool
    now: int
    own: bool = False
    id: str = ""
    authenticate: Authenticate | None = None
    dots: bool = True


class SealAnswer(msgspec.Struct, array_like=True, frozen=True):
    """Sizes of the sealed mails that follow, by recipient; or code, status, text; or questions.

    `asked` are those that the verdict used, `summary` its results without names.
    """

    sizes: list[int]
    refusal: tuple[int, str, str] | None = None
    questions: list[Question] = []
    asked: list[Question] = []
    summary: str = ""
    place: str = ""


def head(message: SealRequest | SealAnswer) -> bytes:
    """A message behind its length in 4 bytes."""
    data = msgspec.msgpack.encode(message)
    return len(data).to_bytes(4, "big") + data


def answer(request: SealRequest, data: bytes) -> tuple[SealAnswer, list[bytes]]:
    """Scan, judge and seal one mail; or say what is to be asked first."""
    try:
        content = scan(remove_dots(data) if request.dots else data)
        judged = _judge(content, request)
        if isinstance(judged, frozenset):
            return SealAnswer([], questions=list(judged)), []
        envelope = _envelope(request, judged)
        if request.authenticate is not None:
            content = clean(content, (request.authenticate.host, request.domain))
        sealed = [_seal(content, envelope, to) for to in request.recipients]
    except MailRefusedError as error:
        if request.authenticate is not None and request.authenticate.header_only:
            return SealAnswer([]), []  # the whole mail decides
        return SealAnswer([], (error.code, error.status, str(error))), []
    except CertificateError as error:
        return SealAnswer([], (450, "4.2.1", str(error))), []
    sizes = [len(each) for each in sealed]
    if judged is None:
        return SealAnswer(sizes), sealed
    asked = list(judged.questions)
    place = envelope.place
    return SealAnswer(sizes, asked=asked, summary=judged.summary, place=place), sealed


def _judge(content: bytes, request: SealRequest) -> Verdict | frozenset[Question] | None:
    asked = request.authenticate
    if asked is None:
        return None
    arrival = Arrival(request.peer, request.sender, request.helo, request.now)
    rules = Rules(
        asked.host, request.domain, asked.refuse_by_dmarc, asked.own_from, tuple(asked.sealers)
    )
    known = {
        Question(each.kind, each.name): Found(_records(each), each.exists, each.failed)
        for each in asked.known
    }
    if asked.header_only:
        return questions(content, arrival, rules, known)
    return judge(content, arrival, rules, known, asked.last)


def _records(known: Known) -> tuple[bytes | str, ...]:
    if known.kind is Kind.TXT:
        return tuple(known.records)
    return tuple(each.decode("ascii", "replace") for each in known.records)


def _envelope(request: SealRequest, judged: Verdict | None) -> Envelope:
    return Envelope(
        domain=request.domain,
        address="",
        sender=request.sender,
        helo=request.helo,
        peer=request.peer,
        tls=request.tls,
        now=request.now,
        own=request.own,
        id=request.id,
        results="" if judged is None else judged.field,
        place="" if judged is None else str(judged.place),
    )


def _seal(content: bytes, envelope: Envelope, to: SealTo) -> bytes:
    own = dataclasses.replace(envelope, address=to.address)
    return seal_mail(content, own, parse_certificate(to.certificate), os.urandom)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Greet, then answer requests until their end."""
    answers.write(head(SealAnswer([])))
    answers.flush()
    decoder = msgspec.msgpack.Decoder(SealRequest)
    while (encoded := _read_sized(requests)) is not None:
        data = _read_sized(requests)
        if data is None:
            return
        message, sealed = answer(decoder.decode(encoded), data)
        answers.write(head(message))
        for each in sealed:
            answers.write(each)
        answers.flush()
        del encoded, data, sealed  # do not keep plaintext while idle


def _read_sized(source: BinaryIO) -> bytes | None:
    """Bytes behind their length in 4 bytes; None at the end."""
    size = int.from_bytes(length, "big") if len(length := source.read(4)) == 4 else -1
    data = source.read(size) if size >= 0 else b""
    return data if len(data) == size else None


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (limits.MAX_SEALING_WORKER_BYTES,) * 2)
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
