"""Activation as the device's program does it: from a code to keys, a vault and a pinned server.

The keys are in the vault before they are named to the server, so that a lost answer is got
again by the same command with the same code.
"""

import socket
from contextlib import aclosing
from dataclasses import dataclass

from blackthorn import limits
from blackthorn.apps.device_home import Home, random, wall_ms
from blackthorn.crypto.secret import Secret
from blackthorn.device import key_packages
from blackthorn.device import keys as device_keys
from blackthorn.device.keys import DeviceKeys
from blackthorn.device.members import trust_first_use
from blackthorn.device.turn import turn
from blackthorn.edges.link_client import LinkClosedError, LinkConnection, connect
from blackthorn.errors import ProtocolError, UserError
from blackthorn.ids import Address
from blackthorn.link import activation
from blackthorn.link.activation import Channel, Enrolment, ServerUnprovenError
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


def own_name() -> str:
    """What this device is called unless its owner says otherwise."""
    name = "".join(each for each in socket.gethostname() if each.isprintable())
    return name[: limits.MAX_DEVICE_NAME_CHARACTERS] or "device"


async def activate(home: Home, wanted: Activation) -> Enrolment:
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
        if vault is None:
            vault = home.create(method, secret)
        keys = _keys(vault, challenged.address)
        public = _public(vault, keys, wanted.name)
        prove, waiting = challenged.prove(public, keys.identity)
        connection.send(prove)
        answer = await _receive(connection)
        if not isinstance(answer, Activated):
            raise ProtocolError("the server did not answer the activation as it should")
        enrolment = waiting.open(answer)
        _finish(vault, wanted, connection, enrolment)
        return enrolment


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


def _public(vault: Vault, keys: DeviceKeys, name: str) -> activation.DeviceKeys:
    """What the server may know, with key packages whose private halves are kept first."""
    with turn(vault, keys, wall_ms(), random, trust_first_use) as first:
        packages = key_packages.make(first, limits.KEY_PACKAGE_STOCK)
        last_resort = key_packages.make_last_resort(first)
    return activation.DeviceKeys(
        identity_key=keys.identity_public,
        name=name,
        certificate=keys.certificate,
        key_packages=packages,
        last_resort=last_resort,
    )


def _finish(
    vault: Vault, wanted: Activation, connection: LinkConnection, enrolment: Enrolment
) -> None:
    with vault.transaction() as records:
        _remember(records, f"{wanted.host}:{wanted.port}", connection.fingerprint, enrolment)


def _remember(records: Records, server: str, pin: bytes, enrolment: Enrolment) -> None:
    records.settings.put("server", server.encode())
    records.settings.put("server-pin", pin)
    records.settings.put("user-pin", enrolment.pin.encode())
    records.settings.put("domain", enrolment.domain.encode())
