"""The Web Key Directory that this server publishes."""

import asyncio

import httpx

from blackthorn.edges.http.server import application
from blackthorn.edges.http.wkd import wkd_routes
from blackthorn.ids import Address
from blackthorn.mail.pgp.wkd import places
from blackthorn.ports.enterprise import UserRecord
from blackthorn.server.mail.published_keys import PublishedKeys
from tests.support.stored import answered

ALICE = Address("alice@acme.example")
BOB = Address("bob@acme.example")
NEW = Address("new@acme.example")


class Users:
    def __init__(self) -> None:
        records = (
            UserRecord(1, ALICE, "0", b"A of alice", ()),
            UserRecord(2, BOB, "0", b"A of bob", (), b"B of bob", False),
            UserRecord(3, NEW, "0", None, ()),
        )
        self.known = {record.address: record for record in records}

    def load_user(self, address: Address, done) -> None:
        done(self.known.get(address))


KEYS = PublishedKeys("acme.example", Users())


async def published(domain: str, name: str, local_part: str) -> bytes | None:
    found: bytes | None = answered(KEYS.find, domain, name, local_part)
    return found


def get(*paths: str) -> list[httpx.Response]:
    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=application(wkd_routes(published)))
        async with httpx.AsyncClient(transport=transport, base_url="https://x.example") as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(run())


def test_both_methods_give_the_certificate_for_other_programs_else_the_first():
    for address, certificate in ((ALICE, b"A of alice"), (BOB, b"B of bob")):
        for answer in get(*(place.path for place in places(address))):
            assert (answer.status_code, answer.content) == (200, certificate)
            assert answer.headers["Content-Type"] == "application/octet-stream"
            assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_the_policy_is_there_and_empty():
    for answer in get(
        "/.well-known/openpgpkey/policy", "/.well-known/openpgpkey/acme.example/policy"
    ):
        assert (answer.status_code, answer.content) == (200, b"")


def test_nothing_else_is_given():
    advanced, direct = (place.path for place in places(ALICE))
    unknown = [place.path for name in (NEW, "eve@acme.example") for place in places(Address(name))]
    wrong = [
        *unknown,
        direct.partition("?")[0],
        direct.replace("l=alice", "l=bob"),
        direct.replace("l=alice", "l=%00"),
        advanced.replace("/acme.example/", "/other.example/"),
        advanced.replace("/acme.example/", "/%2e%2e/"),
        "/.well-known/openpgpkey/hu/",
    ]
    for path, answer in zip(wrong, get(*wrong), strict=True):
        assert answer.status_code == 404, path
        assert b"alice" not in answer.content
