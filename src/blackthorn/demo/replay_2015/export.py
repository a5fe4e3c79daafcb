"""An export of the replay, made in a worker process from the server's data of one person.

Uses `device.export.export.build`, then verifies the export in memory like `blackthorn export
verify`.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from blackthorn.crypto.openpgp_keys import lock_secret_keys
from blackthorn.crypto.secret import Secret
from blackthorn.demo.replay_2015.people import open_parcels
from blackthorn.device.export import manifest as manifests
from blackthorn.device.export.export import CHAIN, ExportMail, ExportSink, build
from blackthorn.device.export.messages import ExportConversation, ExportMessage
from blackthorn.device.export.vcard import ExportContact
from blackthorn.errors import SecurityError
from blackthorn.identity.keys import SigningKeys
from blackthorn.mail.pgp.open import open_mail

_PASSPHRASE: Final = b"correct horse battery staple"


@dataclass(frozen=True, slots=True)
class ExportTask:
    """One person's secrets, and their (uid, Unix ms, sealed) mails from the server.

    `chain` is from `device.export.manifest.encode_chain`.
    """

    address: str
    seeds: tuple[bytes, bytes] = field(repr=False)
    openpgp: bytes = field(repr=False)
    chain: bytes = field(repr=False)
    mails: tuple[tuple[int, int, bytes], ...] = field(repr=False)
    parcels: tuple[bytes, ...] = field(repr=False)
    group: bytes = field(repr=False)
    now_ms: int


def make_export(task: ExportTask, sink: ExportSink | None = None) -> manifests.Manifest:
    """Build and verify an export; its manifest. Raises SecurityError.

    With a `sink` the files go there and are not verified.
    """
    if sink is not None:
        return build(_Source(task), sink)
    memory = _Memory()
    build(_Source(task), memory)
    files = {path: file.getvalue() for path, file in memory.files.items()}
    manifest = manifests.decode_manifest(files[manifests.MANIFEST])
    manifests.verify_signature(
        files[manifests.MANIFEST], files[manifests.SIGNATURE], manifests.decode_chain(files[CHAIN])
    )
    for entry in manifest.files:
        if hashlib.sha256(files[entry.path]).hexdigest() != entry.sha256:
            raise SecurityError(f"{entry.path} of {task.address} is not as its manifest says")
    counts = manifest.counts
    if (counts.mails, counts.messages) != (len(task.mails), len(task.parcels)) or counts.problems:
        raise SecurityError(f"the export of {task.address} is not whole")
    return manifest


class _Memory:
    """An `ExportSink` in memory."""

    def __init__(self) -> None:
        self.files: dict[str, io.BytesIO] = {}

    @contextmanager
    def create(self, path: str) -> Iterator[io.BytesIO]:
        self.files[path] = io.BytesIO()
        yield self.files[path]


class _Source:
    """`device.export.export.ExportSource` of one person."""

    def __init__(self, task: ExportTask) -> None:
        self.address = task.address
        self.created_ms = task.now_ms
        self.signing = SigningKeys(Secret(task.seeds[0]), Secret(task.seeds[1]))
        self.chain = task.chain
        self.locked_keys = lock_secret_keys([Secret(task.openpgp)], Secret(_PASSPHRASE))
        self._task = task

    def mails(self) -> Iterable[ExportMail]:
        key = Secret(self._task.openpgp)
        for uid, received_ms, sealed in self._task.mails:
            opened = open_mail(sealed, key)
            yield ExportMail(uid, received_ms, opened.content, opened.envelope_sender)

    def conversations(self) -> Iterable[ExportConversation]:
        """The one conversation, from the waiting parcels."""
        if not self._task.parcels:
            return
        lines = open_parcels(self._task.group, list(self._task.parcels), self.created_ms)
        now_ms = self.created_ms
        group, sender, _ = lines[0]
        messages = [
            ExportMessage(
                hashlib.sha256(each).digest(), who, "text", text, now_ms, now_ms, "received"
            )
            for each, (_, who, text) in zip(self._task.parcels, lines, strict=True)
        ]
        people = [sender, self.address]
        yield ExportConversation("direct", sender, [group], people, "active", messages)

    def contacts(self) -> Iterable[ExportContact]:
        return ()

    def problems(self) -> Iterable[manifests.Problem]:
        return ()
