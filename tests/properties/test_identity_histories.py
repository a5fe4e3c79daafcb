"""Random histories, honest and not, against a simple model of what a chain may become.

The model knows devices by number and looks at nobody's signature: it says for each attempt
whether it must be taken, and what the chain then means. It is told the true time only.
"""

import random
from dataclasses import dataclass, field, replace

from blackthorn.errors import VerificationError
from blackthorn.identity.chain import UnverifiedChain, VerifiedChain, extend, replay
from blackthorn.identity.fingerprint import half
from blackthorn.identity.statements import (
    AddDevice,
    Body,
    Cancel,
    Reset,
    RevokeDevice,
    Rotate,
    SetRecovery,
)
from blackthorn.wire import limits
from tests.support import runs
from tests.support.identity_world import (
    ALICE,
    DELAY,
    HOUR,
    NOON,
    OTHER_SHEET,
    SHEET,
    Signer,
    Story,
    certificate_stated,
    device,
)

HISTORIES = runs.many(40)
ATTEMPTS = 40


@dataclass
class Model:
    """Alice's devices by number; `sheet` is her valid recovery key, "" for none."""

    live: dict[int, str] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    sheet: str = ""
    certificate: int = 0
    waiting: tuple[int, int, int] | None = None
    proofs: int = 0
    effective: int = 0
    seq: int = 0

    def personal(self) -> set[int]:
        """The devices that act."""
        return {number for number, role in self.live.items() if role == "personal"}

    def settle(self, now: int) -> None:
        """A reset whose time has come."""
        if self.waiting and now >= self.waiting[2]:
            self.live = {self.waiting[1]: "personal"}
            self.sheet, self.certificate, self.waiting = "", 0, None
            self.effective += 1

    def one_live(self, signers: set[Signer]) -> bool:
        """Exactly one device signs, and it may."""
        return len(signers) == 1 and signers <= self.personal()

    def attempt(self, what: "Attempt", now: int) -> bool:
        """Whether it must be taken; if so, it is."""
        late = self.waiting is not None and now >= self.waiting[2]
        if late and what.kind == "cancel":
            return False
        self.settle(now)
        if self.waiting is not None and what.kind != "cancel":
            return False
        taken = getattr(self, what.kind)(what, now)
        self.seq += taken
        return bool(taken)

    def add(self, what: "Attempt", now: int) -> bool:
        by = what.signers - {what.number}
        sheet = what.role == "recovered"
        ok = what.number in what.signers and what.number not in self.used
        ok &= len(self.live) < limits.MAX_DEVICES_PER_USER
        ok &= (bool(self.sheet) and by == {self.sheet}) if sheet else self.one_live(by)
        if ok:
            self.live[what.number] = "personal" if sheet else what.role
            self.used.add(what.number)
        return ok

    def revoke(self, what: "Attempt", now: int) -> bool:
        ok = what.number in self.live and self.personal() != {what.number}
        ok &= 1 <= len(what.signers) <= 2 and what.signers <= self.personal()
        if ok:
            del self.live[what.number]
        return ok

    def rotate(self, what: "Attempt", now: int) -> bool:
        ok = what.other in self.personal() and what.number not in self.used
        ok &= what.signers == {what.number, what.other}
        if ok:
            roles = {n if n != what.other else what.number: r for n, r in self.live.items()}
            self.live = roles
            self.used.add(what.number)
        return ok

    def certify(self, what: "Attempt", now: int) -> bool:
        ok = self.one_live(what.signers)
        if ok:
            self.certificate = what.number
        return ok

    def recovery(self, what: "Attempt", now: int) -> bool:
        ok = self.one_live(what.signers)
        if ok:
            self.sheet = ("", "sheet", "other sheet")[what.number % 3]
        return ok

    def reset(self, what: "Attempt", now: int) -> bool:
        ok = what.signers == {what.number, "enterprise"} and what.number not in self.used
        ok &= self.proofs < limits.MAX_CHAIN_RECEIPTS
        if ok:
            self.waiting = (self.seq + 1, what.number, now + DELAY)
            self.used.add(what.number)
            self.proofs += 1
        return ok

    def cancel(self, what: "Attempt", now: int) -> bool:
        ok = self.waiting is not None and self.waiting[0] == what.number
        ok &= self.one_live(what.signers) and self.proofs < limits.MAX_CHAIN_RECEIPTS
        if ok:
            self.waiting = None
            self.proofs += 1
        return ok


@dataclass
class Attempt:
    """Somebody tries to tell a statement."""

    kind: str
    number: int
    other: int
    role: str
    signers: set[Signer]

    def body(self) -> Body:
        """What it says."""
        match self.kind:
            case "add":
                role = "personal" if self.role == "recovered" else self.role
                return AddDevice(device(self.number, role), self.role == "recovered")
            case "revoke":
                return RevokeDevice(device(self.number).id, "reason", 0)
            case "rotate":
                return Rotate(device(self.number), device(self.other).id)
            case "certify":
                return certificate_stated(bytes([self.number]))
            case "recovery":
                keys = (None, SHEET.public, OTHER_SHEET.public)[self.number % 3]
                return SetRecovery(keys)
            case "reset":
                return Reset(device(self.number))
            case _:
                return Cancel(self.number)


