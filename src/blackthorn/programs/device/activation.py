"""Activation as the device's program does it: from a code to keys, a vault and a pinned server.

Keys and statements are stored before they are sent, so that the same command with the same code can
repeat it after a lost answer. For a user with a chain a code only allows a reset, and only on
request.
"""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from msgspec import Struct

from blackthorn import errors
from blackthorn.crypto.secret import Secret
from blackthorn.device.conversations import key_packages
from blackthorn.device.core import anchors, unit_of_work
from blackthorn.device.core import keys as device_keys
from blackthorn.device.core.keys import DeviceKeys
from blackthorn.device.mail import keys as mail_keys
from blackthorn.device.transparency import ledger_state, local_chain, own_chain
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
from blackthorn.programs.device.program import NO_ANSWER, DeviceProgram
from blackthorn.storage.device.vault import Vault
from blackthorn.wire import limits as wire_limits

PUBLISHED_SECONDS = 60.0
"""Wait of a new device for the ledger to show it."""

_STATEMENTS = "activation-statements"


@dataclass(frozen=True, slots=True)
class Activation:
    """The arguments of `activate`: code, server, this device's name, and whether to reset."""

    code: ActivationCode
    host: str
    port: int
    name: str
    reset: bool = False


class _Made(Struct, frozen=True):
    """The statements of an unfinished activation, and the head that they follow."""

    seq: int
    head: bytes
    statements: list[bytes]


def own_name(folder: Path | None) -> str:
    """The default name of a device: the host's.

    `folder` is its home unless that is the usual one; four digits of it tell this device from
    another one on the same host.
    """
    name = "".join(letter for letter in socket.gethostname() if letter.isprintable()) or "device"
    digits = "" if folder is None else f"-{hashlib.sha256(bytes(folder)).hexdigest()[:4]}"
    return f"{name[: wire_limits.MAX_DEVICE_NAME_CHARACTERS - len(digits)]}{digits}"


async def activate(home: Home, wanted: Activation) -> tuple[Enrolment, Opened]:
    """Activate this home's device. Asks for a passphrase first.

    Raises UserError when the server refuses the code, ServerUnprovenError when the server does not
    know the code, UnavailableError.
    """
    vault, method, secret = begin(home)
    async with unpinned(wanted.host, wanted.port) as connection:
        challenged = await _challenge(connection, wanted)
        _check_wanted(challenged.owner, wanted)
        if vault is None:
            vault = home.create(method, secret)
        keys = _keys(vault, challenged.owner, wanted)
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
    """The vault of an earlier attempt, or the unlock method and secret of a new one."""
    if not home.exists():
        method, secret = home.new_secret()
        return None, method, secret
    vault = home.unlock()
    check_unfinished(vault, home)
    return vault, "", Secret(b"")


