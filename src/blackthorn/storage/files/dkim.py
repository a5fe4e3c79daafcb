"""The folder `dkim` in a server's: the keys that sign outgoing mail.

SELECTOR.key      a PEM private key, RSA or Ed25519, without a passphrase (0600)
"""

import re
from pathlib import Path
from typing import Final

from blackthorn.crypto.secret import Secret
from blackthorn.errors import DiskError, system_error

SELECTOR: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
MAX_KEY_BYTES: Final = 16_384
"""A key's file; RSA with 4,096 bits has 3.3 kB."""


def folder(server: Path) -> Path:
    """Where the keys are."""
    return server / "dkim"


def keys(server: Path) -> dict[str, Secret]:
    """Selector → PEM, in the order of names. Raises DiskError."""
    found = {}
    with system_error(DiskError, f"{folder(server)} cannot be read"):
        for file in sorted(folder(server).glob("*.key")):
            if SELECTOR.fullmatch(file.stem):
                with file.open("rb") as opened:
                    found[file.stem] = Secret(opened.read(MAX_KEY_BYTES))
    return found
