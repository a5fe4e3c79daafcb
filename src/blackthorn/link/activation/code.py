"""Codes of activation and pairing: written, read out, typed and parsed.

A code is a nameplate of four to six digits, which finds it at the server, and eight words of the
PGP word list, 64 secret bits: `4821-absurd-company-…`. A URL also has the server's address and the
code's purpose. What never happens here: hashing, storing, sending.
"""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from blackthorn.crypto.secret import Secret
from blackthorn.errors import UserError
from blackthorn.link.activation.pgp_words import EVEN_WORDS, ODD_WORDS

CODE_BYTES = 8
"""Secret bytes of a code, one word each."""

URL_SCHEME = "blackthorn://"

ACTIVATE, PAIR = "activate", "link"
"""A code's purpose in its URL."""

_COMMANDS = {ACTIVATE: "blackthorn activate", PAIR: "blackthorn device link"}

_LISTS = (EVEN_WORDS, ODD_WORDS)
_VALUES = tuple({word: value for value, word in enumerate(words)} for words in _LISTS)
_NAMEPLATE = re.compile(r"[0-9]{4,6}")
_SEPARATORS = re.compile(r"[\s\-\u2010-\u2015_.,;]+")
_URL = re.compile(
    r"blackthorn://(?P<host>\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253}):(?P<port>[0-9]{1,5})"
    r"/(?P<purpose>activate|link)#(?P<code>.+)",
    re.IGNORECASE | re.DOTALL,
)


class CodeError(UserError):
    """The input is not a code; the text names the wrong word and the nearest one."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code: `nameplate` of 4-6 digits, and 8 secret bytes."""

    nameplate: str
    secret: Secret = field(repr=False)


@dataclass(frozen=True, slots=True)
class Invitation:
    """A code, and the server's address when it came as a URL."""

    code: Code
    host: str | None = None
    port: int | None = None


def new_code(random: Callable[[int], bytes]) -> Code:
    """A fresh code; the caller checks that its nameplate is free."""
    nameplate = 1000 + int.from_bytes(random(8), "big") % 999_000
    return Code(str(nameplate), Secret(random(CODE_BYTES)))


def words(code: Code) -> list[str]:
    """The eight words, in lower case."""
    return [_LISTS[place % 2][value] for place, value in enumerate(code.secret.expose())]


def render(code: Code) -> str:
    """`NAMEPLATE-word-…-word`."""
    return "-".join([code.nameplate, *words(code)])


def render_url(code: Code, host: str, port: int, purpose: str = ACTIVATE) -> str:
    """`blackthorn://HOST:PORT/PURPOSE#CODE`; proxies log no fragment."""
    name = f"[{host}]" if ":" in host else host
    return f"{URL_SCHEME}{name}:{port}/{purpose}#{render(code)}"


def parse_invitation(text: str, purpose: str = ACTIVATE) -> Invitation:
    """A code or a URL as typed, pasted or scanned. Raises CodeError.

    A URL must be for this purpose; words alone have none.
    """
    text = text.strip()
    if not text.lower().startswith(URL_SCHEME):
        if "://" in text:
            raise CodeError(f"this is not a {URL_SCHEME} address: paste the one beside the code")
        return Invitation(parse_code(text))
    match = _URL.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise CodeError(f"the URL is not of the form blackthorn://HOST:PORT/{purpose}#CODE")
    if (meant := match["purpose"].lower()) != purpose:
        raise CodeError(f"that URL is for another command: {_COMMANDS[meant]}")
    return Invitation(parse_code(match["code"]), match["host"].strip("[]"), int(match["port"]))


def parse_code(text: str) -> Code:
    """A code in any case and with any separators. Raises CodeError."""
    nameplate, *spoken = [part for part in _SEPARATORS.split(text.strip().lower()) if part] or [""]
    if not _NAMEPLATE.fullmatch(nameplate):
        raise CodeError("a code begins with its number, four to six digits")
    for place, word in enumerate(spoken):
        if word not in _VALUES[0] and word not in _VALUES[1]:
            raise CodeError(_unknown(word, place))
    if len(spoken) != CODE_BYTES:
        raise CodeError(f"a code has {CODE_BYTES} words, this one {len(spoken)}")
    for place, word in enumerate(spoken):
        if word not in _VALUES[place % 2]:
            raise CodeError(
                f"word {place + 1}, “{word}”, cannot stand there: are two words swapped, "
                "or is one missing or doubled?"
            )
    values = (_VALUES[place % 2][word] for place, word in enumerate(spoken))
    return Code(nameplate, Secret(bytes(values)))


def _unknown(word: str, place: int) -> str:
    known = _LISTS[place % 2] + _LISTS[1 - place % 2]
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    shown = "".join(letter if letter.isprintable() else "?" for letter in word[:32])
    return f"word {place + 1}, “{shown}”, is not in the word list{hint}"
