"""Officers who decide, and the log that tells of it: real signatures, a clock of the test's own.

world = World()                        officers are founded; nothing else is there
case = world.receive("PK")             D-000001, received today
world.decide(case, "verify", {...})    signed by officers whose roles it asks for
world.epoch()                          a head: what was decided is logged at this time
world.history()                        the log as a report reads it
"""

import random
from pathlib import Path
from typing import Any

from blackthorn.crypto.secret import Secret
from blackthorn.demo.replay_2015.officers import ROLES, fewest_officers
from blackthorn.directory.audit import Replay
from blackthorn.directory.config import DirectoryConfig
from blackthorn.directory.entries import ConfigEntry, Head, Record
from blackthorn.governance import directives
from blackthorn.governance.cases import Cases
from blackthorn.governance.officer_requests import officer_fields
from blackthorn.governance.register import entry
from blackthorn.governance.statements import (
    Signed,
    Statement,
    approve,
    private_hash,
    seal_private,
)
from blackthorn.identity.keys import SigningKeys
from blackthorn.ports.governance.cases import StoredDecision
from blackthorn.report.history import History, Snapshot
from blackthorn.server.ledger.ledger import LedgerKeys
from blackthorn.tlog.checkpoint import Checkpoint, LogSigner
from blackthorn.tlog.merkle import MerkleLog
from blackthorn.tlog.policy import NO_QUORUM, Policy, PolicyLog, format_policy
from blackthorn.tlog.tiles import format_bundle, tile_hashes, tiles_between
from blackthorn.wire.note import parse_vkey

DAY_MS = 24 * 3_600_000
JULY_2015_MS = 1_435_708_800_000
"""1 July 2015, 00:00 UTC."""


def directive_facts(received_ms: int, /, **facts: Any) -> dict[str, Any]:
    """The public fields of a directive's receipt, with others in place of these."""
    return {
        "kind": "production",
        "country": "PK",
        "authority": "District Court",
        "basis": "Code of Criminal Procedure, section 94",
        "process": "court order",
        "channel": "post",
        "received_ms": received_ms,
        "accounts": 1,
        "unknown": 0,
        "categories": ["account-facts"],
        "from_ms": 0,
        "to_ms": 0,
        "document": bytes(32),
        "gag_until_ms": 0,
        **facts,
    }


