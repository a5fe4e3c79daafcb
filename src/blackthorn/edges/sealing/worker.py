"""A process that scans and seals mail, so that pysequoia's lock is never the server's.

`python -m blackthorn.edges.sealing.worker` reads requests from standard input and writes answers in
order to standard output. It ends with its input, writes no file, and leaves no core dump.
"""

import os
import resource
import signal
import sys
from typing import BinaryIO

import msgspec

from blackthorn.crypto.openpgp_seal import CertificateError, parse_certificate
from blackthorn.edges.sealing import limits
from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.mime.scan import remove_dots, scan
from blackthorn.mail.pgp.seal import Envelope, seal_mail


class SealTo(msgspec.Struct, array_like=True, frozen=True):
    address: str
    certificate: bytes


class SealRequest(msgspec.Struct, array_like=True, frozen=True):
    """One mail's envelope (`mail.pgp.seal.Envelope`) and recipients; its bytes follow."""

    recipients: list[SealTo]
    domain: str
    sender: str
    helo: str
    peer: str
    tls: bool
    now: int
    own: bool = False


class SealAnswer(msgspec.Struct, array_like=True, frozen=True):
    """Sizes of the sealed mails that follow, by recipient; or code, status, text."""

    sizes: list[int]
    refusal: tuple[int, str, str] | None = None


def head(message: SealRequest | SealAnswer) -> bytes:
    """A message behind its length in 4 bytes."""
    data = msgspec.msgpack.encode(message)
    return len(data).to_bytes(4, "big") + data


def answer(request: SealRequest, data: bytes) -> tuple[SealAnswer, list[bytes]]:
    """Scan and seal one mail, whose dots are still doubled."""
    try:
        content = scan(remove_dots(data))
        sealed = [_seal(content, request, to) for to in request.recipients]
        return SealAnswer([len(each) for each in sealed]), sealed
    except MailRefusedError as error:
        return SealAnswer([], (error.code, error.status, str(error))), []
    except CertificateError as error:
        return SealAnswer([], (450, "4.2.1", str(error))), []


def _seal(content: bytes, request: SealRequest, to: SealTo) -> bytes:
    envelope = Envelope(
        domain=request.domain,
        address=to.address,
        sender=request.sender,
        helo=request.helo,
        peer=request.peer,
        tls=request.tls,
        now=request.now,
        own=request.own,
    )
    return seal_mail(content, envelope, parse_certificate(to.certificate), os.urandom)


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
