"""The stored change that verified statements of one user make: rows, certificate, devices.

Rules are those of `server.ledger.chains`. Nothing here reads or writes the store.
"""

from collections.abc import Sequence
from typing import Final

from blackthorn.errors import InputError
from blackthorn.identity.chain import VerifiedChain
from blackthorn.identity.openpgp import verify_certificate
from blackthorn.identity.statements import (
    NO_STATEMENT,
    AddDevice,
    Body,
    Cancel,
    Genesis,
    Reset,
    RevokeDevice,
    Rotate,
    SetOpenPGP,
    SetRecovery,
    SignedStatement,
)
from blackthorn.ids import Address
from blackthorn.ports.enterprise import Standing
from blackthorn.ports.ledger import Change, NewDevice, StoredStatement

KIND_NAMES: Final[dict[type[Body], str]] = {
    Genesis: "genesis",
    AddDevice: "add_device",
    RevokeDevice: "revoke_device",
    SetOpenPGP: "set_openpgp",
    Rotate: "rotate",
    SetRecovery: "set_recovery",
    Cancel: "cancel",
    Reset: "reset",
}
"""The kinds of statements as they are stored."""


def change_of(
    before: VerifiedChain | None,
    after: Sequence[VerifiedChain],
    signed: Sequence[SignedStatement],
    certificate: bytes,
    now_ms: int,
) -> Change:
    """The change by these verified statements. Raises VerificationError, InputError (rule 2)."""
    statements = tuple(
        StoredStatement(chain.seq, chain.head, kind_of(item), chain.flags, chain.statements[-1])
        for chain, item in zip(after, signed, strict=True)
    )
    bodies = [item.statement.body for item in signed]
    stated = next((chain.openpgp for chain in after[::-1] if chain.openpgp), None)
    named = any(isinstance(body, SetOpenPGP) for body in bodies)
    if named != bool(certificate):
        raise InputError("a certificate comes with a set_openpgp statement, and only with it")
    if named and stated is not None:
        verify_certificate(stated, certificate).check(now_ms // 1000)
    return Change(
        address=Address(after[0].label),
        after=before.seq if before is not None else 0,
        head=before.head if before is not None else NO_STATEMENT,
        statements=statements,
        certificate=certificate if named else None,
        certificate_seq=stated.seq if named and stated is not None else 0,
        devices=tuple(_new(body) for body in bodies if isinstance(body, AddDevice)),
        removed=tuple(body.device_id for body in bodies if isinstance(body, RevokeDevice)),
        renamed=tuple((body.replaces, _new(body)) for body in bodies if isinstance(body, Rotate)),
        activated_ms=now_ms,
    )


def kind_of(signed: SignedStatement) -> str:
    """The name of the statement's kind as it is stored."""
    return KIND_NAMES[type(signed.statement.body)]


def _new(body: AddDevice | Rotate) -> NewDevice:
    device = body.device
    return NewDevice(device.id, device.keys.ed25519, device.name, Standing.LIVE)
