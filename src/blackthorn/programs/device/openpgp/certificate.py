"""The user's certificates: list them, make the one for other programs, revoke and export it.

That one is *not post-quantum*. The device makes it, tells the user's other devices its key, and
states it in the identity chain.
"""

from dataclasses import dataclass

from blackthorn.crypto.openpgp import compatible
from blackthorn.crypto.openpgp.armor import armor_certificate, armor_locked_key
from blackthorn.crypto.secret import Secret
from blackthorn.device.conversations import self_group
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.mail import keys
from blackthorn.device.operations import change_chain, share_state
from blackthorn.device.transparency import local_chain
from blackthorn.device.transparency.ledger_state import clock_ms
from blackthorn.errors import UserError
from blackthorn.identity.chain import VerifiedChain
from blackthorn.ports.device_store import MailKeyRecord
from blackthorn.programs.device.home import random, wall_ms
from blackthorn.programs.device.program import DeviceProgram

ABSENT = "there is no such certificate: make one by `blackthorn mail certificate add --compatible`"


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """A certificate of the user. `since_ms` is Unix milliseconds, 0 for the first.

    `state` is "in use", "revoked" or "not stated yet". `copies`: mail is sealed to it as well.
    """

    fingerprint: str
    post_quantum: bool
    state: str
    copies: bool
    since_ms: int


def list_certificates(device: DeviceProgram) -> list[OwnCertificate]:
    """The one in use for devices, and all for other programs, newest first."""
    with device.device.unit(wall_ms()) as unit:
        chain, found = local_chain.own(unit), list[OwnCertificate]()
        stated = chain.openpgp.fingerprint if chain is not None and chain.openpgp else ""
        for key in unit.records.mail_keys.all():
            if keys.is_compatible(key):
                state, copies = _state(chain, key)
                found.append(OwnCertificate(key.fingerprint, False, state, copies, key.since_ms))
            elif key.fingerprint == stated:
                own = OwnCertificate(key.fingerprint, True, "in use", True, key.since_ms)
                found.insert(0, own)
        return found


def _state(chain: VerifiedChain | None, key: MailKeyRecord) -> tuple[str, bool]:
    if chain is None:
        return "not stated yet", False
    known = chain.compatible
    if known is not None and known.stated.fingerprint == key.fingerprint:
        return "in use", known.copies
    return ("revoked" if chain.has_stated(key.fingerprint) else "not stated yet"), False


def add(device: DeviceProgram, *, copies: bool) -> tuple[list[int], str]:
    """Make the certificate for other programs, or change `copies` of the one in use.

    Returns the numbers of its operations, in their order, and the fingerprint. Raises UserError.
    """

    def make(unit: UnitOfWork) -> MailKeyRecord:
        chain = change_chain.known_chain(unit)
        if chain.compatible is not None:
            return _key(unit, chain.compatible.stated.fingerprint)
        made_ms = min(clock_ms(unit), wall_ms())
        return keys.fresh_compatible(unit.records, unit.me.address, made_ms, random)

    with device.device.unit(wall_ms()) as unit:
        record = make(unit)
    shared: list[int] = []
    with device.device.unit(wall_ms()) as unit:
        if self_group.share_due(unit):
            shared = [share_state.ShareState(unit.random(16)).enqueue(unit)]
    number = device.enqueue(
        lambda unit: change_chain.enqueue_compatible(unit, record, copies=copies)
    )
    return [*shared, number], record.fingerprint


def revoke(device: DeviceProgram) -> int:
    """Enqueue the revocation. Raises UserError when none is stated."""
    return device.enqueue(change_chain.enqueue_compatible_end)


def export_secret(device: DeviceProgram, passphrase: Secret) -> bytes:
    """The newest key for other programs, armored, under the passphrase. Raises UserError."""
    with device.device.unit(wall_ms()) as unit:
        record = _newest(unit)
    locked = compatible.lock(Secret(record.secret), passphrase, random)
    return armor_locked_key(Secret(locked))


def export_public(device: DeviceProgram) -> bytes:
    """The newest certificate for other programs, armored: with its revocation once it is revoked.

    Without one, the user's first, post-quantum one. Raises UserError when there is none yet.
    """
    with device.device.unit(wall_ms()) as unit:
        chain, own = local_chain.own(unit), keys.newest(unit.records)
        if own is not None and not any(map(keys.is_compatible, unit.records.mail_keys.all())):
            return armor_certificate(own.certificate)
        record = _newest(unit)
        now = min(clock_ms(unit), wall_ms()) // 1000
    state, _ = _state(chain, record)
    certificate = record.certificate
    if state == "revoked":
        certificate = compatible.revoke(Secret(record.secret), now)
    return armor_certificate(certificate)


def _newest(unit: UnitOfWork) -> MailKeyRecord:
    found = (key for key in unit.records.mail_keys.all() if keys.is_compatible(key))
    record = next(found, None)
    if record is None:
        raise UserError(ABSENT)
    return record


def _key(unit: UnitOfWork, fingerprint: str) -> MailKeyRecord:
    for key in unit.records.mail_keys.all():
        if key.fingerprint == fingerprint:
            return key
    raise UserError("this device does not know that certificate's key yet: try again in a minute")
