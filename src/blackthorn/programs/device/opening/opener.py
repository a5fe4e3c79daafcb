"""Runs the process for each sealed part, and tells why one cannot be opened."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from blackthorn.crypto.secret import Secret
from blackthorn.device.mail import keys
from blackthorn.errors import UnavailableError
from blackthorn.mail.errors import SealBrokenError
from blackthorn.mail.pgp.notice import Reader
from blackthorn.mail.pgp.open import OpenedMail, armored_by_sender, opened
from blackthorn.mail.render.walk import Opener
from blackthorn.programs.device.opening import limits
from blackthorn.programs.device.opening.worker import BEGUN, OpenRequest

_KEPT_ENVIRONMENT: Final = ("LANG", "LC_ALL", "PATH")
_COMMAND: Final = (sys.executable, "-I", "-m", "blackthorn.programs.device.opening.worker")
_KILLS: Final = tuple(
    -end for end in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
)
"""Exit codes of a process that was ended by others, as where the system's memory is short."""

NOT_TRIED: Final = (
    "the program that opens sealed mail could not run: close other programs, and try again"
)


def opener(secrets: Sequence[Secret]) -> Opener:
    """What opens armored messages with any of the keys, each in a process of its own.

    It raises UnavailableError where the process could not run, which says nothing of the message.
    """

    def open_part(armored: bytes) -> bytes:
        request = OpenRequest([key.expose() for key in secrets], armored)
        try:
            done = subprocess.run(
                _COMMAND,
                input=msgspec.msgpack.encode(request),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ},
                timeout=2 * limits.MAX_OPENING_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            raise UnavailableError(NOT_TRIED) from None
        if not done.stdout.startswith(BEGUN) or done.returncode in _KILLS:
            raise UnavailableError(NOT_TRIED)
        if done.returncode or done.stdout == BEGUN:
            raise SealBrokenError("it takes more memory or time to open than a mail may")
        if done.stdout[1]:
            raise SealBrokenError(done.stdout[2:].decode("utf-8", "replace"))
        return done.stdout[2:]

    return open_part


def open_any(sealed: bytes, secrets: Sequence[Secret], reader: Reader | None = None) -> OpenedMail:
    """Open a stored mail with any of the keys: what its sender sealed, in a process of its own.

    Raises SealBrokenError, InputError, UnavailableError.
    """
    armored = armored_by_sender(sealed)
    if armored is None:
        return keys.open_with_any(sealed, secrets, reader)
    return opened(sealed, opener(secrets)(armored), reader)
