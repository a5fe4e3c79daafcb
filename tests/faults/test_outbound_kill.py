"""The queue is killed at each step with ten mails: none is lost, and one is sent twice only when
the answer to it was lost."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.support import runs

STEPS = runs.pick(4, 60)
"""How many of the steps, evenly chosen; each costs two processes."""


def life(folder: Path, step: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.support.outbound_process", str(folder), str(step)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_no_mail_is_lost_and_none_sent_twice_without_need(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    calm = life(whole, 0)
    assert calm.returncode == 0, calm.stderr
    total = int(calm.stdout)
    expected = {f"eve{n}@far{n % 2}.example" for n in range(10) if n % 5}
    assert set((whole / "hop").read_text().split()) == expected
    for part in range(STEPS):
        step = 1 + part * (total - 1) // max(1, STEPS - 1)
        folder = tmp_path / str(step)
        folder.mkdir()
        killed = life(folder, step)
        assert killed.returncode in (-9, 0)
        again = life(folder, 0)
        assert again.returncode == 0, (step, again.stderr)
        sent = Counter((folder / "hop").read_text().split())
        assert set(sent) == expected, step
        assert sum(sent.values()) - len(expected) <= 2, step  # one for each domain's connection
        assert (folder / "mailbox").read_text().split()[-1] == "2", step
