"""Who gets mail to an address here: a user, also by plus-addressing, an alias or a list.

The one way to resolve an address of the own domain, for mail from outside and from users alike.
`recipient_policy` decides on a user's own address and on role addresses; this looks further when
nobody has the address. It never sees a mail itself.
"""

from dataclasses import dataclass
from typing import Final

from blackthorn.errors import BlackthornError
from blackthorn.ids import Address
from blackthorn.ports.enterprise import UserRecord
from blackthorn.ports.inbound.aliases import FindAlias
from blackthorn.ports.store import Done, Reader, unless_failed
from blackthorn.server.mail.recipient_policy import (
    ROLES,
    Recipient,
    RecipientPolicy,
    RecipientRefusedError,
    Refusal,
)

CATCH_ALL: Final = "*"
"""The name that stands for every name that nobody has."""

_GONE: Final = (Refusal.MOVED, Refusal.LEFT, Refusal.REVOKED, Refusal.UNKNOWN)


@dataclass(slots=True)
class Recipients:
    """Resolves envelope addresses."""

    policy: RecipientPolicy
    reader: Reader

    def find(self, path: str, done: Done[tuple[Recipient, ...]]) -> None:
        """The users who get mail to a path; `done` gets RecipientRefusedError otherwise."""

        def checked(found: Recipient | BlackthornError) -> None:
            if not isinstance(found, BlackthornError):
                done((found,))
            elif isinstance(found, RecipientRefusedError) and found.refusal is Refusal.UNKNOWN:
                self._look_further(path, found, done)
            else:
                done(found)

        self.policy.recipient(path, checked)

    def sole_user(self, address: Address, done: Done[Address | None]) -> None:
        """The user whom alone an address of this domain leads to, able to get mail or not.

        None for an address of nobody, of several, of a role, and of the catch-all. `done` may get
        StorageError.
        """
        local, _, domain = address.partition("@")
        base = local.partition("+")[0]
        if domain != self.policy.domain or base in (*ROLES, CATCH_ALL, ""):
            done(None)
            return
        owners = [address] if base == local else [address, Address(f"{base}@{domain}")]

        def named(found: tuple[Address, ...]) -> None:
            done(found[0] if len(found) == 1 else None)

        def loaded(user: UserRecord | None) -> None:
            if user is not None:
                done(user.address)
            elif owners:
                self.policy.enterprise.load_user(owners.pop(0), unless_failed(done, loaded))
            else:
                self.reader.ask(FindAlias((local, base)), unless_failed(done, named))

        loaded(None)

    def _look_further(
        self, path: str, unknown: RecipientRefusedError, done: Done[tuple[Recipient, ...]]
    ) -> None:
        local = (path.rpartition("@")[0] or path).lower()
        base = local.partition("+")[0]
        if not base.isascii() or not base:
            done(unknown)
            return

        def checked(found: Recipient | BlackthornError) -> None:
            if not isinstance(found, BlackthornError):
                done((found,))
            elif isinstance(found, RecipientRefusedError) and found.refusal is Refusal.UNKNOWN:
                self._find_alias((local, base, CATCH_ALL), unknown, done)
            else:
                done(found)

        if base == local:
            self._find_alias((local, CATCH_ALL), unknown, done)
        else:
            self.policy.recipient(f"{base}@{self.policy.domain}", checked)

    def _find_alias(
        self,
        names: tuple[str, ...],
        unknown: RecipientRefusedError,
        done: Done[tuple[Recipient, ...]],
    ) -> None:
        def found(addresses: tuple[Address, ...]) -> None:
            if not addresses:
                done(unknown)
            else:
                self.policy.users(addresses, unless_failed(done, chosen))

        def chosen(members: list[Recipient | RecipientRefusedError]) -> None:
            try:
                able = _able(members)
            except RecipientRefusedError as error:
                done(error)
            else:
                done(able)

        self.reader.ask(FindAlias(names), unless_failed(done, found))


def _able(members: list[Recipient | RecipientRefusedError]) -> tuple[Recipient, ...]:
    """The users of an alias or list who get its mail.

    Users who have left are passed over. One who cannot get mail now defers it for all, since the
    mail would be lost for them otherwise. Raises RecipientRefusedError.
    """
    able = tuple(member for member in members if isinstance(member, Recipient))
    refused = [member for member in members if isinstance(member, RecipientRefusedError)]
    waiting = [error for error in refused if error.refusal not in _GONE]
    if waiting and len(members) > 1:
        text = f"a member cannot get mail now, and it waits for all: {waiting[0]}"
        raise RecipientRefusedError(waiting[0].refusal, text)
    if waiting or not able:
        raise refused[0]
    return able
