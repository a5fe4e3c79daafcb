"""The attacking process: `python -m tests.support.abuse.attacker NAME`, its scene on stdin.

It prints what the server told it, as JSON, when its time is over.
"""

import asyncio
import contextlib
import json
import os
import sys

import uvloop

from blackthorn.crypto.secret import Secret
from blackthorn.ids import DeviceId
from tests.support.abuse import every
from tests.support.abuse.table import Abuser, Scene

GRACE_SECONDS = 10.0


def read_scene(text: str) -> Scene:
    told = json.loads(text)

    def people(name: str) -> list[Abuser]:
        return [
            Abuser(DeviceId(bytes.fromhex(each)), Secret(bytes.fromhex(seed)), address)
            for each, seed, address in told[name]
        ]

    crowd = [DeviceId(bytes.fromhex(each)) for each in told["crowd"]]
    return Scene(
        told["ports"],
        bytes.fromhex(told["pin"]),
        people("abusers"),
        people("victims"),
        crowd,
        told["sources"],
        told["seconds"],
    )


async def attack(name: str, scene: Scene) -> None:
    (chosen,) = (each for each in every.ABUSES if each.name == name)
    scene.begin()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(scene.seconds + GRACE_SECONDS):
            await chosen.run(scene)


def main() -> None:
    alone = os.environ.get("BLACKTHORN_ABUSE_ALONE") == "1"
    os.nice(19 if alone else 5)  # the honest people share this processor, and measure the server
    scene = read_scene(sys.stdin.read())
    uvloop.run(attack(sys.argv[1], scene))
    print(json.dumps(scene.told))


if __name__ == "__main__":
    main()
