"""An auditor takes no head that is ahead of its witnesses: D38 of docs/ledger-rules.md."""

import pytest

from blackthorn.audit import ledger
from blackthorn.errors import VerificationError
from blackthorn.tlog import tiles
from tests.support.small_directory import SmallDirectory


class Tiles:
    """`audit.sources.Source` over a directory in memory, cosigned at `time_s`."""

    def __init__(self, world: SmallDirectory, time_s: int) -> None:
        self.found = {"checkpoint": world.note(time_s=time_s)}
        for tile in tiles.tiles_between(0, world.log.size):
            if tile.level is None:
                end = tile.start + tile.width
                data = tiles.format_bundle(world.entries[tile.start : end])
            else:
                data = tiles.tile_hashes(world.log, tile)
            self.found[tile.path] = data

    def read(self, path: str) -> bytes | None:
        return self.found.get(path)


def audited(world: SmallDirectory, time_s: int) -> ledger.LedgerAudit:
    source = Tiles(world, time_s)
    found = ledger.begin(source, world.policy)
    ledger.audit(source, found, ledger.silent)
    return found


def test_D38_an_auditor_refuses_a_head_over_an_hour_ahead_of_its_quorum() -> None:
    world = SmallDirectory.of_three()
    world.unix_ms = 1_700_000_000_000
    world.publish()
    head_s = world.unix_ms // 1000
    for time_s in (head_s, head_s + 86_400, head_s - 3600):
        assert audited(world, time_s).replay.unix_ms == world.unix_ms
    with pytest.raises(VerificationError) as caught:
        audited(world, head_s - 3601)
    assert caught.value.rule == "D38"
