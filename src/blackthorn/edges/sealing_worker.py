"""A process that scans and seals mail, so that pysequoia's lock is never the server's.

Run as `python -m blackthorn.edges.sealing_worker`: requests come on standard input, answers
leave on standard output, in order. It ends with its input, so it never outlives the server.
It writes no file, and leaves no core dump behind.
"""

import os
import resource
import signal
import sys
from typing import BinaryIO

import msgspec

from blackthorn import limits
from blackthorn.crypto.openpgp_seal import CertificateError, parse_certificate
from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.scan import scan
from blackthorn.mail.seal import Envelope, seal_mail


class SealTo(msgspec.Struct, array_like=True, frozen=True):
    """One recipient: address and OpenPGP certificate."""

    address: str
    certificate: bytes


class SealRequest(msgspec.Struct, array_like=True, frozen=True):
    """One mail as it came (dots removed), and how it came (`mail.seal.Envelope`)."""

    content: bytes
    recipients: list[SealTo]
    domain: str
    sender: str
    helo: str
    peer: str
    tls: bool
    now: int


class SealAnswer(msgspec.Struct, array_like=True, frozen=True):
    """`sealed` in the order of the recipients, or the refusal as code, status, text."""

    sealed: list[bytes]
    refusal: tuple[int, str, str] | None = None


def frame(message: SealRequest | SealAnswer) -> bytes:
    """A message with its length in 4 bytes before it."""
    data = msgspec.msgpack.encode(message)
    return len(data).to_bytes(4, "big") + data


def answer(request: SealRequest) -> SealAnswer:
    """Scan and seal one mail."""
    try:
        content = scan(request.content)
        return SealAnswer([_seal(content, request, to) for to in request.recipients])
    except MailRefusedError as error:
        return SealAnswer([], (error.code, error.status, str(error)))
    except CertificateError as error:
        return SealAnswer([], (450, "4.2.1", str(error)))


def _seal(content: bytes, request: SealRequest, to: SealTo) -> bytes:
    envelope = Envelope(
        domain=request.domain,
        address=to.address,
        sender=request.sender,
        helo=request.helo,
        peer=request.peer,
        tls=request.tls,
        now=request.now,
    )
    return seal_mail(content, envelope, parse_certificate(to.certificate), os.urandom)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until their end."""
    decoder = msgspec.msgpack.Decoder(SealRequest)
    while len(head := requests.read(4)) == 4:
        request = decoder.decode(requests.read(int.from_bytes(head, "big")))
        answers.write(frame(answer(request)))
        answers.flush()


def main() -> None:
    """Bound the process, then serve standard input."""
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
