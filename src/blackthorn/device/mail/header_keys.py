"""Certificates in the Autocrypt fields of opened mail: the last source of one, and never of ours.

The field of a mail with two senders, or two such fields, says nothing. Forging a sender forges the
field too, so that it decides only where the address's domain says nothing.
"""

import re
from typing import Final

from blackthorn.device.mail import limits, outside_keys
from blackthorn.errors import DecodeError
from blackthorn.ids import Address
from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.mime.structure import parse
from blackthorn.mail.pgp.autocrypt import Autocrypt, parse_autocrypt
from blackthorn.ports.device_store import Records
from blackthorn.ports.outside.keys import Source
from blackthorn.wire.address import domain_of, parse_address

_SENDER: Final = re.compile(rb'(?:"[^"<>\\]*"\s*|[^"<>,;:]*)<([^<>\s,;:]+)>|([^<>\s,;:"]+)')
"""One mailbox (RFC 5322, 3.4) in the forms that programs write; of any other nothing is learned."""


def learn_from(records: Records, content: bytes, mine: Address, now_ms: int) -> None:
    """Learn the sender's certificate from an opened mail that is not junk."""
    found = _field_of(content)
    if found is None or domain_of(found.address) == domain_of(mine):
        return
    chain = records.directory.chain(found.address)
    if chain is not None and chain.present:
        return
    known = records.outside_keys.of(found.address)
    if known is None and records.outside_keys.count() >= limits.MAX_HEADER_KEYS:
        return
    outside_keys.learn(records, found.address, Source.AUTOCRYPT, found.certificate, now_ms)


def _field_of(content: bytes) -> Autocrypt | None:
    """The one Autocrypt field that is of the mail's one sender."""
    try:
        fields = parse(content).fields
    except MailRefusedError:
        return None
    senders = [value for name, value in fields if name == b"from"]
    written = [value for name, value in fields if name == b"autocrypt"]
    sender = _SENDER.fullmatch(senders[0].strip()) if len(senders) == 1 else None
    if sender is None or not 0 < len(written) <= limits.MAX_AUTOCRYPT_FIELDS:
        return None
    try:
        address = parse_address((sender[1] or sender[2]).decode())
    except (DecodeError, UnicodeDecodeError):
        return None
    parsed = [parse_autocrypt(value.decode("ascii", "replace"), address) for value in written]
    found = [each for each in parsed if each is not None]
    return found[0] if len(found) == 1 else None