def _check_wanted(owner: Owner, wanted: Activation) -> None:
    """Raises UserError for an accidental reset."""
    if owner.seq and not wanted.reset:
        raise errors.UserError(
            f"{owner.address} has an identity already; a code can only reset it. Instead, add this "
            "device from another one (blackthorn device add there, blackthorn device link here) or "
            "by your recovery key (blackthorn recovery use). If all are lost, repeat the command "
            "with --reset. A reset takes effect after a delay, 72 hours by default; your contacts "
            "are told, your devices can cancel it, and this device cannot open your old data"
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
    """The next frame. Raises UserError when the server ends the link with `refused`."""
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
        challenged = step.open(challenge)
    except ServerUnprovenError as error:
        advice = "Check the words first"
        raise ServerUnprovenError(f"{str(error).rstrip('.')}. {advice}") from None
    connection.trust()
    return challenged


def check_unfinished(vault: Vault, home: Home) -> None:
    """Raises UserError when the home has an activated device."""
    with vault.transaction() as records:
        if records.settings.get("server-pin"):
            raise errors.UserError(
                f"{home.folder} holds an activated device: use another --home, and for another "
                "device of the same person run blackthorn device link there"
            )


def _keys(vault: Vault, owner: Owner, wanted: Activation) -> DeviceKeys:
    """The keys of an earlier attempt or new ones, stored before use, dated by the ledger's time.

    After a reset the device generates its OpenPGP key when the reset is effective.
    """
    address, now_ms = Address(owner.address), owner.time_ms or wall_ms()
    with vault.transaction() as records:
        device_keys.belongs_to(records.settings, address)
        ledger_state.claim_time(records.settings, owner.time_ms)
        keys = device_keys.load(records)
        if keys is None:
            fresh = device_keys.generate(address, random, now_ms)
            keys = device_keys.of(fresh.signing, address) if wanted.reset else fresh
            device_keys.save(records, keys)
            device_keys.put_name(records.settings, wanted.name)
        made = mail_keys.newest(records)
        if made is not None and mail_keys.is_ahead(made, now_ms):  # by a fast clock: refused
            again = mail_keys.fresh(records, address, now_ms)
            keys = replace(keys, openpgp=Secret(again.secret), certificate=again.certificate)
            records.settings.put(_STATEMENTS, b"")
    return keys


def _public(
    vault: Vault, keys: DeviceKeys, owner: Owner, wanted: Activation
) -> exchange.DeviceKeys:
    """The public keys and key packages; their private keys are stored first."""
    with unit_of_work.unit(vault, keys, wall_ms(), random) as first:
        packages = key_packages.make_set(first)
        last_resort = key_packages.make_last_resort(first)
        name = device_keys.own_name(first.records.settings)
        statements = _statements(first, owner, name)
    return exchange.DeviceKeys(
        identity_key=keys.identity_public,
        name=name,
        certificate=b"" if wanted.reset else keys.certificate,
        key_packages=packages,
        last_resort=last_resort,
        statements=statements,
    )


def _statements(unit: unit_of_work.UnitOfWork, owner: Owner, name: str) -> list[bytes]:
    """The device's first statements: the stored ones if they still fit."""
    settings = unit.records.settings
    data = settings.get(_STATEMENTS)
    made = msgspec.msgpack.decode(data, type=_Made) if data else None
    if made is None or (made.seq, made.head) != (owner.seq, owner.head):
        made = _Made(owner.seq, owner.head, _make(unit, owner, name))
        settings.put(_STATEMENTS, msgspec.msgpack.encode(made))
    return made.statements


def _make(unit: unit_of_work.UnitOfWork, owner: Owner, name: str) -> list[bytes]:
    keys = unit.keys
    info, now_ms = keys.info(name), ledger_state.clock_ms(unit)
    signers = [(info.id, keys.signing)]
    if owner.seq:
        after = (owner.seq + 1, owner.head)
        draft = Statement(keys.address, *after, Reset(info), now_ms, owner.rules)
        return [make(draft, signers).encode()]
    genesis = first_statement(keys.address, Genesis(info), now_ms)
    made = [make(genesis, signers).encode()]
    key = mail_keys.newest(unit.records)
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
    """Pin the proved server and ledger; the statements wait for publication."""
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
    """Store the server, which completes the activation."""
    records.settings.put("server", server.encode())
    records.settings.put("user-pin", pin.encode())
    records.settings.put("domain", domain.encode())
    records.settings.put("server-pin", server_pin)


async def until(program: DeviceProgram, seconds: float, true: Callable[[], bool]) -> str:
    """Connect and serve the link until `true()`: "" then, else why not, in words."""
    try:
        async with asyncio.timeout(seconds), program.link(receive=True) as connection:
            while not true():
                await program.step(connection)
    except TimeoutError:
        return "" if true() else NO_ANSWER
    except errors.UnavailableError as error:
        return "" if true() else str(error)
    return ""


async def published(program: DeviceProgram, seconds: float = PUBLISHED_SECONDS) -> bool:
    """Wait until the ledger shows this device's newest statement, verified; whether it does."""

    def shown() -> bool:
        with program.device.unit(wall_ms()) as now:
            known = own_chain.standing(now) in ("live", "pending")
            return known and not local_chain.unpublished(now)

    def ended() -> bool:
        return shown() or _never_shown(program)

    await until(program, seconds, ended)
    return shown()


def _never_shown(program: DeviceProgram) -> bool:
    """Whether this clock is so far off that it takes no state of the ledger for new."""
    if not program.device.directory.has_looked:
        return False
    with program.device.unit(wall_ms()) as now:
        return now.records.directory.newest() is None
