"""Approvers: each officer's user, and the check that their live device signed an approval."""

from collections.abc import Mapping
from typing import Any

from blackthorn.errors import InputError
from blackthorn.governance import officers
from blackthorn.governance.officers import Officers
from blackthorn.governance.statements import Signed
from blackthorn.ids import Address
from blackthorn.ports.enterprise import UserRecord

Users = Mapping[Address, UserRecord]


class Approvers:
    """`people`: officer → the user whose devices sign for them."""

    def __init__(self) -> None:
        self.people: dict[str, Address] = {}

    def keep(self, signed: Signed, private: dict[str, Any], known: Officers) -> None:
        """Apply a stored decision about the officers; `known` are the officers after it."""
        for suffix in ("", "_2"):
            if f"address{suffix}" in private:
                officer = signed.statement.public[f"officer{suffix}"]
                self.people[officer] = Address(private[f"address{suffix}"])
        self.people = {name: address for name, address in self.people.items() if name in known}

    def officer_of(self, address: Address) -> str | None:
        """The user's officer id, or None."""
        return next((name for name, person in self.people.items() if person == address), None)

    def concerned(self, signed: Signed, private: dict[str, Any]) -> list[Address]:
        """The users whose devices `check` needs."""
        named = [Address(private[name]) for name in ("address", "address_2") if name in private]
        approvers = [approval.officer for approval in signed.approvals]
        return [*named, *(self.people[name] for name in approvers if name in self.people)]

    def check(
        self,
        signed: Signed,
        private: dict[str, Any],
        known: Officers,
        founders: list[Address],
        users: Users,
    ) -> None:
        """Each approver signed with a live device of their own user. Raises InputError.

        `users` are the existing ones of `concerned`.
        """
        statement = signed.statement
        if statement.case == officers.CASE:
            known = officers.voters(known, statement.action, statement.public)
        people = self._people_after(signed, private, founders, users)
        for approval in signed.approvals:
            address = people.get(approval.officer)
            key = known[approval.officer].keys.ed25519
            if address is None or not _has_live(users, address, key):
                name = approval.officer
                raise InputError(f"{name} signs with a device that is not live any more")

    def _people_after(
        self, signed: Signed, private: dict[str, Any], founders: list[Address], users: Users
    ) -> dict[str, Address]:
        statement, people = signed.statement, dict(self.people)
        if statement.case != officers.CASE or statement.action == "dismiss":
            return people
        for suffix in ("", "_2"):
            if f"officer{suffix}" not in statement.public:
                continue
            name = statement.public[f"officer{suffix}"]
            address = Address(private[f"address{suffix}"])
            if any(person == address and other != name for other, person in people.items()):
                raise InputError(f"{address} is an officer already, under another id")
            if people.get(name, address) != address:
                raise InputError(f"{name} is the id of another person")
            if not _has_live(users, address, statement.public[f"ed25519{suffix}"]):
                raise InputError(
                    f"the keys are of no live device of {address}: run the command again, so that "
                    "it looks their devices up anew"
                )
            people[name] = address
        if statement.action == "found" and sorted(people.values()) != founders:
            raise InputError(
                "these two may not found the officers: `blackthorn role open` says who"
            )
        return people


def _has_live(users: Users, address: Address, key: bytes) -> bool:
    user = users.get(address)
    return user is not None and any(device.identity_key == key for device in user.live)
