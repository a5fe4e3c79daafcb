"""Pairing of two devices over real links: `device add` on one, `device link` on the other.

`device/account/pairing.py` decides. The new device's home is created once the other side has proved
the code.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from blackthorn.crypto.secret import Secret
from blackthorn.device.account.pairing import Stage, why_ended
from blackthorn.device.account.pairing_live import LivePairing
from blackthorn.device.account.pairing_new import NewPairing
from blackthorn.device.core import keys as device_keys
from blackthorn.edges.link.client import LinkClosedError, LinkConnection
from blackthorn.errors import UnavailableError, UserError
from blackthorn.identity import keys, statements
from blackthorn.ids import Address
from blackthorn.link import limits
from blackthorn.link.activation.code import Code
from blackthorn.programs.device import activation, prompt
from blackthorn.programs.device.home import Home, Opened, opened, random, wall_ms
from blackthorn.programs.device.program import TICK_SECONDS, DeviceProgram
from blackthorn.storage.device.vault import Vault

AWAY = "no device was paired in time: run blackthorn device add again"


class Dialogue(prompt.Prompt, Protocol):
    """User interface of a pairing; each method may be called more than once.

    On the live device `opened` says that the server takes the code, `joined` reports the new device
    that proved it, `compared` that the typed digits match. On the new device `compare` shows the
    digits to type on the other one.
    `progress` counts transferred items; `note` reports an error that can be retried.
    """

    def opened(self) -> None: ...
    def waiting(self, seconds: float) -> None: ...
    def joined(self, name: str) -> None: ...
    def compared(self, digits: str) -> None: ...
    def compare(self, address: str, digits: str) -> None: ...
    def progress(self, remaining: int, total: int) -> None: ...
    def note(self, text: str) -> None: ...


async def add(program: DeviceProgram, code: Code, dialogue: Dialogue) -> statements.DeviceInfo:
    """Wait for a new device under this code and transfer the user's state; the device.

    Raises UserError, SecurityError, UnavailableError when it fails.
    """
    pin = program.opened.server.pin
    pairing = LivePairing(program.device, code, pin, random)
    try:
        async with (
            asyncio.timeout(limits.PAIRING_SECONDS) as end,
            program.link(receive=True) as connection,
        ):
            connection.send(*pairing.open())
            asking: asyncio.Task[None] | None = None
            opened = False
            try:
                while not pairing.over:
                    await _step(program, connection, pairing)
                    if pairing.stage is Stage.WAITING and not opened:
                        opened = True
                        dialogue.opened()
                    if pairing.stage is Stage.WAITING and asking is None:
                        when = end.when() or 0.0
                        dialogue.waiting(max(0.0, when - asyncio.get_running_loop().time()))
                    if pairing.stage is Stage.COMPARING and asking is None:
                        dialogue.joined(pairing.new.name if pairing.new else "")
                        asking = asyncio.create_task(_compare(pairing, connection, dialogue))
                    if asking is not None and asking.done() and not pairing.over:
                        asking.result()
                    dialogue.progress(pairing.remaining, pairing.total)
            finally:
                if asking is not None:
                    asking.cancel()
    except TimeoutError:
        raise UserError(AWAY) from None
    if pairing.failure is not None or pairing.new is None:
        raise pairing.failure or UserError(AWAY)
    return pairing.new


async def _step(program: DeviceProgram, connection: LinkConnection, pairing: LivePairing) -> None:
    frame = await program.step(connection)
    if frame is not None:
        connection.send(*pairing.receive(frame, wall_ms()))
    connection.send(*pairing.advance(wall_ms()))


async def _compare(pairing: LivePairing, connection: LinkConnection, dialogue: Dialogue) -> None:
    """Ask for the new device's digits until they match or the pairing ends."""
    while pairing.stage is Stage.COMPARING and not pairing.over:
        try:
            typed = await dialogue.ask("Type the six digits that the new device shows:")
        except UserError:
            connection.send(*pairing.refuse())
            raise
        try:
            connection.send(*pairing.type_digits(typed, wall_ms()))
        except UserError as error:
            dialogue.note(str(error))
    if pairing.failure is None:
        dialogue.compared(pairing.digits)
        connection.send(*pairing.advance(wall_ms()))


