"""Enrolment: an activation code from its first try to a stored device.

Rules, in the order of the checks:

1. The code exists, is live, and has tries left; its user's market is not being closed.
2. The try is counted durably before the challenge, so that a crash returns no guess.
3. The edge verifies the code's proof and the device's two signatures
   (`link.activation.exchange`).
4. The first statements continue the user's chain (`server.accounts.admission`).
5. Device, statements, certificate, key packages and the code's use are one transaction, durable
   before the answer. A proven try is not counted.
6. A used code answers only the device that used it, until it expires.
7. Every refusal is counted and reported to `warn`, without code, address or peer.

What never happens here: deriving anything from a code, or storing one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from blackthorn.errors import BlackthornError, DefectError, ForbiddenError, StorageError
from blackthorn.ids import device_id
from blackthorn.link import limits as link_limits
from blackthorn.link.activation.exchange import DeviceKeys, Enrolment, Owner
from blackthorn.ports.clock import Clock
from blackthorn.ports.enrolment import (
    CODE_USED,
    CountTry,
    EnrolDevice,
    Enrolled,
    FindCode,
    OpenCode,
)
from blackthorn.ports.ledger import NewDevice, ReadChain, StoredChain
from blackthorn.ports.store import Done, Reader, Writer, unless_failed
from blackthorn.server.accounts import limits as accounts_limits
from blackthorn.server.accounts.admission import Admission, Admissions
from blackthorn.server.counters import Counters
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.ledger.ledger import Ledger
from blackthorn.server.markets.exit_rules import ExitRules, May
from blackthorn.wire.address import domain_of

UNKNOWN = "there is no such activation code here: check its number, or ask for a new code"
EXPIRED = "this activation code has expired: ask for a new one"
BURNT = "this activation code was tried too often and is burnt: ask for a new one"

REFUSED = "activation_refused"
UNPROVEN = "activation_not_proven_before"
LAST_TRY = "activation_code_at_last_try"
CODE_BURNT = "activation_code_burnt"


def why_refused(code: OpenCode | None, now_ms: int) -> str | None:
    """Why a code may not be tried now, or None."""
    if code is None:
        return UNKNOWN
    if code.expires_ms <= now_ms:
        return EXPIRED
    if code.tries >= accounts_limits.ACTIVATION_TRIES:
        return BURNT
    return None


@dataclass(frozen=True, slots=True)
class Try:
    """A counted try: the code as before it, and its user."""

    code: OpenCode
    owner: Owner

    @property
    def last(self) -> bool:
        """Whether the code is burnt unless this try is proven."""
        return self.code.tries + 1 >= accounts_limits.ACTIVATION_TRIES


@dataclass(frozen=True, slots=True)
class EnrolmentService:
    """Activation codes and the devices that they activate.

    `warn` gets UNPROVEN, LAST_TRY, CODE_BURNT or REFUSED for the log. A device with a wrong code
    hangs up silently; the next try shows it.
    """

    writer: Writer
    reader: Reader
    enterprise: EnterpriseCache
    ledger: Ledger
    admissions: Admissions
    counters: Counters
    clock: Clock
    warn: Callable[[str], None]
    exits: ExitRules | None = None

    def begin(self, nameplate: str, done: Done[Try]) -> None:
        """Count a try of the code; `done` gets ForbiddenError if it may not be tried."""
        now_ms = self.clock.wall_ms()

        def found(code: OpenCode) -> None:
            usable = self._if_usable(now_ms, done, counted)
            self.writer.submit(CountTry(nameplate, now_ms), usable)

        def counted(code: OpenCode) -> None:
            self.counters.activation_tries += 1

            def owned(owner: Owner) -> None:
                done(Try(code, owner))

            self.admissions.owner(code, now_ms, unless_failed(done, owned))

        self.reader.ask(FindCode(nameplate), self._if_usable(now_ms, done, found))

    def _if_usable(
        self, now_ms: int, done: Done[Try], go_on: Callable[[OpenCode], None]
    ) -> Done[OpenCode | None]:
        def read(code: OpenCode | None) -> None:
            try:
                refusal = self._refusal(code, now_ms)
            except StorageError as error:  # an exit's rules could not be read
                done(error)
                return
            if code is None or refusal is not None:
                done(self.refusal(refusal or UNKNOWN))
            else:
                go_on(code)

        return unless_failed(done, read)

    def _refusal(self, code: OpenCode | None, now_ms: int) -> str | None:
        refusal = why_refused(code, now_ms)
        if refusal is None and code is not None and self.exits is not None:
            refusal = self.exits.refusal(code.address, May.ACTIVATE) or None
        return refusal

    def challenged(self, attempt: Try) -> None:
        """Warn when the code was tried before."""
        if attempt.code.tries:
            self.warn(LAST_TRY if attempt.last else UNPROVEN)

    def refusal(self, text: str, *, burnt: bool = False) -> ForbiddenError:
        """Count a refusal, warn, and return its error."""
        self.counters.activations_refused += 1
        self.warn(CODE_BURNT if burnt or text == BURNT else REFUSED)
        return ForbiddenError(text)

    def enrol(self, attempt: Try, keys: DeviceKeys, done: Done[Enrolment]) -> None:
        """Store a device that has proved the code; `done` gets ForbiddenError if refused."""
        if attempt.code.used_by not in (None, device_id(keys.identity_key)):
            done(self.refusal(CODE_USED, burnt=attempt.last))
            return
        now_ms = self.clock.wall_ms()

        def admitted(admission: Admission | BlackthornError) -> None:
            if isinstance(admission, StorageError | DefectError):
                done(admission)
            elif isinstance(admission, BlackthornError):
                done(self.refusal(str(admission), burnt=attempt.last))
            else:  # rule 5
                command = enrol_device(attempt.code.nameplate, keys, admission, now_ms)
                enrolled = partial(self._enrolled, admission, now_ms, len(keys.statements), done)
                self.writer.submit(command, enrolled)

        self.admissions.admit(attempt.code.address, keys, now_ms, admitted)

    def _enrolled(
        self,
        admission: Admission,
        now_ms: int,
        count: int,
        done: Done[Enrolment],
        enrolled: Enrolled | BlackthornError,
    ) -> None:
        if isinstance(enrolled, StorageError | DefectError):
            done(enrolled)
            return
        if isinstance(enrolled, BlackthornError):
            done(self.refusal(str(enrolled)))
            return
        self.enterprise.forget(enrolled.address)
        self.counters.devices_activated += enrolled.fresh
        if enrolled.fresh and admission.change is not None:
            self.ledger.stored(replace(admission.change, removed=enrolled.removed), now_ms)

        def read(stored: StoredChain | None) -> None:
            rows = [] if stored is None else stored.statements[:count]
            done(self._enrolment(enrolled, [row.statement for row in rows]))

        query = ReadChain(enrolled.address, enrolled.seq - 1)
        self.reader.ask(query, unless_failed(done, read))

    def _enrolment(self, enrolled: Enrolled, statements: list[bytes]) -> Enrolment:
        return Enrolment(
            address=enrolled.address,
            domain=domain_of(enrolled.address),
            pin=enrolled.pin,
            device=enrolled.device,
            server_time=self.clock.wall_ms(),
            statements=statements,
            config=self.ledger.config_record,
            policy=self.ledger.policy_text,
        )


def enrol_device(
    nameplate: str, keys: DeviceKeys, admission: Admission, now_ms: int
) -> EnrolDevice:
    identity = keys.identity_key
    today = now_ms // (24 * 3600 * 1000)
    device = NewDevice(device_id(identity), identity, keys.name, admission.standing)
    return EnrolDevice(
        nameplate,
        device,
        admission.seq,
        now_ms,
        admission.change,
        tuple(keys.key_packages),
        keys.last_resort,
        link_limits.MAX_KEY_PACKAGES_PER_DEVICE,
        today + accounts_limits.ENROLMENT_PACKAGE_DAYS,
        today + accounts_limits.ENROLMENT_LAST_RESORT_DAYS,
    )
