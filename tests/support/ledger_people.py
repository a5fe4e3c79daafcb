"""Users of a running server who change their chains as fast as it takes them: it has to publish.

Codes are written as `blackthorn user add` writes them, in this process; devices bring real
geneses and statements over the real link, and say again what they have had no answer to.
"""

import asyncio
import secrets
import time
from contextlib import closing
from pathlib import Path

import msgspec

from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519
from blackthorn.edges.link.client import LinkClosedError, LinkConnection, connect
from blackthorn.errors import UnavailableError
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.statements import SetRecovery, SignedStatement, Statement, decode, make
from blackthorn.link.activation.code import Code
from blackthorn.link.frames import Ready, StatementStored, SubmitStatement
from blackthorn.link.hello import sign_hello
from blackthorn.server.accounts.users import UserAdministration
from blackthorn.simulation.ledger import DOMAIN
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.engine import host_store
from tests.support.ledger_world import Model
from tests.support.real_device import activate

DAY_SECONDS = 86_400

CHANGES = 5
"""Of each user in the life of one server: his chain is to last for the lives of many."""


class Owner:
    """A user's only device, and his chain as it knows it."""

    def __init__(self, address: str, code: Code) -> None:
        self.address = address
        self.code = code
        self.keys = SigningKeys.generate(secrets.token_bytes)
        mls_key = ED25519.public_key(Secret(secrets.token_bytes(32)))
        self.model = Model(self.keys, mls_key, "laptop")
        self.seq = 0
        self.head = b""
        self.unanswered: SignedStatement | None = None

    async def come(self, port: int) -> None:
        """Activate the device."""
        brings = self.model.genesis(self.address, time.time_ns() // 1_000_000)
        brings = msgspec.structs.replace(brings, key_packages=[])
        await activate(port, self.code, self.keys.ed25519, brings)
        self._keep(decode(brings.statements[0]))

    def _keep(self, stored: SignedStatement) -> None:
        self.seq, self.head = stored.statement.seq, stored.statement.hash

    def _next(self) -> SignedStatement:
        recovery = self.keys.public if self.seq % 2 else None
        now_ms = time.time_ns() // 1_000_000
        draft = Statement(self.address, self.seq + 1, self.head, SetRecovery(recovery), now_ms)
        return make(draft, [(self.model.id, self.keys)])

    async def change(self, port: int, pin: bytes) -> None:
        """Change the chain CHANGES times, or until the server is gone or wants no more."""
        try:
            link = await connect("127.0.0.1", port, pin)  # type: ignore[arg-type]
            link.send(sign_hello(self.keys.ed25519, link.binding))
            assert isinstance(await link.receive(), Ready)
            for _ in range(CHANGES):
                if not await self._submitted(link):
                    break
        except (LinkClosedError, UnavailableError):
            pass

    async def _submitted(self, link: LinkConnection) -> bool:
        self.unanswered = self.unanswered or self._next()
        link.send(SubmitStatement(1, self.unanswered.encode()))
        while not isinstance(answer := await link.receive(), StatementStored):
            pass
        if answer.refusal:
            assert "too many statements" in answer.refusal, answer.refusal
            return False
        self._keep(self.unanswered)
        self.unanswered = None
        return True


class People:
    """The users of one server's folder; `first` is the number of the next one's address."""

    def __init__(self, folder: Path, first: int = 1) -> None:
        self.directory = ServerFolder(folder)
        self.owners: list[Owner] = []
        self._number = first

    def enrol(self, port: int, count: int) -> None:
        """So many users get a code and activate a device."""
        invited = [self._invite() for _ in range(count)]
        for owner in invited:
            asyncio.run(owner.come(port))
        self.owners += invited

    def _invite(self) -> Owner:
        address = f"user{self._number}@{DOMAIN}"
        self._number += 1
        with closing(self.directory.open_database()) as database:
            administration = UserAdministration(
                host_store(database),
                DOMAIN,
                self.directory.fingerprint(),
                secrets.token_bytes,
                "",
            )
            now_ms = time.time_ns() // 1_000_000
            return Owner(address, administration.add(address, DAY_SECONDS, now_ms).code)

    def change(self, port: int) -> None:
        """All of them change their chains until the server is gone."""

        async def all_of_them() -> None:
            pin = self.directory.fingerprint()
            await asyncio.gather(*(owner.change(port, pin) for owner in self.owners))

        asyncio.run(all_of_them())

    @property
    def stored(self) -> int:
        """Statements that the server said it had stored."""
        return sum(owner.seq for owner in self.owners)