class World:
    """See the module. Seal what follows with `sealed = True`, until `reveal`."""

    def __init__(self, seed: int = 2015, domain: str = "acme.example", *, found: bool = True):
        self.chance = random.Random(seed)
        self.now_ms = JULY_2015_MS
        self.sealed = False
        self.cases = Cases()
        self.log: list[bytes] = []
        self._records: list[tuple[int, bytes]] = []
        self._reveals: dict[tuple[str, int], bytes] = {}
        self.kept: list[StoredDecision] = []
        """Every decision as a server keeps it, the founding too."""
        self._epoch = 0
        self._device_keys = {name: SigningKeys.generate(self.chance.randbytes) for name in ROLES}
        randbytes = self.chance.randbytes
        self.keys = LedgerKeys(
            f"{domain}/ledger",
            Secret(randbytes(32)),
            Secret(randbytes(32)),
            Secret(randbytes(32)),
            SigningKeys.generate(randbytes),
        )
        self.policy = format_policy(
            Policy((PolicyLog(parse_vkey(self.keys.log_vkey)),), (), (), NO_QUORUM)
        )
        self.config: DirectoryConfig = self.keys.config(
            domain=domain, policy=self.policy, reset_delay_ms=0, epoch_ms=1, heartbeat_ms=1000
        )
        self.log.append(ConfigEntry(1, self.config.encode()).encode())
        if found:
            self.found()

    # --- Deciding ---------------------------------------------------------------------------

    def found(self) -> None:
        """The first two owners found, and appoint the others."""
        first, second, *others = ROLES
        public = {**self._person(first), **self._person(second, "_2")}
        private = {"address": "a@acme.example", "address_2": "b@acme.example"}
        self.decide("officers", "found", public, private, by=(first, second))
        for name in others:
            private = {"address": f"{name.lower()}@acme.example"}
            self.decide("officers", "appoint", self._person(name), private)

    def _person(self, name: str, suffix: str = "") -> dict[str, Any]:
        public = self._device_keys[name].public
        roles = sorted(role.value for role in ROLES[name])
        return officer_fields(name, roles, public, suffix)

    def decide(
        self,
        case: str,
        action: str,
        public: dict[str, Any] | None = None,
        private: dict[str, Any] | None = None,
        *,
        by: tuple[str, ...] | None = None,
    ) -> Signed:
        """A decision by officers that may take it (or `by` these); raises what breaks a rule."""
        before = self.cases.case(case)
        kept = None if private is None else seal_private(private, self.chance.randbytes)
        statement = Statement(
            case,
            before.seq + 1,
            before.head,
            action,
            public or {},
            None if kept is None else private_hash(kept),
        )
        signed = Signed(statement, ())
        for name in by or fewest_officers(case, action):
            signed = approve(signed, name, self.now_ms, self._device_keys[name])
        self.cases.take(signed, self.now_ms)
        reveal = self.chance.randbytes(32) + signed.encode()
        self.kept.append(
            StoredDecision(
                len(self.kept) + 1,
                case,
                statement.seq,
                signed.encode(),
                kept or b"",
                reveal[:32],
                self.now_ms,
                self.sealed,
            )
        )
        if self.sealed:
            self._reveals[case, statement.seq] = reveal
        self._records.append(entry(case, statement.seq, reveal, sealed=self.sealed))
        return signed

    def receive(self, country: str, kind: str = "production", **facts: Any) -> str:
        """A new directive, as it is received today; its id."""
        case = self.cases.next_directive()
        technical = kind == directives.TECHNICAL
        about = {
            "kind": kind,
            "country": country,
            "accounts": 0 if technical else 2,
            "categories": [] if technical else ["account-facts", "sealed-mail"],
        }
        public = directive_facts(self.now_ms, **(about | facts))
        private = {
            "accounts": [f"p{number}@acme.example" for number in range(public["accounts"])],
            "case_number": "7",
            "signatory": "a judge",
            "contact": "the registry",
        }
        self.decide(case, "receive", public, private)
        return case

    def verify(self, case: str, result: str = "genuine") -> None:
        """Two people have called back."""
        private = {"contact": "the registry", "source": "the court's printed directory"}
        self.decide(case, "verify", {"method": "call-back", "result": result}, private)

    def assess(self, case: str, decision: str = "comply", grounds: str = "It is lawful.") -> None:
        """It was verified; legal says what is to be done."""
        public = {"decision": decision, "grounds": grounds, "deadline_ms": 0}
        self.decide(case, "assess", public)

    def deliver(self, case: str, with_data: int = 2, categories: list[str] | None = None) -> None:
        """Approve, produce and deliver what was assessed."""
        asked = directives.facts(self.cases.case(case))["categories"]
        self.decide(case, "approve", {"categories": asked if categories is None else categories})
        produced = {"manifest": bytes(32), "items": 3, "recipient": None}
        self.decide(case, "produce", {**produced, "accounts_with_data": with_data})
        self.decide(case, "deliver", {"delivered_ms": self.now_ms, "receipt": None})

    def refuse(self, case: str, reason: str = "not-lawful") -> None:
        """Answered by a letter."""
        self.decide(case, "refuse", {"reason": reason, "letter": bytes(32)})

    # --- The log ----------------------------------------------------------------------------

    def reveal(self) -> None:
        """What was sealed is revealed with the next epoch."""
        for (case, seq), reveal in sorted(self._reveals.items()):
            self._records.append(entry(case, seq, reveal, sealed=False))
        self._reveals.clear()

    def epoch(self, days: float = 0) -> None:
        """What was decided is logged now; then the clock goes on."""
        self._epoch += 1
        self.log += [Record(kind, self._epoch, body).encode() for kind, body in self._records]
        self._records.clear()
        empty = Replay()._tree.root
        head = Head(self._epoch, self.now_ms, empty, 0, 0, self.config.digest)
        self.log.append(head.encode())
        self.now_ms += max(1, round(days * DAY_MS))

    def history(self) -> History:
        """The log, read from its first entry."""
        history = History()
        for data in self.log:
            history.feed(data)
        return history

    def stand(self) -> Snapshot:
        """The log at its newest head."""
        stand = self.history().stand
        assert stand is not None
        return stand

    def note(self) -> bytes:
        """The log's own checkpoint of all that is in it."""
        root = MerkleLog(self.log).root()
        signer = LogSigner(self.keys.origin, self.keys.log)
        return signer.sign(Checkpoint(self.keys.origin, len(self.log), root))

    def mirror(self, folder: Path) -> Path:
        """The log as a mirror's folder has it; what is there is written over."""
        log = MerkleLog(self.log)
        shown = {"checkpoint": self.note(), "policy": self.policy.encode()}
        for tile in tiles_between(0, len(self.log)):
            entries = self.log[tile.start : tile.start + tile.width]
            shown[tile.path] = (
                format_bundle(entries) if tile.level is None else tile_hashes(log, tile)
            )
        for name, data in shown.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return folder
