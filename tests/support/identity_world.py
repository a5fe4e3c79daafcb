"""People, devices and an enterprise by number, a chain that grows, and how to expect a refusal."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import cbor2
import pytest

from blackthorn.errors import VerificationError
from blackthorn.identity.chain import (
    Terms,
    UnverifiedChain,
    VerifiedChain,
    extend,
    first_statement,
    next_statement,
    replay,
)
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.recovery import new_seed, recovery_keys
from blackthorn.identity.statements import (
    ENROLMENT,
    RECOVERY,
    AddDevice,
    Body,
    Cancel,
    DeviceInfo,
    Genesis,
    Reset,
    RevokeDevice,
    Rotate,
    SetCompatible,
    SetOpenPGP,
    SetRecovery,
    Statement,
    make,
)

ALICE = "alice@acme.example"
BOB = "bob@acme.example"
NOON = 1_795_000_000_000
HOUR = 3_600_000
DELAY = 72 * HOUR
REAL_SUITE = 0x004E


@contextmanager
def refuses(rule: str) -> Iterator[None]:
    """The block raises a `VerificationError` that carries exactly this rule and says so."""
    with pytest.raises(VerificationError) as caught:
        yield
    assert caught.value.rule == rule, str(caught.value)
    assert str(caught.value).endswith(f" [{rule}]")
    assert "\n" not in str(caught.value)


@cache
def keys_of(number: int) -> SigningKeys:
    """The keys of device or authority `number`."""
    return SigningKeys.generate(random.Random(number).randbytes)


ENTERPRISE = keys_of(1000)
OTHER_ENTERPRISE = keys_of(1001)
SHEET = recovery_keys(new_seed(random.Random(7).randbytes))
OTHER_SHEET = recovery_keys(new_seed(random.Random(8).randbytes))


def device(number: int, role: str = "personal", mls: bytes | None = None) -> DeviceInfo:
    """Device `number`, whose MLS key is its identity key."""
    public = keys_of(number).public
    mls_key = public.ed25519 if mls is None else mls
    return DeviceInfo.of(f"device {number}", public, mls_key, (REAL_SUITE,), role)


Signer = int | str
"""A device by its number, or "enterprise", "sheet", "other enterprise", "other sheet"."""

AUTHORITIES = {
    "enterprise": (ENROLMENT, ENTERPRISE),
    "other enterprise": (ENROLMENT, OTHER_ENTERPRISE),
    "sheet": (RECOVERY, SHEET),
    "other sheet": (RECOVERY, OTHER_SHEET),
}


def signer(who: Signer) -> tuple[bytes, SigningKeys]:
    """A signer as `make` wants it."""
    if isinstance(who, str):
        return AUTHORITIES[who]
    return device(who).id, keys_of(who)


def signed(statement: Statement, *signers: Signer) -> bytes:
    """The statement signed by these, whether they may or not."""
    return make(statement, [signer(each) for each in signers]).encode()


class Story:
    """A chain that grows: `tell` writes the next statement, verifies it and goes on from there."""

    def __init__(self, label: str = ALICE, *, two_to_revoke: bool = False) -> None:
        self.label = label
        self.now = NOON
        self.logged: dict[int, int] = {}
        self.two_to_revoke = two_to_revoke
        self.chain: VerifiedChain | None = None

    @property
    def terms(self) -> Terms:
        """The enterprise's terms as of now."""
        return Terms(ENTERPRISE.public, DELAY, self.now, dict(self.logged), self.two_to_revoke)

    @property
    def verified(self) -> VerifiedChain:
        """The chain as of now."""
        assert self.chain is not None
        return extend(self.chain, [], self.terms)

    @property
    def statements(self) -> tuple[bytes, ...]:
        """All statements so far."""
        return self.chain.statements if self.chain else ()

    def draft(self, body: Body) -> Statement:
        """The statement that comes next, unsigned."""
        if self.chain is None:
            return first_statement(self.label, body, self.now)
        return next_statement(self.chain, body, self.now)

    def write(self, body: Body, *signers: Signer) -> bytes:
        """The statement that comes next, signed, and not told."""
        return signed(self.draft(body), *signers)

    def hear(self, data: bytes) -> VerifiedChain:
        """The chain goes on by this statement, or the rule that it breaks is raised."""
        if self.chain is None:
            self.chain = replay(UnverifiedChain(self.label, (data,)), self.terms)
        else:
            self.chain = extend(self.chain, [data], self.terms)
        return self.chain

    def tell(self, body: Body, *signers: Signer) -> VerifiedChain:
        """The next statement, signed by these and logged now."""
        if isinstance(body, Reset | Cancel):
            self.logged[self.draft(body).seq] = self.now
        try:
            return self.hear(self.write(body, *signers))
        except VerificationError:
            self.logged.pop(self.draft(body).seq, None)
            raise

    def begin(self, number: int = 1, sheet: SigningKeys | None = SHEET) -> "Story":
        """The genesis by device `number`."""
        recovery = None if sheet is None else sheet.public
        self.tell(Genesis(device(number), recovery), number, "enterprise")
        return self

    def add(self, number: int, by: Signer = 1, role: str = "personal") -> "Story":
        """Device `number` comes, added by another."""
        self.tell(AddDevice(device(number, role)), number, by)
        return self

    def reset(self, number: int) -> "Story":
        """The enterprise begins anew with device `number`."""
        self.tell(Reset(device(number)), number, "enterprise")
        return self

    def wait(self, milliseconds: int) -> "Story":
        """Time passes."""
        self.now += milliseconds
        return self


def revoke(number: int, last_seq: int = 0, reason: str = "lost") -> RevokeDevice:
    """The body that revokes device `number`."""
    return RevokeDevice(device(number).id, reason, last_seq)


def certificate_stated(proof: bytes = b"proof") -> SetOpenPGP:
    """A body that states some certificate; nobody has checked its proof."""
    return SetOpenPGP("ab" * 32, bytes(range(32)), proof)


def compatible_stated(*, copies: bool = False) -> SetCompatible:
    """A body that states some certificate of version 4."""
    return SetCompatible(SetOpenPGP("cd" * 20, bytes(range(32)), b"proof"), copies)


BODIES: tuple[Body, ...] = (
    compatible_stated(),
    compatible_stated(copies=True),
    SetCompatible(None),
    Genesis(device(1), SHEET.public),
    Genesis(device(1)),
    AddDevice(device(2)),
    AddDevice(device(2, "compliance")),
    AddDevice(device(2), recovered=True),
    revoke(2, 5),
    revoke(2, 0, ""),
    certificate_stated(),
    Rotate(device(2), device(1).id),
    SetRecovery(SHEET.public),
    SetRecovery(None),
    Cancel(3),
    Reset(device(9)),
)
"""One body of each kind and form."""


def raw(data: bytes) -> list[Any]:
    """A signed statement as nested lists, to be bent."""
    value: list[Any] = cbor2.loads(data)
    return value


def bent(value: Any) -> bytes:
    """The nested lists as bytes, in the deterministic form."""
    return cbor2.dumps(value, canonical=True)
