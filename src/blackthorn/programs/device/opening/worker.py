"""The process: one sealed message and the user's keys in, its content or the reason out.

`python -m blackthorn.programs.device.opening.worker` reads standard input to its end and answers on
standard output: BEGUN, then a byte 0 and the content, or a byte 1 and one line. When it ends by
itself after BEGUN without an answer, it has reached one of its bounds. It writes no file.
"""

import os
import resource
import sys
from typing import Final

import msgspec

from blackthorn.crypto.openpgp_open import UnsealError, unseal
from blackthorn.crypto.secret import Secret
from blackthorn.programs.device.opening import limits

BEGUN: Final = b"\x02"


class OpenRequest(msgspec.Struct, array_like=True, frozen=True):
    """`keys` are secret OpenPGP keys in binary, `armored` is the message."""

    keys: list[bytes]
    armored: bytes


def answer(request: OpenRequest) -> bytes:
    """The answer's bytes."""
    refusal = "this device has no key for mail yet"
    for key in request.keys:
        try:
            content = unseal(request.armored, Secret(key))
        except UnsealError as error:
            refusal = str(error)
            continue
        if len(content) > limits.MAX_OPENED_BYTES:
            return b"\x01it is larger than a mail can be"
        return b"\x00" + content
    return b"\x01" + refusal.encode()


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (limits.MAX_OPENING_BYTES,) * 2)
    seconds = limits.MAX_OPENING_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))  # SIGXCPU before SIGKILL
    request = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=OpenRequest)
    sys.stdout.buffer.write(BEGUN)
    sys.stdout.buffer.flush()
    sys.stdout.buffer.write(answer(request))
    sys.stdout.buffer.flush()
    os._exit(0)  # the keys are not unwound


if __name__ == "__main__":
    main()
