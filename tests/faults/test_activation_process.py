"""Activation over real TLS and WebSockets against a real server process that may be killed."""

import asyncio
import resource
import signal
from pathlib import Path

import msgspec
import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.edges.link.client import LinkClosedError, connect
from blackthorn.ids import Fingerprint, device_id
from blackthorn.link.activation import exchange
from blackthorn.link.activation.code import Code, parse_code
from blackthorn.link.frames import Drained, Ready, Resume
from blackthorn.link.hello import sign_hello
from blackthorn.server.accounts import limits
from blackthorn.storage.files.server import ServerFolder
from tests.support.activation_forge import prove_unasked
from tests.support.real_device import ADDRESS, activate, answer, begun, new_device
from tests.support.server_process import ServerProcess, add_user, initialise, run


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return initialise(tmp_path / "server")


async def say_hello(port: int, pin: Fingerprint, identity: Secret) -> Ready:
    link = await connect("127.0.0.1", port, pin)
    try:
        link.send(sign_hello(identity, link.binding))
        return await link.receive()
    finally:
        await link.close()


async def guess(port: int, code: Code) -> str:
    """A wrong guess by a device that sends its proof all the same; the server's last words."""
    link, device = await begun(port, code)
    identity, keys = new_device()
    try:
        link.send(prove_unasked(device, await link.receive(), keys, identity))
        await link.receive()
    except LinkClosedError as error:
        return str(error)
    finally:
        await link.close()
    raise AssertionError("the server answered a wrong proof")


def wrong(code: Code) -> Code:
    secret = code.secret.expose()
    return Code(code.nameplate, Secret(bytes([secret[0] ^ 1]) + secret[1:]))


def test_a_device_is_activated_and_known_after_the_server_was_killed(directory):
    identity, keys = new_device()
    with ServerProcess(directory) as server:
        code = parse_code(add_user(directory, ADDRESS)["code"])
        port = server.ready["link_port"]
        enrolment = asyncio.run(activate(port, code, identity, keys))
        server.stop(signal.SIGKILL)
    assert enrolment.address == ADDRESS and enrolment.device == device_id(keys.identity_key)
    pin = ServerFolder(directory).fingerprint()
    with ServerProcess(directory) as server:
        port = server.ready["link_port"]
        assert asyncio.run(say_hello(port, pin, identity)).key_packages == 3
        again = asyncio.run(activate(port, code, identity, keys))
        assert (again.pin, again.device) == (enrolment.pin, enrolment.device)
        with pytest.raises(LinkClosedError, match="another device has used this code"):
            asyncio.run(activate(port, code, *new_device()))
        server.stop(signal.SIGTERM)
        assert ADDRESS not in "".join(server.lines)
    listed = run("user", "list", "--dir", str(directory), "--json").stdout
    assert '"devices":1' in listed


def test_wrong_tries_of_one_address_wait_and_burn_no_code(directory):
    code = parse_code(add_user(directory, ADDRESS)["code"])
    with ServerProcess(directory) as server:
        port = server.ready["link_port"]
        for _ in range(limits.MAX_CLIENT_TRIES):
            assert "The code is wrong" in asyncio.run(guess(port, wrong(code)))
        with pytest.raises(LinkClosedError, match="Try again in ten minutes"):
            asyncio.run(activate(port, code, *new_device()))
        server.stop(signal.SIGTERM)
    with ServerProcess(directory) as server:
        enrolled = asyncio.run(activate(server.ready["link_port"], code, *new_device()))
        assert enrolled.address == ADDRESS


def test_a_certificate_that_is_none_is_refused_and_the_code_stays_good(directory):
    identity, keys = new_device()
    bad = msgspec.structs.replace(keys, certificate=b"none")
    with ServerProcess(directory) as server:
        code = parse_code(add_user(directory, ADDRESS)["code"])
        port = server.ready["link_port"]
        with pytest.raises(LinkClosedError, match="the certificate is not the one in the chain"):
            asyncio.run(activate(port, code, identity, bad))
        assert asyncio.run(activate(port, code, identity, keys)).address == ADDRESS


def test_a_code_of_a_server_with_another_key_does_not_fit(directory, tmp_path):
    """The same code typed to a middle that ends TLS with a key of its own: nothing leaves."""
    middle = initialise(tmp_path / "middle")
    code = parse_code(add_user(directory, ADDRESS)["code"])
    (directory / "server.key").write_bytes((middle / "server.key").read_bytes())
    (directory / "server.crt").write_bytes((middle / "server.crt").read_bytes())

    async def attempt(port: int) -> None:
        link, device = await begun(port, code)
        identity, keys = new_device()
        challenge = await link.receive()
        try:
            device.open(challenge).prove(keys, identity)
        finally:
            await link.close()

    with (
        ServerProcess(directory) as server,
        pytest.raises(exchange.ServerUnprovenError, match="intercepting; nothing was sent"),
    ):
        asyncio.run(attempt(server.ready["link_port"]))


def test_a_full_disk_enrols_nobody_and_heals_by_itself(directory):
    """The file size limit stands for a full disk: every write of the server fails, then none."""
    with ServerProcess(directory) as server:
        server.wait_published()
        code = parse_code(add_user(directory, ADDRESS)["code"])
        port, pid = server.ready["link_port"], server.process.pid
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, most))
        with pytest.raises(LinkClosedError) as refused:
            asyncio.run(activate(port, code, *new_device()))
        assert refused.value.code == "storage"
        status, body = server.get("/readyz")
        assert status == 503 and "disk" in body
        assert server.get("/healthz")[0] == 200
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
        assert asyncio.run(activate(port, code, *new_device())).address == ADDRESS
        assert server.get("/readyz")[0] == 200  # it writes nothing itself: a commit has told it
        assert server.stop(signal.SIGTERM) == 0


def test_a_device_that_is_connected_is_told_that_the_server_stops(directory):
    identity, keys = new_device()

    async def wait_for_the_end(server: ServerProcess) -> LinkClosedError:
        port = server.ready["link_port"]
        await activate(port, parse_code(add_user(directory, ADDRESS)["code"]), identity, keys)
        link = await connect("127.0.0.1", port, ServerFolder(directory).fingerprint())
        link.send(sign_hello(identity, link.binding))
        assert isinstance(await link.receive(), Ready)
        link.send(Resume())
        assert isinstance(await answer(link), Drained)
        server.process.send_signal(signal.SIGTERM)
        try:
            await answer(link)
        except LinkClosedError as error:
            return error
        raise AssertionError("the server said something else than Bye")

    with ServerProcess(directory) as server:
        assert asyncio.run(wait_for_the_end(server)).code == "stopping"
        assert server.process.wait(10) == 0
