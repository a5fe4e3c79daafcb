"""Enrolment: an activation code from its first try to a stored device.

Rules, in the order of the checks:

1. Unknown, expired and used codes are challenged like all others: only a device that proves the
   code learns more. For an unknown one nothing is a proof.
2. Unproven tries are bounded by client, and challenges in all; none burns a code.
3. The edge verifies the code's proof and the device's two signatures
   (`link.activation.exchange`).
4. The first statements continue the user's chain (`server.accounts.admission`).
5. Device, statements, certificate, key packages and the code's use are one transaction, durable
   before the answer.
6. A used code enrols only the device that used it, until it expires; none, where its user's market
   is being closed.
7. Every refusal is counted and reported to `warn`, without code, address or peer.

What never happens here: deriving anything from a code, or storing one.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from blackthorn.errors import (
    BlackthornError,
    DefectError,
    ForbiddenError,
    StorageError,
    UnavailableError,
)
from blackthorn.identity import statements
from blackthorn.ids import Address, device_id
from blackthorn.link import limits as link_limits
from blackthorn.link.activation.exchange import (
    DeviceKeys,
    Enrolment,
    Owner,
    Verifier,
    no_verifier,
)
from blackthorn.ports.clock import Clock
from blackthorn.ports.enrolment import (
    CODE_USED,
    EnrolDevice,
    Enrolled,
    FindCode,
    OpenCode,
)
from blackthorn.ports.ledger import NewDevice, ReadChain, StoredChain
from blackthorn.ports.randomness import Randomness
from blackthorn.ports.store import Done, Reader, Writer, unless_failed
from blackthorn.server.accounts import limits
from blackthorn.server.accounts.admission import Admission, Admissions
from blackthorn.server.accounts.tries import ClientTries, TryQueue
from blackthorn.server.counters import Counters
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.ledger.ledger import Ledger
from blackthorn.server.markets.exit_rules import ExitRules, May
from blackthorn.wire.address import domain_of

EXPIRED = "this activation code has expired: ask for a new one"

REFUSED = "activation_refused"
UNPROVEN = "activation_not_proven_before"

_NO_ADDRESS = Address("nobody@nowhere.invalid")
_UNKNOWN = ""
"""Lane of all tries at unknown codes."""


@dataclass(frozen=True, slots=True)
class Try:
    """A counted try. `code` is None for an unknown one, which is challenged like the others."""

    client: str
    code: OpenCode | None
    verifier: Verifier
    owner: Owner


@dataclass(frozen=True, slots=True)
class EnrolmentService:
    """Activation codes and the devices that they activate.

    `warn` gets UNPROVEN or REFUSED for the log. A device with a wrong code hangs up silently; the
    next try shows it.
    """

    writer: Writer
    reader: Reader
    enterprise: EnterpriseCache
    ledger: Ledger
    admissions: Admissions
    counters: Counters
    clock: Clock
    warn: Callable[[str], None]
    random: Randomness
    exits: ExitRules | None = None
    tries: ClientTries = field(default_factory=ClientTries)
    queue: TryQueue = field(default_factory=TryQueue)
    _unproven: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def begin(self, nameplate: str, client: str, now: float, done: Done[Try]) -> None:
        """Count a try of the code; `done` gets it when its turn has come, or UnavailableError."""
        try:
            self.tries.count(client, now)  # rule 2
        except UnavailableError as error:
            self._count_refusal()
            done(error)
            return

        def found(code: OpenCode | None) -> None:
            challenge = partial(self._challenge, client, code, done)
            try:
                self.queue.submit(_UNKNOWN if code is None else nameplate, challenge, now)
            except UnavailableError as error:
                self._count_refusal()
                done(error)

        self.reader.ask(FindCode(nameplate), unless_failed(done, found))

    def _challenge(self, client: str, code: OpenCode | None, done: Done[Try]) -> None:
        self.counters.activation_tries += 1
        if code is None:  # rule 1
            time_ms = self.ledger.cosigned_ms
            owner = Owner(_NO_ADDRESS, 0, statements.NO_STATEMENT, time_ms)
            done(Try(client, None, no_verifier(self.random), owner))
            return
        if code.nameplate in self._unproven:
            self.warn(UNPROVEN)
        self._unproven[code.nameplate] = None
        while len(self._unproven) > limits.MAX_UNPROVEN_CODES:
            self._unproven.popitem(last=False)

        def owned(owner: Owner) -> None:
            done(Try(client, code, code.verifier, owner))

        self.admissions.owner(code, self.clock.wall_ms(), unless_failed(done, owned))

    def refusal(self, text: str) -> ForbiddenError:
        """Count a refusal, warn, and return its error."""
        self._count_refusal()
        return ForbiddenError(text)

    def _count_refusal(self) -> None:
        self.counters.activations_refused += 1
        self.warn(REFUSED)

    def _refusal(self, code: OpenCode, keys: DeviceKeys, now_ms: int) -> str | None:
        """Why the holder of a proven code may not use it. Raises StorageError."""
        if code.used_by not in (None, device_id(keys.identity_key)):
            return CODE_USED
        if code.expires_ms <= now_ms:
            return EXPIRED
        if self.exits is not None:
            return self.exits.refusal(code.address, May.ACTIVATE) or None
        return None

    def enrol(self, attempt: Try, keys: DeviceKeys, done: Done[Enrolment]) -> None:
        """Store a device that has proved the code; `done` gets ForbiddenError if refused."""
        code, now_ms = attempt.code, self.clock.wall_ms()
        if code is None:
            raise DefectError("an unknown code was proven")
        self.tries.prove(attempt.client)
        self._unproven.pop(code.nameplate, None)
        try:
            refusal = self._refusal(code, keys, now_ms)
        except StorageError as error:  # an exit's rules could not be read
            done(error)
            return
        if refusal is not None:
            done(self.refusal(refusal))
            return

        def admitted(admission: Admission | BlackthornError) -> None:
            if isinstance(admission, StorageError | DefectError):
                done(admission)
            elif isinstance(admission, BlackthornError):
                done(self.refusal(str(admission)))
            else:  # rule 5
                command = enrol_device(code.nameplate, keys, admission, now_ms)
                enrolled = partial(self._enrolled, admission, now_ms, len(keys.statements), done)
                self.writer.submit(command, enrolled)

        self.admissions.admit(code.address, keys, now_ms, admitted)

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

    def _enrolment(self, enrolled: Enrolled, signed: list[bytes]) -> Enrolment:
        return Enrolment(
            address=enrolled.address,
            domain=domain_of(enrolled.address),
            pin=enrolled.pin,
            device=enrolled.device,
            server_time=self.clock.wall_ms(),
            statements=signed,
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
        today + limits.ENROLMENT_PACKAGE_DAYS,
        today + limits.ENROLMENT_LAST_RESORT_DAYS,
    )
