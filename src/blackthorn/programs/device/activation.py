"""Activation as the device's program does it: from a code to keys, a vault and a pinned server.

The keys are in the vault before they are named to the server, and the statements that they sign
too, so that a lost answer is got again by the same command with the same code. A user who has a
chain gets a reset by a code and nothing else, and only when they ask for it.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from blackthorn import errors
from blackthorn.crypto.secret import Secret
from blackthorn.device.conversations import key_packages
from blackthorn.device.conversations import limits as conversations_limits
from blackthorn.device.core import anchors, unit_of_work
from blackthorn.device.core import keys as device_keys
from blackthorn.device.core.keys import DeviceKeys
from blackthorn.device.mail import keys as mail_keys
from blackthorn.device.transparency import local_chain, own_chain
from blackthorn.edges.link.client import LinkClosedError, LinkConnection, connect
from blackthorn.identity.chain import first_statement
from blackthorn.identity.statements import Genesis, Reset, Statement, decode, make
from blackthorn.ids import Address
from blackthorn.link.activation import exchange
from blackthorn.link.activation.code import Code as ActivationCode
from blackthorn.link.activation.exchange import Channel, Enrolment, Owner, ServerUnprovenError
from blackthorn.link.codes import Code
from blackthorn.link.frames import ActivateChallenge, Activated, AnyFrame
from blackthorn.ports.device_store import Records
from blackthorn.programs.device.home import Home, Opened, opened, random, wall_ms
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.storage.device.vault import Vault
from blackthorn.wire import limits as wire_limits

PUBLISHED_SECONDS = 60.0
"""How long a new device waits for the ledger to show it before it leaves that for later."""

_STATEMENTS = "activation-statements"


@dataclass(frozen=True, slots=True)
class Activation:
    """What is asked for: a code, the server it is of, and whether to reset an identity."""

    code: ActivationCode
    host: str
    port: int
    name: str
    reset: bool = False


class _Made(Struct, frozen=True):
    """The statements of an activation that was begun, and what they stand behind."""

    seq: int
    head: bytes
    statements: list[bytes]


def own_name() -> str:
    """What this device is called unless its owner says otherwise."""
    name = "".join(letter for letter in socket.gethostname() if letter.isprintable())
    return name[: wire_limits.MAX_DEVICE_NAME_CHARACTERS] or "device"


async def activate(home: Home, wanted: Activation) -> tuple[Enrolment, Opened]:
    """Activate this home's device, and open it. Asks for a passphrase before anything else.

    Raises UserError when the server refuses the code, ServerUnprovenError when the server
    does not know it, UnavailableError when it cannot be reached.
    """
    vault, method, secret = begin(home)
    async with unpinned(wanted.host, wanted.port) as connection:
        challenged = await _challenge(connection, wanted)
        _check_wanted(challenged.owner, wanted)
        if vault is None:
            vault = home.create(method, secret)
        keys = _keys(vault, challenged.address, wanted)
        public = _public(vault, keys, challenged.owner, wanted)
        prove, waiting = challenged.prove(public, keys.identity)
        connection.send(prove)
        answer = await receive(connection, Code.ACTIVATION_REFUSED)
        if not isinstance(answer, Activated):
            raise errors.ProtocolError("the server did not answer the activation as it should")
        enrolment = waiting.open(answer)
        _finish(vault, keys, wanted, connection, enrolment)
        return enrolment, opened(vault)


def begin(home: Home) -> tuple[Vault | None, str, Secret]:
    """The home as an earlier attempt has left it, or how it will be unlocked."""
    if not home.exists():
        method, secret = home.new_secret()
        return None, method, secret
    vault = home.unlock()
    check_unfinished(vault, home)
    return vault, "", Secret(b"")


def _check_wanted(owner: Owner, wanted: Activation) -> None:
    """Nobody resets their identity, or believes that they do, by accident. Raises UserError."""
    if owner.seq and not wanted.reset:
        raise errors.UserError(
            f"{owner.address} has an identity already, and by a code it can only be reset. Better: "
            "add this device from one that you have (blackthorn device add there, blackthorn "
            "device link here), or by the words of your recovery key (blackthorn recovery use). "
            "If all is lost: the same command with --reset. A reset takes effect after a delay, "
            "72 hours unless your enterprise has set another; everybody who writes to you is told "
            "of it, any of your devices can cancel it, and what you had stays closed to this one"
        )
    if wanted.reset and not owner.seq:
        raise errors.UserError(f"{owner.address} has no identity yet to reset: leave --reset away")


@asynccontextmanager
async def unpinned(host: str, port: int) -> AsyncIterator[LinkConnection]:
    """A link to a server whose key is not pinned yet."""
    connection = await connect(host, port, None)
    try:
        yield connection
    finally:
        await connection.close()


async def receive(connection: LinkConnection, refused: Code) -> AnyFrame:
    """The next frame. Raises UserError when the server ends the link with the code `refused`."""
    try:
        return await connection.receive()
    except LinkClosedError as error:
        if error.code == refused:
            raise errors.UserError(str(error).removeprefix("the server ended the link: ")) from None
        raise


async def _challenge(connection: LinkConnection, wanted: Activation) -> exchange.Challenged:
    channel = Channel(connection.fingerprint, connection.binding)
    begin, step = exchange.begin(wanted.code, channel, random)
    connection.send(begin)
    challenge = await receive(connection, Code.ACTIVATION_REFUSED)
    if not isinstance(challenge, ActivateChallenge):
        raise errors.ProtocolError("the server did not answer the code as it should")
    try:
        return step.open(challenge)
    except ServerUnprovenError as error:
        advice = "Check the words first; a code bears five tries"
        raise ServerUnprovenError(f"{str(error).rstrip('.')}. {advice}") from None


def check_unfinished(vault: Vault, home: Home) -> None:
    """The home may be gone on with. Raises UserError when its device is activated."""
    with vault.transaction() as records:
        if records.settings.get("server-pin"):
            raise errors.UserError(f"{home.folder} holds an activated device: use another --home")


def _keys(vault: Vault, address: Address, wanted: Activation) -> DeviceKeys:
    """The keys of an earlier attempt, or fresh ones; durable before they are used.

    A device that comes by a reset makes its key for mail when the reset is effective.
    """
    with vault.transaction() as records:
        device_keys.belongs_to(records.settings, address)
        keys = device_keys.load(records)
        if keys is None:
            fresh = device_keys.generate(address, random)
            keys = device_keys.of(fresh.signing, address) if wanted.reset else fresh
            device_keys.save(records, keys)
            device_keys.put_name(records.settings, wanted.name)
    return keys


def _public(
    vault: Vault, keys: DeviceKeys, owner: Owner, wanted: Activation
) -> exchange.DeviceKeys:
    """What the server may know, with key packages whose private halves are kept first."""
    with unit_of_work.unit(vault, keys, wall_ms(), random) as first:
        packages = key_packages.make(first, conversations_limits.KEY_PACKAGE_STOCK)
        last_resort = key_packages.make_last_resort(first)
        name = device_keys.own_name(first.records.settings)
        statements = _statements(first.records, keys, owner, name)
    return exchange.DeviceKeys(
        identity_key=keys.identity_public,
        name=name,
        certificate=b"" if wanted.reset else keys.certificate,
        key_packages=packages,
        last_resort=last_resort,
        statements=statements,
    )


def _statements(records: Records, keys: DeviceKeys, owner: Owner, name: str) -> list[bytes]:
    """The device's first statements: those of an earlier attempt, if they still fit."""
    data = records.settings.get(_STATEMENTS)
    made = msgspec.msgpack.decode(data, type=_Made) if data else None
    if made is None or (made.seq, made.head) != (owner.seq, owner.head):
        made = _Made(owner.seq, owner.head, _make(records, keys, owner, name))
        records.settings.put(_STATEMENTS, msgspec.msgpack.encode(made))
    return made.statements


