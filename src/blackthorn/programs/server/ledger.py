"""The ledger in the server: composition, clock and edges.

tick ──► Ledger ──waiting──► WitnessClient ──HTTP──► witnesses, the embedded one among them
           ▲ cosigned ◄───────────┘
           └── published ──► HTTPS with its tiles
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from starlette.routing import BaseRoute

from blackthorn.directory.config import DirectoryConfig
from blackthorn.directory.entries import ConfigEntry, Head, decode_entry
from blackthorn.edges.gate import Gate
from blackthorn.edges.http.ledger import PublishedEpoch, ledger_app
from blackthorn.edges.http.server import HttpServer, serve_http
from blackthorn.edges.http.witness_client import Peer, WitnessClient
from blackthorn.errors import DamageError, UserError
from blackthorn.ids import Address
from blackthorn.ports.clock import Clock
from blackthorn.ports.ledger import NewestConfig, ReadEntries
from blackthorn.ports.store import BlockingReader, Reader, Writer
from blackthorn.ports.waiting import outcome
from blackthorn.programs.periodic import Supervisor
from blackthorn.programs.server.configuration import Configuration
from blackthorn.programs.server.embedded_witness import EmbeddedWitness
from blackthorn.server.counters import Counters
from blackthorn.server.ledger.chains import DevicesChanged
from blackthorn.server.ledger.epoch_changes import EpochChanges
from blackthorn.server.ledger.epochs import Pending
from blackthorn.server.ledger.ledger import Ledger, LedgerKeys
from blackthorn.storage.files.ledger import LedgerFiles
from blackthorn.tlog.policy import Policy, format_policy
from blackthorn.tlog.tiles import Tile, tile_hashes
from blackthorn.wire.note import VerifierKey, parse_vkey

TICK_SECONDS: Final = 0.05
"""Period of the check for a due epoch."""

OWN_SECONDS: Final = 10.0
"""How long the first epoch waits for the embedded witness to start."""

HOUR_MS: Final = 3_600_000


def ledger_config(keys: LedgerKeys, policy: Policy, settings: Configuration) -> DirectoryConfig:
    ledger = settings.ledger
    return keys.config(
        domain=settings.enterprise.domain,
        policy=format_policy(policy),
        reset_delay_ms=ledger.reset_delay_hours * HOUR_MS,
        epoch_ms=ledger.epoch_seconds * 1000,
        heartbeat_ms=ledger.heartbeat_seconds * 1000,
    )


class LedgerTiles:
    """`edges.http.ledger.Tiles` over a ledger."""

    def __init__(self, ledger: Ledger, keys: LedgerKeys, reader: Reader) -> None:
        self.origin = keys.origin
        self.vkey = keys.log_vkey
        self.policy = ledger.policy_text
        self._ledger = ledger
        self._reader = reader

    def newest(self) -> PublishedEpoch | None:
        published = self._ledger.published
        if published is None:
            return None
        head = decode_entry(published.head)
        users = head.users if isinstance(head, Head) else 0
        return PublishedEpoch(
            published.note, published.size, published.epoch, published.unix_ms, users
        )

    def pending_size(self) -> int:
        waiting, published = self._ledger.waiting, self._ledger.published
        if waiting is not None:
            return waiting.size
        return published.size if published is not None else 0

    async def config(self) -> bytes:
        record = await outcome(partial(self._reader.ask, NewestConfig()))
        entry = decode_entry(record or b"")
        return entry.record if isinstance(entry, ConfigEntry) else b""

    def hashes(self, tile: Tile) -> bytes:
        return tile_hashes(self._ledger.log, tile)

    async def entries(self, start: int, count: int) -> list[bytes]:
        found: list[bytes] = await outcome(
            partial(self._reader.ask, ReadEntries(start, count, 2**31))
        )
        if len(found) != count:
            raise DamageError(f"entry {start + len(found)} of the ledger is missing")
        return found


class ServerLedger:
    """The ledger of one running server; `start` runs it."""

    def __init__(
        self,
        files: LedgerFiles,
        settings: Configuration,
        store: BlockingReader,
        writer: Writer,
        reader: Reader,
        counters: Counters,
        clock: Clock,
        leaf_changed: Callable[[Address], None],
        published_epoch: Callable[[EpochChanges], None],
        changed: Callable[[DevicesChanged], None],
        tasks: Supervisor,
    ) -> None:
        self.keys = files.read_keys()
        policy = files.read_policy()
        self.ledger = Ledger(
            writer=writer,
            reader=reader,
            keys=self.keys,
            policy=policy,
            config=ledger_config(self.keys, policy, settings),
            counters=counters,
            leaf_changed=leaf_changed,
            published_epoch=published_epoch,
            changed=changed,
            monotonic=clock.monotonic,
        )
        self._store = store
        self._reader = reader
        self._settings = settings.ledger
        self._clock = clock
        self._http_seconds = counters.http_seconds
        self._tasks = tasks
        self._place = files.witness
        self._closures = files.path / "closures"
        embedded = self._embedded_key()
        self._peers = [
            Peer(witness.name, witness.key, "" if witness.key == embedded else witness.url or "")
            for witness in policy.witnesses
            if witness.url or witness.key == embedded
        ]
        self._own = next((peer for peer in self._peers if peer.key == embedded), None)
        self._unasked = [
            f"the witness {each.name} of policy.txt has no address"
            for each in policy.witnesses
            if not each.url and each.key != embedded
        ]
        log = parse_vkey(self.keys.log_vkey)
        self._client = WitnessClient(
            self.ledger, log, self._peers, clock, self._settings.witness_timeout_seconds, tasks
        )
        self._witness: EmbeddedWitness | None = None

    def _embedded_key(self) -> VerifierKey | None:
        """Raises UserError when the embedded witness is missing."""
        if self._settings.witness == "none":
            return None
        if not self._place.key.is_file():
            raise UserError(
                f"{self._place.path} has no witness: make one with `blackthorn witness init` and "
                'name it in policy.txt, or set ledger.witness = "none"'
            )
        return self._place.cosigner().vkey

    async def start(
        self,
        stack: AsyncExitStack,
        tls: ssl.SSLContext,
        gate: Gate,
        pages: Sequence[BaseRoute] = (),
    ) -> HttpServer:
        """Start witness, client and HTTPS, which the stack ends. Raises UnavailableError.

        `pages` are served beside the ledger's.
        """
        self.ledger.start(self._store, self._clock.wall_ms())
        self.ledger.hold(True)
        tiles = LedgerTiles(self.ledger, self.keys, self._reader)
        app = ledger_app(tiles, self._closure, pages)
        host, port = self._settings.host, self._settings.port
        seconds = self._http_seconds
        edge = await serve_http(app, "the ledger", host, port, tls, seconds, gate)
        stack.push_async_callback(edge.close)
        if self._own is not None:
            own = EmbeddedWitness(
                self._place, self._settings.witness_port, self._serves_at, self._tasks
            )
            self._witness = await stack.enter_async_context(own)
        await stack.enter_async_context(self._client)
        self._tasks.start("asking the witnesses first", self._ask_first())
        self._tasks.every(TICK_SECONDS, "ledger", self._tick)
        return edge

    def _closure(self, exit_id: str) -> bytes | None:
        """The file of `closure.publish_statement`."""
        path = self._closures / f"{exit_id}.json"
        return path.read_bytes() if path.is_file() else None

    async def _ask_first(self) -> None:
        """Ask the witnesses before the first epoch."""
        try:
            if self._witness is not None:
                await asyncio.wait({self._witness.settled}, timeout=OWN_SECONDS)
            published = self.ledger.published
            offer = None
            if published is not None:
                offer = Pending(published.note, published.size, published.root, self.ledger.log)
            await self._client.ask_first(offer)
        finally:
            self.ledger.hold(False)

    def _serves_at(self, port: int) -> None:
        if self._own is not None:
            self._own.url = f"http://127.0.0.1:{port}"
            self._own.failures = 0
            self._own.wanted.set()

    def _tick(self) -> None:
        self.ledger.tick(self._clock.wall_ms())
        self._client.look()

    def gauges(self) -> dict[str, Callable[[], float]]:
        """The ledger's part of `edges.http.metrics.GAUGES`."""

        def age() -> float:
            published = self.ledger.published
            return -1.0 if published is None else (self._clock.wall_ms() - published.unix_ms) / 1000

        return {
            "ledger_entries": lambda: float(p.size if (p := self.ledger.published) else 0),
            "ledger_age_seconds": age,
            "ledger_witnesses_failing": lambda: float(sum(bool(p.problem) for p in self._peers)),
        }

    def problems(self) -> list[str]:
        """Why the ledger is not published, one line each."""
        found = self.ledger.problems() + self._unasked
        if self.ledger.published is None:
            found.append("the ledger has published nothing yet")
        if found:
            found += [
                f"the witness {peer.name} {peer.problem}" for peer in self._peers if peer.problem
            ]
        if self._witness is not None and self._witness.problem:
            found.append(self._witness.problem)
        return found
