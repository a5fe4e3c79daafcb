"""A worker's connection to a domain: opened when it is needed, for one mail after another."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from blackthorn.ports.outbound.carrier import Carrier, CarrierError, Connection, Reply
from blackthorn.programs.server.outbound import limits
from blackthorn.programs.server.outbound.domains import Domain


@dataclass(eq=False, repr=False)
class Hop:
    """At most one connection at a time, each for MAILS_PER_CONNECTION mails."""

    carrier: Carrier
    domain: Domain
    _connection: Connection | None = field(default=None, init=False)
    _mails: int = field(default=0, init=False)
    """Handed over by this connection."""

    async def open(self) -> None:
        """Connect, unless that is done. Raises CarrierError, unsent."""
        if self._connection is not None:
            return
        try:
            self._connection = await self.carrier.connect(self.domain.name)
        except CarrierError as error:
            raise CarrierError(error.reply, unsent=True) from None
        self.domain.connected += 1
        self._mails = 0

    async def send(self, sender: str, recipients: Sequence[str], content: bytes) -> list[Reply]:
        """Hand over one mail, as `ports.outbound.carrier.Connection.send`.

        Peers end a connection that has been idle. One that was used before is then replaced by a
        new one, once, if the mail had not begun. Raises CarrierError: then there is none.
        """
        used = self._connection is not None and self._mails > 0
        try:
            return await self._send(sender, recipients, content)
        except CarrierError as error:
            if not (used and error.unsent):
                raise
        return await self._send(sender, recipients, content)

    async def _send(self, sender: str, recipients: Sequence[str], content: bytes) -> list[Reply]:
        await self.open()
        assert self._connection is not None
        self._mails += 1
        try:
            replies = await self._connection.send(sender, recipients, content)
        except CarrierError:
            await self.close()
            raise
        if self._mails >= limits.MAILS_PER_CONNECTION:
            await self.close()
        return replies

    async def close(self) -> None:
        """End the connection, if there is one; never raises."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self.domain.connected -= 1
            await connection.close()
