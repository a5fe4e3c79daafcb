"""What tests look at in the store: queries over a database, answered at once."""

from typing import Any

from blackthorn.errors import BlackthornError
from blackthorn.ids import Address, DeviceId
from blackthorn.ports.enterprise import DeviceRecord, DevicesById, UserRecord, UsersByAddress
from blackthorn.ports.governance.exits import ExitPerson, FindExitPerson
from blackthorn.ports.mail import ListMail, MailHead, ReadMail, SealedMail, StoreMail
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.wrapping import Wrapping


class StoredMail:
    """The mailboxes of all users."""

    def __init__(self, database: Database, wrapping: Wrapping) -> None:
        self._engine = Engine(database, wrapping)

    def put(self, mails: list[SealedMail] | tuple[SealedMail, ...], at: int) -> StoreMail:
        return StoreMail(tuple(mails), at)

    def list(self, user: int, after: int, limit: int) -> list[MailHead]:
        return self._engine.read(ListMail(user, after, limit))

    def read(self, user: int, uid: int, offset: int, length: int) -> tuple[int, bytes] | None:
        part = self._engine.read(ReadMail(user, uid, offset, length))
        return None if part is None else (part.size, part.data)


class StoredEnterprise:
    """Users and devices as they are stored, beside the cache that the services ask."""

    def __init__(self, engine: Engine, cache: EnterpriseCache | None = None) -> None:
        self._engine = engine
        self._cache = cache

    def user(self, address: Address) -> UserRecord | None:
        return self._engine.read(UsersByAddress((address,))).get(address)

    def device(self, device: DeviceId) -> DeviceRecord | None:
        return self._engine.read(DevicesById((device,))).get(device)

    def forget(self, address: Address) -> None:
        if self._cache is not None:
            self._cache.forget(address)


class StoredPersons:
    """The persons of all exits."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def person(self, user: int, exit_id: str) -> ExitPerson:
        return self._engine.read(FindExitPerson(user, exit_id))


def answered(begin: Any, *args: Any) -> Any:
    """What a service calls back with, at once. Raises the error that took its place."""
    answers: list[Any] = []
    begin(*args, answers.append)
    (answer,) = answers
    if isinstance(answer, BlackthornError):
        raise answer
    return answer
