"""Replies and forwarded mail: recipients, subject, thread, quotation (RFC 5322, 3.6.4 and 3.6.5).

The original is any mail of anybody: its fields are bounded, and addresses that nobody can write to
are left out.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import getaddresses
from itertools import islice

from blackthorn.errors import UserError
from blackthorn.mail.compose import limits
from blackthorn.mail.compose.flowed import quote
from blackthorn.mail.compose.letter import Mailbox, mail_address
from blackthorn.mail.mime.fields import Field, first
from blackthorn.mail.render.text import decode_header, safe_line

_ID = re.compile(rb"<[!-;=?-~]+>")
_REPLIED = re.compile(r"^(?:(?:re|aw|sv|antw|vs)(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)
_FORWARDED = re.compile(r"^(?:(?:fwd?|wg)\s*:\s*)+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Thread:
    """Where an answer stands: its subject, and the ids that lead to it."""

    subject: str
    in_reply_to: str = ""
    references: tuple[str, ...] = ()


def reply_thread(fields: list[Field]) -> Thread:
    """Subject and ids of a reply to a mail with these header fields."""
    subject = _REPLIED.sub("", _subject(fields))
    own = _ids(first(fields, b"message-id"))[:1]
    before = _ids(first(fields, b"references")) or _ids(first(fields, b"in-reply-to"))[:1]
    chain = [known for known in before if known not in own] + own
    if len(chain) > limits.MAX_REFERENCES:
        chain = chain[:1] + chain[1 - limits.MAX_REFERENCES :]
    return Thread(f"Re: {subject}".rstrip(), own[0] if own else "", tuple(chain))


def forward_thread(fields: list[Field]) -> Thread:
    """The subject of a forwarded mail, which begins a thread of its own."""
    return Thread(f"Fwd: {_FORWARDED.sub('', _subject(fields))}".rstrip())


def reply_recipients(
    fields: list[Field], own: str, *, everybody: bool
) -> tuple[list[Mailbox], list[Mailbox]]:
    """To and Cc of a reply by the user `own`. Raises UserError when there is nobody.

    To Reply-To, else From; the answer to an own mail goes to its recipients. With `everybody` To
    and Cc of the original follow as Cc.
    """
    author = _people(fields, b"reply-to") or _people(fields, b"from")
    others = _people(fields, b"to")
    if everybody:
        others += _people(fields, b"cc")
    if [person.address.lower() for person in author] == [own]:
        to, cc = _people(fields, b"to"), _people(fields, b"cc") if everybody else []
    else:
        to, cc = author, others if everybody else []
    known = {own}
    to = [person for person in to if not _seen(person, known)]
    cc = [person for person in cc if not _seen(person, known)]
    if not to and not cc:
        raise UserError("the mail names nobody else to reply to: use `blackthorn mail send`")
    return (to, cc) if to else (cc, [])


def author(fields: list[Field]) -> str:
    """The address of the one author, or "" when there is not exactly one From with one."""
    found = [value for name, value in fields if name == b"from"]
    addresses = _parsed(found[0]) if len(found) == 1 else []
    return addresses[0][1] if len(addresses) == 1 else ""


def names(fields: list[Field], own: str) -> bool | None:
    """Whether To or Cc names the user `own`, with a +tag or without.

    None when what is read of a longer list does not.
    """
    lists = [first(fields, b"to"), first(fields, b"cc")]
    people = (person for value in lists for person in _mailboxes(value))
    parts = (person.address.lower().rpartition("@") for person in people)
    if own in (f"{local.partition('+')[0]}@{domain}" for local, _, domain in parts):
        return True
    return None if any(len(one) > limits.MAX_ADDRESS_LIST_BYTES for one in lists) else False


def _seen(person: Mailbox, known: set[str]) -> bool:
    address = person.address.lower()
    seen = address in known
    known.add(address)
    return seen


def quotation(fields: list[Field], text: str) -> str:
    """The original's text, quoted below a line that says who wrote it."""
    shown = text.encode()[: limits.MAX_QUOTED_BYTES].decode("utf-8", "ignore")
    cut = "\n[... cut here]" if len(shown) < len(text) else ""
    who = safe_line(decode_header(first(fields, b"from")), limits.MAX_NAME_CHARS)
    when = safe_line(first(fields, b"date").decode("ascii", "replace"), limits.MAX_NAME_CHARS)
    said = f"On {when}, {who or 'somebody'} wrote:" if when else f"{who or 'Somebody'} wrote:"
    return f"{said}\n{quote(shown + cut)}"


def _subject(fields: list[Field]) -> str:
    return safe_line(decode_header(first(fields, b"subject")), limits.MAX_SUBJECT_CHARS)


def _ids(value: bytes) -> list[str]:
    found = [part.decode("ascii") for part in _ID.findall(value)]
    kept = [one for one in found if len(one) <= limits.MAX_MESSAGE_ID_BYTES and "@" in one]
    return list(dict.fromkeys(kept))


def _people(fields: list[Field], name: bytes) -> list[Mailbox]:
    """The first addresses of the first field of this name that can be written to."""
    return list(islice(_mailboxes(first(fields, name)), limits.MAX_ADDRESSED))


def _parsed(value: bytes) -> list[tuple[str, str]]:
    """Names and addresses of a field, before encoded words are decoded."""
    text = value[: limits.MAX_ADDRESS_LIST_BYTES].decode("ascii", "replace")
    try:
        return getaddresses([text])
    except RecursionError:  # comments within comments
        return []


def _mailboxes(value: bytes) -> Iterable[Mailbox]:
    for name, address in _parsed(value):
        try:
            known = mail_address(address)
        except UserError:
            continue
        yield Mailbox(known, safe_line(decode_header(name.encode("ascii", "replace"))))