def _make(records: Records, keys: DeviceKeys, owner: Owner, name: str) -> list[bytes]:
    info, now_ms = keys.info(name), wall_ms()
    signers = [(info.id, keys.signing)]
    if owner.seq:
        draft = Statement(keys.address, owner.seq + 1, owner.head, Reset(info), now_ms)
        return [make(draft, signers).encode()]
    genesis = first_statement(keys.address, Genesis(info), now_ms)
    made = [make(genesis, signers).encode()]
    key = mail_keys.newest(records)
    if key is not None:
        claim = mail_keys.claim_of(key, keys.address)
        draft = Statement(keys.address, 2, genesis.hash, claim, now_ms)
        made.append(make(draft, signers).encode())
    return made


def _finish(
    vault: Vault,
    keys: DeviceKeys,
    wanted: Activation,
    connection: LinkConnection,
    enrolment: Enrolment,
) -> None:
    """Pin what the server has proved; the statements wait for the ledger."""
    now_ms = wall_ms()
    with unit_of_work.unit(vault, keys, now_ms, random) as last:
        settings = last.records.settings
        made = msgspec.msgpack.decode(settings.get(_STATEMENTS) or b"", type=_Made)
        stored = [decode(data).statement.hash for data in enrolment.statements]
        if stored != [decode(data).statement.hash for data in made.statements]:
            raise errors.SecurityError("the server has stored other statements than this device's")
        try:
            anchors.pin(settings, enrolment.config, enrolment.policy)
        except errors.VerificationError as error:
            raise errors.SecurityError(f"the server's ledger cannot be trusted: {error}") from None
        for data in enrolment.statements:
            local_chain.stored(last, data)
        server = f"{wanted.host}:{wanted.port}"
        remember(last.records, server, connection.fingerprint, enrolment.pin, enrolment.domain)


def remember(records: Records, server: str, server_pin: bytes, pin: str, domain: str) -> None:
    """The device is activated: from now on it knows its server and what it is called there."""
    records.settings.put("server", server.encode())
    records.settings.put("user-pin", pin.encode())
    records.settings.put("domain", domain.encode())
    records.settings.put("server-pin", server_pin)


async def until(program: DeviceProgram, seconds: float, true: Callable[[], bool]) -> bool:
    """Connect and serve the link until `true()`; False when the time is over, or no server is."""
    try:
        async with asyncio.timeout(seconds), program.link(receive=True) as connection:
            while not true():
                await program.step(connection)
    except (TimeoutError, errors.UnavailableError):
        return true()
    return True


async def published(program: DeviceProgram, seconds: float = PUBLISHED_SECONDS) -> bool:
    """Wait until the ledger shows this device's newest statement, verified."""

    def shown() -> bool:
        with program.device.unit(wall_ms()) as now:
            known = own_chain.standing(now) in ("live", "pending")
            return known and not local_chain.unpublished(now)

    return await until(program, seconds, shown)
