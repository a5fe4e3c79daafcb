"""The Internet of the demo of mail, on loopback: a relay between servers, and names of nothing.

The relay is each server's smarthost. It stands for all who carry mail, and keeps what it saw.
"""

import smtplib
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import dns.exception
import dns.message
import dns.rcode
from aiosmtpd.controller import Controller

HOST = "127.0.0.1"
CARRY_SECONDS = 30.0
"""Timeout of handing a mail on."""


class Relay:
    """An SMTP server that writes each mail to `folder` and hands it on to its domain's server.

    `servers` has the SMTP port of each domain; mail to any other domain ends here.
    """

    def __init__(self, port: int, folder: Path, servers: Mapping[str, int]) -> None:
        self.port = port
        self._folder = folder
        self._servers = servers
        self._seen: list[Path] = []
        self._controller: Any = Controller(self, hostname=HOST, port=port)

    def __enter__(self) -> Self:
        self._folder.mkdir()
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    @property
    def seen(self) -> list[Path]:
        """The mails so far, one file each."""
        return list(self._seen)

    async def handle_DATA(  # noqa: N802  (aiosmtpd's name)
        self, _server: object, _session: object, envelope: Any
    ) -> str:
        content = bytes(envelope.content)
        file = self._folder / f"{len(self._seen) + 1}.eml"
        file.write_bytes(content)
        self._seen.append(file)
        for recipient in envelope.rcpt_tos:
            port = self._servers.get(recipient.rpartition("@")[2])
            if port is None:
                continue
            try:
                with smtplib.SMTP(HOST, port, timeout=CARRY_SECONDS) as smtp:
                    smtp.sendmail(envelope.mail_from or "", [recipient], content)
            except OSError:  # SMTPException among it
                return "451 4.4.1 the next server did not take it"
        return "250 2.0.0 carried"


class NoNames:
    """A DNS server that knows no name, so that nothing is asked of the real Internet."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def address(self) -> str:
        return f"{HOST}:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                query, peer = self._socket.recvfrom(4096)
                answer = dns.message.make_response(dns.message.from_wire(query))
                answer.set_rcode(dns.rcode.NXDOMAIN)
                self._socket.sendto(answer.to_wire(), peer)
            except dns.exception.DNSException:
                continue
            except OSError:
                return  # closed
