"""Runs `python -m blackthorn.mls.driver` with the clock and the randomness of the system."""

import os
import sys
import time

from blackthorn.mls.driver.lines import serve
from blackthorn.mls.driver.world import World

if __name__ == "__main__":
    serve(World(os.urandom, time.time), sys.stdin.buffer, sys.stdout.buffer)
