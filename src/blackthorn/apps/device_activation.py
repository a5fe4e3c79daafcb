"""Activation as the device's program does it: from a code to keys, a vault and a pinned server.

The first device of a user begins his identity chain; a device of somebody who has a chain can
only ask for a reset of it. The keys, and what they signed, are in the vault before they are named
to the server, so that a lost answer is got again by the same command with the same code. What
the device trusts of the ledger comes with the answer, which the code has proved.
"""

import asyncio
import socket
from contextlib import aclosing
from dataclasses import dataclass

from blackthorn import limits
from blackthorn.apps.device import DeviceProgram
from blackthorn.apps.device_home import Home, Opened, ServerAddress, random, wall_ms
from blackthorn.crypto.secret import Secret
from blackthorn.device import anchors, key_packages, local_chain, mail_keys, own_chain
from blackthorn.device import keys as device_keys
from blackthorn.device.keys import DeviceKeys
from blackthorn.device.turn import Turn, turn
from blackthorn.edges.link_client import LinkClosedError, LinkConnection, connect
from blackthorn.errors import ProtocolError, UnavailableError, UserError
from blackthorn.identity.chain import first_statement
from blackthorn.identity.statements import (
    Genesis,
    Reset,
    SignedStatement,
    Statement,
    decode,
    make,
)
from blackthorn.ids import Address
from blackthorn.link import activation
from blackthorn.link.activation import Channel, Enrolment, Owner, ServerUnprovenError
from blackthorn.link.code import Code as ActivationCode
from blackthorn.link.codes import Code
from blackthorn.link.frames import ActivateChallenge, Activated
from blackthorn.ports.device_store import Records
from blackthorn.storage.device.vault import Vault


@dataclass(frozen=True, slots=True)
class Activation:
    """What is asked for: a code, and the server it is of."""

    code: ActivationCode
    host: str
    port: int
    name: str
    reset: bool = False
    """Whether the person wants a new identity, should the user have one already."""


def own_name() -> str:
    """What this device is called unless its owner says otherwise."""
    name = "".join(each for each in socket.gethostname() if each.isprintable())
    return name[: limits.MAX_DEVICE_NAME_CHARACTERS] or "device"


async def activate(home: Home, wanted: Activation) -> tuple[Enrolment, DeviceProgram]:
    """Activate this home's device. Asks for a passphrase before anything else.

    Raises UserError when the server refuses the code, ServerUnprovenError when the server
    does not know it, UnavailableError when it cannot be reached.
    """
    vault: Vault | None = None
    begun = home.exists()
    if begun:
        vault = home.unlock()
        _check_unfinished(vault, home)
        method, secret = "", Secret(b"")
    else:
        method, secret = home.new_secret()
    connection = await connect(wanted.host, wanted.port, None)
    async with aclosing(_Closing(connection)):
        challenged = await _challenge(connection, wanted)
        _check_reset(challenged.owner, wanted)
        if vault is None:
            vault = home.create(method, secret)
        keys = _keys(vault, challenged.address)
        public = _public(vault, keys, wanted.name, challenged.owner)
        prove, waiting = challenged.prove(public, keys.identity)
        connection.send(prove)
        answer = await _receive(connection)
        if not isinstance(answer, Activated):
            raise ProtocolError("the server did not answer the activation as it should")
        enrolment = waiting.open(answer)
        _finish(vault, keys, wanted, connection, enrolment)
        server = ServerAddress(wanted.host, wanted.port, connection.fingerprint)
        return enrolment, DeviceProgram(home, Opened(vault, keys, server, enrolment.pin))


async def await_published(program: DeviceProgram, seconds: float) -> bool:
    """Wait until the ledger shows what the activation has stated; whether it does.

    Never raises UnavailableError: the device is activated, and looks again when it connects.
    """
    try:
        async with asyncio.timeout(seconds), program.link(receive=True) as connection:
            while _unpublished(program):
                await program.step(connection)
    except (UnavailableError, TimeoutError):
        return not _unpublished(program)
    return True


def _unpublished(program: DeviceProgram) -> bool:
    with program.device.turn(wall_ms()) as looking:
        return own_chain.waiting(looking) is not None


