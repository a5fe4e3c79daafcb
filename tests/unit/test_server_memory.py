"""Memory of mails that are gone goes back to the system."""

import subprocess
import sys

CHILD = """
import re
from pathlib import Path
from blackthorn.programs.server.memory import map_large_blocks

def resident_mib():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

map_large_blocks()
before = resident_mib()
for _ in range(3):
    mail = bytearray(b"x") * (25 << 20)
    del mail
mail = bytearray(b"x") * (20 << 20)
behind = [bytes(100_000) for _ in range(20)]
del mail
print(resident_mib() - before)
"""


def test_a_freed_mail_leaves_nothing_behind_though_another_block_follows_it() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 10
