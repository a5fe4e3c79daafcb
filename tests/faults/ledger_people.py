"""Users who come to a running server as fast as it takes them, so that its ledger has to publish.

Codes are written as `blackthorn user add` writes them, in this process; devices bring real
geneses over the real link.
"""

import asyncio
import random
import secrets
import time
from contextlib import closing
from pathlib import Path

import msgspec

from blackthorn.apps.server_directory import ServerDirectory
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519
from blackthorn.edges.link_client import LinkClosedError
from blackthorn.errors import UnavailableError
from blackthorn.identity.keys import SigningKeys
from blackthorn.link.code import Code
from blackthorn.server.users import UserAdministration
from blackthorn.storage.sqlite.users import UserTable
from tests.faults.real_device import activate
from tests.ledger_world import DOMAIN, Model

DAY_SECONDS = 86_400


class People:
    """New users of one server's folder; `enrolled` counts whom the server said that he is one."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.directory = ServerDirectory(folder)
        self.chance = chance
        self.enrolled = 0
        self._number = 0

    def invite(self, count: int) -> list[tuple[str, Code]]:
        """So many users with their activation codes."""
        now_ms = time.time_ns() // 1_000_000
        invited = []
        with closing(self.directory.open_database()) as database:
            administration = UserAdministration(
                UserTable(database.writing),
                DOMAIN,
                self.directory.fingerprint(),
                secrets.token_bytes,
                "",
            )
            for _ in range(count):
                self._number += 1
                address = f"user{self._number}@{DOMAIN}"
                invited.append((address, administration.add(address, DAY_SECONDS, now_ms).code))
        return invited

    async def come(self, port: int, invited: list[tuple[str, Code]]) -> None:
        """They activate their devices one after the other, until the server is gone."""
        for address, code in invited:
            keys = SigningKeys.generate(secrets.token_bytes)
            model = Model(keys, ED25519.public_key(Secret(secrets.token_bytes(32))), "laptop")
            brings = model.genesis(address, time.time_ns() // 1_000_000)
            brings = msgspec.structs.replace(brings, key_packages=[])
            try:
                await activate(port, code, keys.ed25519, brings)
            except (LinkClosedError, UnavailableError):
                return
            self.enrolled += 1

    def enrol(self, port: int, count: int) -> None:
        """So many users, at once."""
        invited = self.invite(count)
        before = self.enrolled
        asyncio.run(self.come(port, invited))
        assert self.enrolled == before + count
