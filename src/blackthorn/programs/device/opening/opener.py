"""Runs the process for each sealed part, and tells why one cannot be opened."""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from blackthorn.crypto.secret import Secret
from blackthorn.device.mail import keys
from blackthorn.mail.errors import SealBrokenError
from blackthorn.mail.pgp.notice import Reader
from blackthorn.mail.pgp.open import OpenedMail, armored_by_sender, opened
from blackthorn.mail.render.walk import Opener
from blackthorn.programs.device.opening import limits
from blackthorn.programs.device.opening.worker import OpenRequest

_KEPT_ENVIRONMENT: Final = ("LANG", "LC_ALL", "PATH")
_COMMAND: Final = (sys.executable, "-I", "-m", "blackthorn.programs.device.opening.worker")


def opener(secrets: Sequence[Secret]) -> Opener:
    """What opens armored messages with any of the keys, each in a process of its own."""

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
            raise SealBrokenError("the process that opens it could not work") from None
        if done.returncode or not done.stdout:
            raise SealBrokenError("it takes more memory or time to open than a mail may")
        if done.stdout[0]:
            raise SealBrokenError(done.stdout[1:].decode("utf-8", "replace"))
        return done.stdout[1:]

    return open_part


def open_any(sealed: bytes, secrets: Sequence[Secret], reader: Reader | None = None) -> OpenedMail:
    """Open a stored mail with any of the keys: what its sender sealed, in a process of its own.

    Raises SealBrokenError, InputError.
    """
    armored = armored_by_sender(sealed)
    if armored is None:
        return keys.open_with_any(sealed, secrets, reader)
    return opened(sealed, opener(secrets)(armored), reader)
