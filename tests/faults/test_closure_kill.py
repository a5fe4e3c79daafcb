"""SIGKILL at random moments of a closure: it goes on, destroys once, and ends the same."""

import json
import random
import subprocess
import sys
from pathlib import Path

from tests.support.closing import KEPT, MAILS, Market

SEED = 20151230
LONGEST_SECONDS = 0.2


def test_a_closure_that_is_killed_again_and_again_comes_to_its_one_end(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    market = Market(tmp_path)
    for user in range(1, 6):
        market.put_mail(user, 30)
    market.database.close()
    kills, ended = 0, None
    while ended is None:
        assert kills < 200
        # More time with every kill, so that it ends on a slow machine too.
        ended = _run(tmp_path, chance.random() * LONGEST_SECONDS * (1 + kills / 8))
        kills += ended is None
        _check_nothing_early(tmp_path)
    print(f"{kills} kills")
    assert ended == 0
    _check_end(tmp_path)


def _run(folder: Path, seconds: float) -> int | None:
    """Its exit code, None when it was killed; the time counts from its beginning."""
    command = [sys.executable, "-m", "tests.support.closure_process", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"begun\n"
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None
    finally:
        process.stdout.close()


def _check_nothing_early(folder: Path) -> None:
    if not (folder / "destroy.json").exists():
        assert (folder / "keys" / "PK.key").exists()
    if not (folder / "close.json").exists():
        assert not (folder / "X-PK-1.json").exists()


def _check_end(folder: Path) -> None:
    statement = json.loads((folder / "X-PK-1.json").read_text())
    destroy = json.loads((folder / "destroy.json").read_text())
    assert statement["deleted"] == {"mails": 5 * (MAILS + 30), "parcels": 10}
    assert statement["receipts"]["root"] == destroy["receipts"]
    assert statement["persons"]["users"] == destroy["users"] == 5
    stone = json.loads((folder / "keys" / "PK.destroyed").read_text())
    assert statement["destroyed_keys"][0]["destroyed_ms"] == stone["destroyed_ms"]
    assert not (folder / "keys" / "PK.key").exists()
    again = Market(folder, fresh=False)
    assert again.rows("PK") == (0, 0, 0, 0)
    assert all(again.readable(user) for user in KEPT)
    again.database.close()
