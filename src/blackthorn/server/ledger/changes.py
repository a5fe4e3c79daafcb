"""The stored change of a user's verified statements: rows, certificate, devices."""

from collections.abc import Sequence
from typing import Final

from blackthorn.errors import InputError
from blackthorn.identity import statements
from blackthorn.identity.chain import VerifiedChain
from blackthorn.identity.openpgp import OpenPGP, verify_certificate
from blackthorn.ids import Address
from blackthorn.ports.enterprise import Standing
from blackthorn.ports.ledger import Change, NewCompatible, NewDevice, StoredStatement

KIND_NAMES: Final[dict[type[statements.Body], str]] = {
    statements.Genesis: "genesis",
    statements.AddDevice: "add_device",
    statements.RevokeDevice: "revoke_device",
    statements.SetOpenPGP: "set_openpgp",
    statements.Rotate: "rotate",
    statements.SetRecovery: "set_recovery",
    statements.Cancel: "cancel",
    statements.Reset: "reset",
    statements.SetCompatible: "set_compatible",
}
"""Stored names of the kinds of statements."""


def change_of(
    before: VerifiedChain | None,
    after: Sequence[VerifiedChain],
    signed: Sequence[statements.SignedStatement],
    certificate: bytes,
    now_ms: int,
) -> Change:
    """The change by verified statements (rule 2). Raises VerificationError, InputError."""
    rows = tuple(
        StoredStatement(chain.seq, chain.head, kind_of(item), chain.flags, chain.statements[-1])
        for chain, item in zip(after, signed, strict=True)
    )
    bodies = [item.statement.body for item in signed]
    stated = next((chain.openpgp for chain in after[::-1] if chain.openpgp), None)
    named = any(isinstance(body, statements.SetOpenPGP) for body in bodies)
    compatible = _compatible(before, after[-1], bodies, certificate)
    names = named or any(
        isinstance(body, statements.SetCompatible) and body.certificate for body in bodies
    )
    if names != bool(certificate):
        raise InputError("a certificate comes with the statement that names it, and only with it")
    if named and stated is not None:
        _check_certificate(stated, certificate, now_ms)
    elif compatible is not None and after[-1].compatible is not None:
        _check_certificate(after[-1].compatible.stated, certificate, now_ms)
    return Change(
        address=Address(after[0].label),
        after=before.seq if before is not None else 0,
        head=before.head if before is not None else statements.NO_STATEMENT,
        statements=rows,
        certificate=certificate if named else None,
        certificate_seq=stated.seq if named and stated is not None else 0,
        compatible=compatible,
        devices=tuple(_new(body) for body in bodies if isinstance(body, statements.AddDevice)),
        removed=tuple(
            body.device_id for body in bodies if isinstance(body, statements.RevokeDevice)
        ),
        renamed=tuple(
            (body.replaces, _new(body)) for body in bodies if isinstance(body, statements.Rotate)
        ),
        activated_ms=now_ms,
    )


def _check_certificate(stated: OpenPGP, certificate: bytes, now_ms: int) -> None:
    parsed = verify_certificate(stated, certificate)
    parsed.check(now_ms // 1000)
    parsed.check_sealing()


def _compatible(
    before: VerifiedChain | None,
    after: VerifiedChain,
    bodies: Sequence[statements.Body],
    certificate: bytes,
) -> NewCompatible | None:
    """What the statements make of the certificate for other programs; None: nothing.

    A revoked device ends it: the device knows its key.
    """
    stated = after.compatible
    if any(isinstance(body, statements.SetCompatible) for body in bodies):
        copies = stated is not None and stated.copies
        return NewCompatible(after.seq, certificate if stated is not None else b"", copies)
    if before is not None and before.compatible is not None and stated is None:
        return NewCompatible(after.seq, b"", False)
    return None


def kind_of(signed: statements.SignedStatement) -> str:
    """The stored name of the statement's kind."""
    return KIND_NAMES[type(signed.statement.body)]


def _new(body: statements.AddDevice | statements.Rotate) -> NewDevice:
    device = body.device
    return NewDevice(device.id, device.keys.ed25519, device.name, Standing.LIVE)