@dataclass
class _NewHome:
    """The new device's home, new or left by an earlier attempt."""

    home: Home
    name: str
    vault: Vault | None
    method: str
    secret: Secret
    signing: keys.SigningKeys = field(default_factory=lambda: keys.SigningKeys.generate(random))

    def __post_init__(self) -> None:
        """Load the earlier attempt's keys."""
        if self.vault is not None:
            with self.vault.transaction() as records:
                self.signing = device_keys.begin(records.settings, random)
                self.name = device_keys.own_name(records.settings, self.name)

    def keep(self, address: Address) -> Vault:
        """Store the keys before the authenticated other side learns of them."""
        if self.vault is None:
            self.vault = self.home.create(self.method, self.secret)
        with self.vault.transaction() as records:
            device_keys.belongs_to(records.settings, address)
            device_keys.save(records, device_keys.of(self.signing, address))
            device_keys.put_name(records.settings, self.name)
        return self.vault


@dataclass(frozen=True, slots=True)
class Link:
    """The arguments of `link`: code, server, and this device's name."""

    code: Code
    host: str
    port: int
    name: str


async def link(home: Home, wanted: Link, dialogue: Dialogue) -> Opened:
    """Join the device that made the code and store its state; the user's address.

    Asks for a passphrase first. Raises UserError, SecurityError, UnavailableError.
    """
    new = _NewHome(home, wanted.name, *activation.begin(home))
    async with activation.unpinned(wanted.host, wanted.port) as connection:
        pairing = NewPairing(new.signing, new.name, new.keep, random)
        connection.send(*pairing.join(wanted.code, connection.fingerprint))
        try:
            async with asyncio.timeout(limits.PAIRING_SECONDS):
                await _talk(connection, pairing, dialogue)
        except TimeoutError:
            raise UserError(AWAY) from None
        if pairing.failure is not None or pairing.handover is None or new.vault is None:
            raise pairing.failure or UserError(AWAY)
        with new.vault.transaction() as records:
            server = f"{wanted.host}:{wanted.port}"
            given = pairing.handover
            activation.remember(records, server, connection.fingerprint, given.pin, given.domain)
        return opened(new.vault)


async def _talk(connection: LinkConnection, pairing: NewPairing, dialogue: Dialogue) -> None:
    asking: asyncio.Task[None] | None = None
    try:
        while not pairing.over:
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    frame = await connection.receive()
            except TimeoutError:
                frame = None
            except LinkClosedError as error:
                raise _closed(error) from None
            if frame is not None:
                connection.send(*pairing.receive(frame, wall_ms()))
            if pairing.stage is Stage.COMPARING and asking is None:
                dialogue.compare(pairing.address, pairing.digits)
                asking = asyncio.create_task(_confirm(pairing, connection, dialogue))
            if asking is not None and asking.done() and not pairing.over:
                asking.result()
            dialogue.progress(pairing.remaining, pairing.total)
        await connection.drain()
    finally:
        if asking is not None:
            asking.cancel()


def _closed(error: LinkClosedError) -> Exception:
    known = why_ended(error.code or "")
    return known if isinstance(known, UserError) and error.code else UnavailableError(str(error))


async def _confirm(pairing: NewPairing, connection: LinkConnection, dialogue: Dialogue) -> None:
    try:
        typed = await dialogue.ask("Has your other device taken these digits? Type yes:")
    except UserError:
        connection.send(*pairing.refuse())
        raise
    answer = typed.casefold()
    digits = "".join(letter for letter in answer if letter.isdigit())
    agreed = answer in ("y", "yes") or digits == pairing.digits
    connection.send(*(pairing.confirm() if agreed else pairing.refuse()))