KINDS = (
    "add",
    "add",
    "add",
    "revoke",
    "rotate",
    "certify",
    "recovery",
    "reset",
    "cancel",
    "cancel",
)
ANYBODY: tuple[Signer, ...] = (*range(1, 12), "enterprise", "sheet", "other sheet")


def attempt(seeded: random.Random, model: Model, fresh: int) -> Attempt:
    """Mostly what an honest person would do; else any statement by anybody."""
    kind = seeded.choice(KINDS)
    role = seeded.choice(("personal", "personal", "compliance", "recovered"))
    live = sorted(model.live)
    number = fresh
    if kind == "revoke":
        number = seeded.choice(live)
    elif kind == "cancel":
        number = model.waiting[0] if model.waiting else model.seq
    other = seeded.choice(live)
    signers: set[Signer] = {seeded.choice(sorted(model.personal()))}
    if kind == "add":
        signers = {number, model.sheet or "sheet"} if role == "recovered" else signers | {number}
    elif kind == "rotate":
        signers = {number, other}
    elif kind == "reset":
        signers = {number, "enterprise"}
    if seeded.random() < 0.3:
        signers = set(seeded.sample(ANYBODY, seeded.randrange(4)))
    if seeded.random() < 0.1:
        number = seeded.randrange(1, 12)
    return Attempt(kind, number, other, role, signers)


def check(model: Model, chain: VerifiedChain) -> None:
    """The chain means what the model says."""
    assert {each.id: each.role for each in chain.devices} == {
        device(number).id: role for number, role in model.live.items()
    }
    assert [each.id for each in chain.devices] == [device(number).id for number in model.live]
    sheets = {"": None, "sheet": SHEET.public, "other sheet": OTHER_SHEET.public}
    assert chain.recovery == sheets[model.sheet]
    stated = chain.openpgp.proof if chain.openpgp else b"\0"
    assert stated == bytes([model.certificate])
    pending = (chain.pending.seq, chain.pending.effective_ms) if chain.pending else None
    assert pending == (model.waiting and (model.waiting[0], model.waiting[2]))
    assert chain.seq == model.seq
    assert sum(each.effective for each in chain.resets) == model.effective
    assert (
        len(chain.resets) + sum(bool(each.cancelled_seq) for each in chain.resets) == model.proofs
    )


def history(seeded: random.Random) -> tuple[Story, Model, int]:
    """One random history: what is taken and what it means agrees with the model all the way."""
    told, model, refusals, fresh = Story().begin(1), Model(), 0, 20
    model.live, model.used, model.sheet, model.seq = {1: "personal"}, {1}, "sheet", 1
    for _ in range(ATTEMPTS):
        told.wait(seeded.choice((0, 1, HOUR, 10 * HOUR, DELAY - 1, DELAY)))
        what = attempt(seeded, model, fresh)
        fresh += 1
        expected = model.attempt(what, told.now)
        try:
            told.tell(what.body(), *what.signers)
            taken = True
        except VerificationError:
            taken = False
            refusals += 1
        assert taken == expected, f"{what} at {told.now - NOON}: {model}"
        model.settle(told.now)
        check(model, told.verified)
    return told, model, refusals


def test_random_histories_mean_what_the_model_says() -> None:
    seed = runs.seed()
    seeded = random.Random(seed)
    statements = refusals = effective = 0
    for _ in range(HISTORIES):
        told, model, refused = history(seeded)
        check(model, replay(UnverifiedChain(ALICE, told.statements), told.terms))
        statements += len(told.statements)
        refusals += refused
        effective += model.effective
    print(f"{statements} statements, {refusals} refused, {effective} resets became effective")
    assert statements > 5 * HISTORIES
    assert refusals > 5 * HISTORIES
    assert effective > HISTORIES // 10


def test_extending_is_replaying_wherever_it_is_split() -> None:
    seed = runs.seed()
    seeded = random.Random(seed)
    for _ in range(8):
        told, _, _ = history(seeded)
        whole = replay(UnverifiedChain(ALICE, told.statements), told.terms)
        for split in range(1, len(told.statements) + 1):
            first = replay(UnverifiedChain(ALICE, told.statements[:split]), told.terms)
            assert extend(first, told.statements[split:], told.terms) == whole
        for moment in (told.now, told.now + DELAY):
            terms = replace(told.terms, now_ms=moment)
            assert extend(whole, [], terms) == replay(
                UnverifiedChain(ALICE, told.statements), terms
            )


def test_halves_change_exactly_with_effective_resets() -> None:
    seed = runs.seed()
    seeded = random.Random(seed)
    for _ in range(5):
        told, _, _ = history(seeded)
        seen: dict[int, bytes] = {}
        for end in range(1, len(told.statements) + 1):
            chain = replay(UnverifiedChain(ALICE, told.statements[:end]), told.terms)
            resets = sum(each.effective for each in chain.resets)
            # Cut short, the last reset may look effective that was cancelled one statement later.
            if chain.flags == 0:
                assert seen.setdefault(resets, half(chain).hash) == half(chain).hash
        assert len(set(seen.values())) == len(seen)


def test_a_history_without_resets_raises_no_alarm_and_keeps_its_half() -> None:
    told = Story().begin(1)
    before = half(told.verified)
    for number in range(2, 30):
        told.add(number)
        told.tell(RevokeDevice(device(number).id, "lost", 0), 1)
    assert half(told.verified) == before
    assert told.verified.resets == ()
