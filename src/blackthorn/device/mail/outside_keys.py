"""Certificates of people outside: pinned on first use, and a change waits for the person.

1. The first certificate that is good is pinned. Further data of the same fingerprint replace it.
2. The web server of the address's domain (WKD) counts more than a mail's Autocrypt header, which
   forging a sender forges too: it replaces what came by a header, never the reverse.
3. Any other fingerprint is *offered*, and `blackthorn mail keys accept` decides. Of a header it is
   so only when a header's is pinned.

4. A certificate from a file is the person's own word (`blackthorn mail keys add`), as accepting is.

The identity chain of a colleague is no matter of this module: it wins (`recipient_keys`).
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from blackthorn.crypto.openpgp.armor import read_certificates
from blackthorn.crypto.openpgp.packets import split_certificates
from blackthorn.crypto.openpgp.recipients import RecipientCertificate, judge
from blackthorn.crypto.openpgp_seal import CertificateError, parse_certificate
from blackthorn.device.mail import limits
from blackthorn.errors import UserError
from blackthorn.ids import Address
from blackthorn.ports.device_store import Records
from blackthorn.ports.outside.keys import OutsideKeyRecord, Source

_BY_HEADER: Final = (Source.NONE, Source.AUTOCRYPT)
"""Sources that the domain's word replaces."""


def is_due(records: Records, address: Address, now_ms: int) -> bool:
    """Whether the address's domain is to be asked (again)."""
    known = records.outside_keys.of(address)
    age_ms = now_ms - known.asked_ms if known is not None and known.asked_ms else -1
    return not 0 <= age_ms < limits.LOOKUP_FRESH_SECONDS * 1000


def learn(
    records: Records, address: Address, source: Source, answer: bytes, now_ms: int
) -> OutsideKeyRecord:
    """Take what a source says of the address: certificates, binary, or none.

    Bytes that are no certificates, and certificates that are not good, count as none.
    """
    known = records.outside_keys.of(address) or OutsideKeyRecord(address)
    if source is Source.WKD:
        known = replace(known, asked_ms=now_ms)
    parts = _split(answer)
    known = _renewed(known, parts)
    good = list(_good(parts, address, now_ms // 1000))
    if good and known.fingerprint not in [each.fingerprint for each in good]:
        known = _taken(known, source, _best(good), now_ms)
    elif good and source is Source.WKD and known.source in _BY_HEADER:
        known = replace(known, source=source)
    records.outside_keys.put(known)
    records.outside_keys.forget_oldest(limits.MAX_OUTSIDE_MISSES)
    return known


def accept(records: Records, address: Address, now_ms: int) -> OutsideKeyRecord:
    """Pin the offered certificate. Raises UserError when none is offered."""
    known = records.outside_keys.of(address)
    if known is None or not known.offered:
        raise UserError(f"no other certificate of {address} waits: see `blackthorn mail keys list`")
    accepted = _pinned_by_person(known, known.offered_fingerprint, known.offered, now_ms)
    records.outside_keys.put(accepted)
    return accepted


def judge_file(data: bytes, address: Address, now_ms: int) -> RecipientCertificate:
    """The best good certificate of the address in a file, armored or binary.

    Raises CertificateError, of the last one in the file if none is good.
    """
    found = read_certificates(data)
    if len(found) > limits.MAX_CERTIFICATES_PER_ANSWER:
        raise CertificateError(f"{len(found)} certificates stand in it: give a file with theirs")
    good = list(_good(found, address, now_ms // 1000))
    if good:
        return _best(good)
    return judge(found[-1] if found else b"", address, now_ms // 1000)


def add(
    records: Records, address: Address, found: RecipientCertificate, now_ms: int
) -> OutsideKeyRecord:
    """Pin a certificate that the person vouches for. Raises UserError: known as revoked."""
    known = records.outside_keys.of(address) or OutsideKeyRecord(address)
    if known.fingerprint == found.fingerprint and _is_revoked(known):
        raise UserError(f"{address} has revoked {found.fingerprint}: ask them for another one")
    added = _pinned_by_person(known, found.fingerprint, found.data, now_ms)
    records.outside_keys.put(added)
    return added


def forget(records: Records, address: Address) -> None:
    """Forget what is known of the address. Raises UserError when nothing is."""
    if records.outside_keys.of(address) is None:
        raise UserError(f"nothing is known of {address}: see `blackthorn mail keys list`")
    records.outside_keys.forget(address)


def _pinned_by_person(
    known: OutsideKeyRecord, fingerprint: str, certificate: bytes, now_ms: int
) -> OutsideKeyRecord:
    """With this certificate pinned, and nothing offered."""
    return replace(
        known,
        source=Source.PERSON,
        fingerprint=fingerprint,
        certificate=certificate,
        since_ms=now_ms,
        offered_source=Source.NONE,
        offered_fingerprint="",
        offered=b"",
        offered_ms=0,
    )


def _split(answer: bytes) -> list[bytes]:
    try:
        return split_certificates(answer, limits.MAX_CERTIFICATES_PER_ANSWER)
    except ValueError:
        return []


def _renewed(known: OutsideKeyRecord, parts: Iterable[bytes]) -> OutsideKeyRecord:
    """With newer data of the pinned certificate, a revocation above all."""
    for part in parts if known.certificate else ():
        try:
            if parse_certificate(part).fingerprint.lower() == known.fingerprint:
                return known if _is_revoked(known) else replace(known, certificate=part)
        except CertificateError:
            continue
    return known


def _is_revoked(known: OutsideKeyRecord) -> bool:
    """Whether its owner has revoked it: a source that leaves the revocation off changes nothing."""
    try:
        return parse_certificate(known.certificate).revoked
    except CertificateError:
        return False


def _good(parts: Iterable[bytes], address: Address, now: int) -> Iterable[RecipientCertificate]:
    for part in parts:
        try:
            yield judge(part, address, now)
        except CertificateError:
            continue


def _best(good: Iterable[RecipientCertificate]) -> RecipientCertificate:
    """Post-quantum first, then the newest."""
    return max(good, key=lambda each: (each.post_quantum, each.created, each.fingerprint))


def _taken(
    known: OutsideKeyRecord, source: Source, found: RecipientCertificate, now_ms: int
) -> OutsideKeyRecord:
    """Rules 1 to 3 for another fingerprint than the pinned one."""
    pinned_by_header = known.source in _BY_HEADER
    if not known.certificate or (source is Source.WKD and pinned_by_header):
        return replace(
            known,
            source=source,
            fingerprint=found.fingerprint,
            certificate=found.data,
            since_ms=now_ms,
        )
    if source is Source.AUTOCRYPT and not pinned_by_header:
        return known
    same = known.offered_fingerprint == found.fingerprint
    return replace(
        known,
        offered_source=source,
        offered_fingerprint=found.fingerprint,
        offered=found.data,
        offered_ms=known.offered_ms if same else now_ms,
    )
