"""Real witnesses and auditors for a world: their rules, their databases, their anchors.

Only the network is left out: a witness is asked as `tlog.witness` says, an auditor reads the tiles
of the ledger that asks.
"""

from collections.abc import Iterable
from pathlib import Path

from blackthorn.audit.fork_evidence import fork_evidence
from blackthorn.errors import SecurityError
from blackthorn.programs.witness.auditor import PENDING, Auditor
from blackthorn.programs.witness.witness import Witness
from blackthorn.storage.files.anchor import Anchor
from blackthorn.storage.files.evidence import EvidenceFolder
from blackthorn.storage.sqlite.stores.witness import WitnessStore
from blackthorn.tlog.tiles import Tile, format_bundle, parse_path, tile_hashes
from blackthorn.tlog.witness import AddCheckpoint, format_add_checkpoint
from blackthorn.wire.note import parse_vkey
from tests.support.evil_server import EvilServer
from tests.support.ledger_world import LedgerWorld


class Tiles:
    """What a ledger shows to auditors; `hidden` when it keeps its entries to itself."""

    def __init__(self, ledger: LedgerWorld) -> None:
        self.ledger = ledger
        self.hidden = False

    def read(self, path: str) -> bytes | None:
        if self.hidden:
            return None
        tile = parse_path(path.removeprefix(PENDING))
        if tile.level is not None:
            return tile_hashes(self.ledger.ledger.log, tile)
        return format_bundle(self._entries(tile))

    def _entries(self, tile: Tile) -> list[bytes]:
        return self.ledger.store.entries(tile.start, tile.width, 2**40)


class RealWitness:
    """One witness on its own folder; it audits when it is given tiles."""

    def __init__(
        self, world: EvilServer, number: int, folder: Path, tiles: Tiles | None = None
    ) -> None:
        self.world = world
        self.folder = folder
        self.cosigner = world.ledger.witnesses[number]
        self.tiles = tiles
        folder.mkdir()
        self.store = WitnessStore.create(self.database)
        self.store.add_log(parse_vkey(world.ledger.keys.log_vkey), self.now_s())
        Anchor.create(folder / "anchor")
        self.start()

    @property
    def database(self) -> Path:
        return self.folder / "witness.db"

    def now_s(self) -> int:
        return self.world.now_ms // 1000

    def start(self) -> None:
        """A new process over what is on its disk."""
        self.size = 0
        evidence = EvidenceFolder(self.folder / "evidence", fork_evidence)
        anchor = Anchor.open(self.folder / "anchor")
        examine = {} if self.tiles is None else {"examine": Auditor(self.tiles).examine}
        self.witness = Witness(self.cosigner, self.store, anchor, self.now_s, evidence, **examine)

    def stop(self) -> None:
        self.store.close()

    def ask(self, ledger: LedgerWorld) -> str:
        """Ask it to cosign what waits; empty, or why it does not."""
        waiting = ledger.ledger.waiting
        if waiting is None:
            return ""
        latest = self.store.latest(ledger.keys.origin)
        old = latest.checkpoint.size if latest is not None else 0
        proof = tuple(waiting.consistency(old)) if 0 < old <= waiting.size else ()
        body = format_add_checkpoint(AddCheckpoint(min(old, waiting.size), proof, waiting.note))
        try:
            lines = self.witness.add_checkpoint(body).decode().splitlines()
        except SecurityError as error:
            return str(error)
        ledger.ledger.cosigned(lines, self.world.now_ms)
        return ""

    def evidence(self) -> list[bytes]:
        """The files that it keeps of forks."""
        found = (self.folder / "evidence").glob("*.json")
        return [each.read_bytes() for each in found]


def use(ledger: LedgerWorld, witnesses: Iterable[RealWitness]) -> list[str]:
    """Let these, and nobody else, cosign this ledger; what they refuse is noted."""
    refusals: list[str] = []

    def cosign(*which: int) -> None:
        ledger.note_seen()
        refusals.extend(refusal for each in witnesses if (refusal := each.ask(ledger)))

    ledger.cosign = cosign  # type: ignore[method-assign]
    return refusals
