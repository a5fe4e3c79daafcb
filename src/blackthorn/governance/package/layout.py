"""The layout of a package, for `build` and `check`: categories, file names, JSON."""

import base64
import hashlib
import json
import re
from typing import Any, Final

from blackthorn.governance import directives

ACCOUNT_FACTS: Final = "account-facts"
SEALED_MAIL: Final = "sealed-mail"
WAITING_PARCELS: Final = "waiting-parcels"
IDENTITY_CHAIN: Final = "identity-chain"
LEDGER_ENTRIES: Final = "ledger-entries"
CATEGORIES: Final = directives.CATEGORIES

SEALED_FOLDERS: Final = {SEALED_MAIL: "mail", WAITING_PARCELS: "parcels"}
DOCUMENTS: Final = {
    ACCOUNT_FACTS: "account.json",
    IDENTITY_CHAIN: "chain.json",
    LEDGER_ENTRIES: "ledger.json",
}
QUERIES: Final = {
    ACCOUNT_FACTS: "the account's address, PIN, market, language and date; its devices and their "
    "public keys; its OpenPGP certificate; open activation codes without what opens them; how "
    "many key packages wait. As they are now: the period does not apply.",
    SEALED_MAIL: "every mail in the account's mailbox that came within the period, as it is "
    "stored: sealed to the account's own OpenPGP certificate.",
    WAITING_PARCELS: "every parcel that waits for one of the account's devices, as the sender "
    "sealed it. Parcels have no time, so that the period does not apply.",
    IDENTITY_CHAIN: "every statement that the account's devices have signed. The server keeps no "
    "time of them, so that the period does not apply.",
    LEDGER_ENTRIES: "the account's place in the public ledger, the versions of its entry and "
    "those entries. They have no time of their own, so that the period does not apply.",
}
"""What is read for each category."""

CIPHERTEXT: Final = "ciphertext only; the server holds no key to it"
FORMAT: Final = "blackthorn production v1"

TAGGED: Final = (
    "README.txt",
    "bag-info.txt",
    "bagit.txt",
    "custody.jsonl",
    "manifest-sha256.txt",
    "provenance.json",
    "verify.py",
)
"""The files that the tag manifest lists."""

TAG_MANIFEST: Final = "tagmanifest-sha256.txt"
PROOF: Final = (
    "proof/checkpoint",
    "proof/entry",
    "proof/opening",
    "proof/policy.txt",
    "proof/register.vkey",
    "proof/tlog-proof.txt",
)
SIGNATURE: Final = "signature.txt"
FINISHING: Final = (*PROOF, SIGNATURE)
"""Files added after the ledger shows the tag manifest's hash; in no manifest."""

TOP: Final = frozenset(
    {*TAGGED, TAG_MANIFEST, *(name.partition("/")[0] for name in FINISHING), "data"}
)
"""The first parts of the names below a package's folder."""


def is_finders(name: str) -> bool:
    """Whether the file is one that macOS leaves beside others: it is no part of the package."""
    last = name.rpartition("/")[2]
    return last == ".DS_Store" or (last.startswith("._") and len(last) > 2)


BAGIT: Final = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
FIRST: Final = "0" * 64
"""`previous` in the first line of a custody log."""

_PLAIN: Final = re.compile(r"[a-z0-9@._+-]")
_MOST_FOLDER: Final = 96


def folder_of(address: str) -> str:
    """An account's folder: its address, with unsafe characters as `=2F`.

    An address above 96 letters is hashed; account.json and provenance.json name it.
    """
    name = "".join(
        char if _PLAIN.fullmatch(char) else "".join(f"={byte:02X}" for byte in char.encode())
        for char in address
    )
    if len(name) <= _MOST_FOLDER:
        return name
    return f"account-{hashlib.sha256(address.encode()).hexdigest()}"


def document(value: Any) -> bytes:
    """Readable JSON in one form: sorted, indented by two; bytes as base64."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=_plain)
    return text.encode() + b"\n"


def line(value: Any) -> bytes:
    """JSON on one line in one form, without newline; bytes as base64."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain
    ).encode()


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"a package cannot encode a {type(value).__name__}")


def manifest(hashes: dict[str, str]) -> bytes:
    """A BagIt manifest (RFC 8493, 2.1.3): hash and name a line, sorted by name."""
    lines = (f"{hashes[name]}  {name}\n" for name in sorted(hashes))
    return "".join(lines).encode()


def custody(directive: str, steps: tuple[dict[str, Any], ...]) -> bytes:
    """The custody log: the directive, then each step, each line with the hash before."""
    lines: list[bytes] = []
    before = FIRST
    for number, step in enumerate(({"directive": directive}, *steps)):
        lines.append(line({"number": number, "previous": before, "step": step}))
        before = hashlib.sha256(lines[-1]).hexdigest()
    return b"\n".join(lines) + b"\n"


def last_custody(log: bytes) -> str:
    """The last line's hash, in hex."""
    return hashlib.sha256(log.rstrip(b"\n").rpartition(b"\n")[2]).hexdigest()


def signed_text(directive: str, manifest_hash: bytes) -> str:
    """The text that the register signs."""
    return f"{FORMAT}\n{directive}\n{base64.b64encode(manifest_hash).decode()}\n"
