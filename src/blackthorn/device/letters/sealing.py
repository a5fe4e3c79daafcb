"""Seals a mail for all of its recipients: signed, one copy for each kind of certificate.

1. A colleague's certificate is that of their identity chain, verified against the ledger; another
   person's the one that is pinned (`recipient_keys`). Without one for everybody nothing is sealed.
2. Certificates of one kind share a copy. Colleagues' copies are apart from those for people
   outside: around theirs not even the sender stands.
3. Each Bcc recipient has a copy for them alone.
4. One copy is for the sender's own mailbox.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from blackthorn.crypto.openpgp.recipients import RecipientCertificate, judge, seal_to_all
from blackthorn.crypto.openpgp_seal import CertificateError
from blackthorn.crypto.secret import Secret
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.letters import limits
from blackthorn.device.letters.letters import Head, letter_of
from blackthorn.device.mail import keys, outside_keys
from blackthorn.device.mail.recipient_keys import recipient_key
from blackthorn.errors import DecodeError, UserError
from blackthorn.ids import Address
from blackthorn.mail.compose import protection
from blackthorn.mail.compose.entity import Entity
from blackthorn.mail.compose.fields import Field, message_id
from blackthorn.mail.pgp.autocrypt import autocrypt_field
from blackthorn.ports.device_store import MailKeyRecord
from blackthorn.wire.address import domain_of, parse_address

NO_OWN_KEY: Final = "this device has no key for mail yet: try again when it was on line"


@dataclass(frozen=True, slots=True)
class SealedCopy:
    """One sealed mail, and the envelope's recipients of it."""

    recipients: list[str]
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Addressed:
    """A recipient's address as the envelope has it, and their certificate."""

    address: str
    certificate: RecipientCertificate


def normalised(address: str) -> Address:
    """The address by which keys are found. Raises UserError."""
    try:
        return parse_address(address)
    except DecodeError as error:
        raise UserError(f"{address}: {error}") from None


def colleague(address: str, domain: str) -> Address | None:
    """The user of that address if it is of the own domain, without a +tag; else None."""
    known = normalised(address)
    if domain_of(known) != domain:
        return None
    return Address(f"{known.rpartition('@')[0].partition('+')[0]}@{domain}")


def colleagues(unit: UnitOfWork, addresses: Iterable[str]) -> list[Address]:
    """Those of the own domain, oneself among them."""
    domain = domain_of(unit.me.address)
    found = [colleague(address, domain) for address in addresses]
    return list(dict.fromkeys([unit.me.address, *(one for one in found if one is not None)]))


def outsiders(unit: UnitOfWork, head: Head) -> list[Address]:
    """Recipients of other domains."""
    domain = domain_of(unit.me.address)
    found = [normalised(address) for address in head.recipients if not colleague(address, domain)]
    return list(dict.fromkeys(found))


def to_look_up(unit: UnitOfWork, head: Head) -> list[Address]:
    """People outside whose domain is to be asked for their key before the mail is sealed."""
    return [
        address
        for address in outsiders(unit, head)
        if address not in head.asked and _is_due(unit, address)
    ]


def _is_due(unit: UnitOfWork, address: Address) -> bool:
    """Somebody without a key is asked for each time: they may have one now."""
    known = unit.records.outside_keys.of(address)
    if known is None or not known.certificate:
        return True
    return outside_keys.is_due(unit.records, address, unit.now_ms)


def seal(unit: UnitOfWork, head: Head, entity: Entity) -> Iterator[SealedCopy]:
    """The sealed copies, one after the other. Raises UserError before the first, in words."""
    key = keys.newest(unit.records)
    if key is None:
        raise UserError(NO_OWN_KEY)
    groups = list(_groups(unit, head, key))

    def copies() -> Iterator[SealedCopy]:
        for group in groups:
            yield _copy(unit, head, entity, group, Secret(key.secret))

    return copies()


def _groups(unit: UnitOfWork, head: Head, key: MailKeyRecord) -> Iterator[list[_Addressed]]:
    """Who shares a copy with whom."""
    me, now = unit.me.address, unit.now_ms // 1000
    try:
        own = _Addressed(me, judge(key.certificate, me, now))
    except CertificateError as error:
        raise UserError(f"your own mail key cannot be used now: {error}") from None
    shared: dict[tuple[bool, tuple[bool, bool]], list[_Addressed]] = {}
    alone: list[list[_Addressed]] = []
    shared[True, own.certificate.kind] = [own]
    for one in _with_certificates(unit, head.recipients):
        if normalised(one.address) == me:
            continue
        inside = domain_of(normalised(one.address)) == domain_of(me)
        if one.address in head.hidden:
            alone.append([one])
        else:
            shared.setdefault((inside, one.certificate.kind), []).append(one)
    for group in shared.values():
        for start in range(0, len(group), limits.MAX_SEALED_TO):
            yield group[start : start + limits.MAX_SEALED_TO]
    yield from alone


def _with_certificates(unit: UnitOfWork, addresses: Iterable[str]) -> list[_Addressed]:
    """The certificates of all. Raises UserError that names those without."""
    found: list[_Addressed] = []
    unknown: list[str] = []
    domain = domain_of(unit.me.address)
    for address in addresses:
        inside = colleague(address, domain)
        if inside is not None and unit.chains.of(inside) is None:
            raise UserError(
                f"there is no user {inside} here; if it is an alias or a list, write to the people "
                "themselves"
            )
        known = recipient_key(unit.records, inside or normalised(address), unit.now_ms)
        if known is None:
            unknown.append(address)
        else:
            found.append(_Addressed(address, known))
    if unknown:
        raise UserError(no_key(unknown))
    return found


def no_key(addresses: list[str]) -> str:
    return (
        f"no key is known for {', '.join(addresses)}; nothing is sent unsealed: ask them for an "
        "OpenPGP key that their domain publishes (WKD), or leave them out"
    )


def _own_certificate(unit: UnitOfWork) -> list[Field]:
    """The Autocrypt field of mail to people outside, who then can answer sealed."""
    me = unit.me.address
    certificate = keys.published_certificate(unit.records, unit.chains.of(me))
    return [] if certificate is None else [("Autocrypt", autocrypt_field(me, certificate))]


def _copy(
    unit: UnitOfWork, head: Head, entity: Entity, group: list[_Addressed], signer: Secret
) -> SealedCopy:
    letter, domain = letter_of(unit, head), domain_of(unit.me.address)
    if domain_of(normalised(group[0].address)) == domain:
        outer = protection.outside_of_colleagues(letter, message_id(unit.random(16), domain))
        own: list[Field] = []
    else:
        outer = protection.outside(letter)
        own = _own_certificate(unit)
    content = protection.payload(letter, entity, outer)
    certificates = list({one.certificate.fingerprint: one.certificate for one in group}.values())
    try:
        armored = seal_to_all(content, certificates, now=unit.now_ms // 1000, signer=signer)
    except CertificateError as error:
        raise UserError(f"the mail cannot be sealed: {error}") from None
    recipients = list(dict.fromkeys(one.address for one in group))
    return SealedCopy(recipients, protection.message([*outer, *own], armored, unit.random))
