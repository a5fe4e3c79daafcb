"""App passwords, made on this device: the server and its administrator see only a hash of one."""

import secrets
from dataclasses import dataclass

from blackthorn.crypto.passwords import app as app_passwords
from blackthorn.crypto.secret import Secret
from blackthorn.errors import UserError
from blackthorn.link import frames as f
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.programs.device.requests import connect


@dataclass(frozen=True, slots=True)
class Listed:
    """`used_day` is a Unix day, 0 for never."""

    name: str
    created_ms: int
    used_day: int


async def add(device: DeviceProgram, name: str) -> Secret:
    """Make a password for one program; shown once. Raises UserError, UnavailableError."""
    password, salt = app_passwords.make_password(secrets.token_bytes), secrets.token_bytes(16)
    verifier = app_passwords.verifier(password.expose(), salt)
    await _ask(device, f.AskAppPasswords(1, name, salt, verifier))
    return password


async def revoke(device: DeviceProgram, name: str) -> None:
    """End a password at once. Raises UserError, UnavailableError."""
    await _ask(device, f.AskAppPasswords(1, revoke=name))


async def listed(device: DeviceProgram) -> list[Listed]:
    """All, by name. Raises UnavailableError."""
    return await _ask(device, f.AskAppPasswords(1))


async def _ask(device: DeviceProgram, frame: f.AskAppPasswords) -> list[Listed]:
    async with connect(device) as request:
        answer = await request(frame, f.AppPasswordList)
    if answer.refusal:
        raise UserError(answer.refusal)
    return [Listed(one.name, one.created_ms, one.used_day) for one in answer.entries]