def _check_reset(owner: Owner, wanted: Activation) -> None:
    """Somebody who has a chain gets no new device by a code, unless he wants a new identity."""
    if owner.seq and not wanted.reset:
        raise UserError(
            f"{owner.address} has an identity already. Link this device from one of its devices "
            "(blackthorn device add there, blackthorn device link here), or bring it back with "
            "the 24 words (blackthorn recovery use). If all devices and the words are lost: "
            "activate --reset asks for a new identity; everybody sees it, and it takes effect "
            "after the delay unless one of the old devices cancels it"
        )


class _Closing:
    """A link as something that `aclosing` closes."""

    def __init__(self, connection: LinkConnection) -> None:
        self._connection = connection

    async def aclose(self) -> None:
        await self._connection.close()


async def _receive(connection: LinkConnection) -> object:
    try:
        return await connection.receive()
    except LinkClosedError as error:
        if error.code == Code.ACTIVATION_REFUSED:
            raise UserError(str(error).removeprefix("the server ended the link: ")) from None
        raise


async def _challenge(connection: LinkConnection, wanted: Activation) -> activation.Challenged:
    channel = Channel(connection.fingerprint, connection.binding)
    begin, step = activation.begin(wanted.code, channel, random)
    connection.send(begin)
    challenge = await _receive(connection)
    if not isinstance(challenge, ActivateChallenge):
        raise ProtocolError("the server did not answer the code as it should")
    try:
        return step.open(challenge)
    except ServerUnprovenError as error:
        advice = "Check the words first; a code bears five tries"
        raise ServerUnprovenError(f"{str(error).rstrip('.')}. {advice}") from None


def _check_unfinished(vault: Vault, home: Home) -> None:
    with vault.transaction() as records:
        if records.settings.get("server-pin"):
            raise UserError(f"{home.folder} holds an activated device: use another --home")


def _keys(vault: Vault, address: Address) -> DeviceKeys:
    """The keys of an earlier attempt, or fresh ones; durable before they are used."""
    with vault.transaction() as records:
        keys = device_keys.load(records)
        if keys is None:
            keys = device_keys.generate(address, random)
            device_keys.save(records, keys)
    if keys.address != address:
        raise UserError(f"this home was begun for {keys.address}, the code is for {address}")
    return keys


def _public(vault: Vault, keys: DeviceKeys, name: str, owner: Owner) -> activation.DeviceKeys:
    """What the server may know, with key packages whose private halves are kept first."""
    with turn(vault, keys, wall_ms(), random) as first:
        device_keys.put_name(first.records.settings, name)
        packages = key_packages.make(first, limits.KEY_PACKAGE_STOCK)
        last_resort = key_packages.make_last_resort(first)
        statements = _statements(first, name, owner)
    return activation.DeviceKeys(
        identity_key=keys.identity_public,
        name=name,
        certificate=b"" if owner.seq else keys.certificate,
        key_packages=packages,
        last_resort=last_resort,
        statements=[each.encode() for each in statements],
    )


def _statements(first: Turn, name: str, owner: Owner) -> list[SignedStatement]:
    """A genesis and the user's mail certificate, or a reset of the chain that there is."""
    keys, now_ms = first.keys, first.now_ms
    signers = [(keys.device, keys.signing)]
    info = keys.info(name)
    if owner.seq:
        reset = Statement(owner.address, owner.seq + 1, owner.head, Reset(info), now_ms)
        return [make(reset, signers)]
    genesis = make(first_statement(keys.address, Genesis(info), now_ms), signers)
    mail_key = mail_keys.newest(first.records)
    if mail_key is None:
        return [genesis]
    body = mail_keys.claim_of(mail_key, keys.address)
    follows = Statement(keys.address, 2, genesis.statement.hash, body, now_ms)
    return [genesis, make(follows, signers)]


def _finish(
    vault: Vault,
    keys: DeviceKeys,
    wanted: Activation,
    connection: LinkConnection,
    enrolment: Enrolment,
) -> None:
    with turn(vault, keys, wall_ms(), random) as last:
        anchors.pin(last.records.settings, enrolment.config, enrolment.policy)
        local_chain.put_waiting(last.records.settings, enrolment.statements, last.now_ms)
        own_chain.stated(last, decode(enrolment.statements[-1]).statement.hash)
        server = f"{wanted.host}:{wanted.port}"
        _remember(last.records, server, connection.fingerprint, enrolment)


def _remember(records: Records, server: str, pin: bytes, enrolment: Enrolment) -> None:
    records.settings.put("server", server.encode())
    records.settings.put("server-pin", pin)
    records.settings.put("user-pin", enrolment.pin.encode())
    records.settings.put("domain", enrolment.domain.encode())
