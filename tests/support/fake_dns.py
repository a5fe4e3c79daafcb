"""A domain name system for tests: `FakeResolver` in memory, `DnsServer` on a loopback socket."""

import asyncio
import struct
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from dns import flags, message, name, rcode, rdatatype, rrset

from blackthorn.ports.dns import Answer, Record, ResolverError, Txt


class FakeResolver:
    """`ports.dns.Resolver` over `zone`: (name, kind of record) → records, or an error to raise.

    A name with any record exists. `authenticated`: DNSSEC vouches for all of them. `asked` counts
    questions.
    """

    def __init__(self) -> None:
        self.zone: dict[tuple[str, type[Any]], Sequence[Any] | ResolverError] = {}
        self.authenticated = False
        self.asked: Counter[tuple[str, type[Any]]] = Counter()

    def txt(self, owner: str, *texts: str | bytes) -> None:
        """Texts of a name."""
        self.zone[owner, Txt] = [
            Txt(text if isinstance(text, bytes) else text.encode()) for text in texts
        ]

    def add(self, owner: str, *records: Any) -> None:
        """Records of one kind of a name."""
        self.zone[owner, type(records[0])] = list(records)

    def fail(self, owner: str, kind: type[Any], error: ResolverError) -> None:
        self.zone[owner, kind] = error

    async def look_up(self, name: str, kind: type[Record]) -> Answer[Record]:
        owner = name.removesuffix(".").lower()
        self.asked[owner, kind] += 1
        await asyncio.sleep(0)
        found = self.zone.get((owner, kind), [])
        if isinstance(found, ResolverError):
            raise found
        exists = any(known == owner for known, _ in self.zone)
        return Answer(tuple(found), owner, exists, self.authenticated)


class DnsServer(asyncio.DatagramProtocol):
    """Answers by UDP from `zone`, lines as in a zone file: (name, type) → (TTL, texts).

    A value may be a function of the question, for wrong answers: it returns bytes, or None for
    silence. TCP has the same answers without truncation.
    """

    def __init__(self) -> None:
        self.zone: dict[tuple[str, str], tuple[int, list[str]] | Callable[[Any], bytes | None]] = {}
        self.asked: Counter[tuple[str, str]] = Counter()
        self.secure = False
        """Whether answers say that DNSSEC was checked."""
        self.port = 0

    @property
    def address(self) -> str:
        """For `dns.servers`."""
        return f"127.0.0.1:{self.port}"

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, peer: Any) -> None:
        answer = self.answer(data)
        if answer is not None:
            self.transport.sendto(answer if len(answer) <= 1_232 else self._cut(data), peer)

    def answer(self, data: bytes) -> bytes | None:
        query = message.from_wire(data)
        question = query.question[0]
        owner = question.name.to_text(omit_final_dot=True).lower()
        kind = rdatatype.to_text(question.rdtype)
        self.asked[owner, kind] += 1
        found = self.zone.get((owner, kind))
        if callable(found):
            return found(query)
        response = message.make_response(query, recursion_available=True)
        if self.secure:
            response.flags |= flags.AD
        alias = self.zone.get((owner, "CNAME"))
        if found is not None:
            ttl, texts = found
            response.answer.append(rrset.from_text(question.name, ttl, "IN", kind, *texts))
        elif alias is not None and not callable(alias):
            response.answer.append(
                rrset.from_text(question.name, alias[0], "IN", "CNAME", *alias[1])
            )
            target = alias[1][0].removesuffix(".")
            found = self.zone.get((target, kind))
            if found is not None and not callable(found):
                response.answer.append(
                    rrset.from_text(name.from_text(target), found[0], "IN", kind, *found[1])
                )
        elif not any(known == owner or known.endswith("." + owner) for known, _ in self.zone):
            response.set_rcode(rcode.NXDOMAIN)
        return response.to_wire(max_size=65_535)

    def _cut(self, data: bytes) -> bytes:
        response = message.make_response(message.from_wire(data))
        response.flags |= flags.TC
        return response.to_wire()

    async def serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        answer = self.answer(await reader.readexactly(size))
        if answer is not None:
            writer.write(struct.pack("!H", len(answer)) + answer)
        writer.close()


@asynccontextmanager
async def dns_server() -> AsyncIterator[DnsServer]:
    """A name server on loopback, UDP and TCP."""
    loop = asyncio.get_running_loop()
    while True:
        transport, server = await loop.create_datagram_endpoint(
            DnsServer, local_addr=("127.0.0.1", 0)
        )
        try:
            tcp = await asyncio.start_server(server.serve_tcp, "127.0.0.1", server.port)
            break
        except OSError:  # another program has that port by TCP
            transport.close()
    try:
        yield server
    finally:
        tcp.close()
        transport.close()


@contextmanager
def name_server() -> Iterator[DnsServer]:
    """`dns_server` in a thread of its own, for other programs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    serving = dns_server()
    try:
        yield asyncio.run_coroutine_threadsafe(serving.__aenter__(), loop).result(10)
        asyncio.run_coroutine_threadsafe(serving.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def servfail(query: Any) -> bytes:
    """A server that fails."""
    response = message.make_response(query)
    response.set_rcode(rcode.SERVFAIL)
    return response.to_wire()


def silent(query: Any) -> None:
    """A server that does not answer."""
