"""An export of a user's data in standard formats (docs/specs/export.md).

`build` writes a source's data to a sink, with one mail or conversation in memory at a time.
Unreadable items are listed with their reason.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol

from blackthorn.device.export import manifest as manifests
from blackthorn.device.export import mbox as export_mbox
from blackthorn.device.export import messages as export_messages
from blackthorn.device.export import pages as export_pages
from blackthorn.device.export import vcard
from blackthorn.device.export.messages import ExportConversation, clean
from blackthorn.device.export.vcard import ExportContact
from blackthorn.identity.keys import SigningKeys

KEYS: Final = "keys/openpgp-secret"
CHAIN: Final = "identity-chain.cbor"
CONTACTS: Final = "contacts.vcf"
INDEX: Final = "index.html"
MBOX: Final = "mail.mbox"
README: Final = "README.txt"


@dataclass(frozen=True, slots=True)
class ExportMail:
    """One mail: its bytes before sealing, or None and the `problem` in words.

    `uid` is its number in `mail list`, `received_ms` Unix milliseconds, `sender` the envelope's.
    """

    uid: int
    received_ms: int
    content: bytes | None = field(repr=False)
    sender: str = ""
    problem: str = ""


class ExportSource(Protocol):
    """The data to export. Each iterator is used once, in this order."""

    @property
    def address(self) -> str: ...
    @property
    def created_ms(self) -> int: ...  # Unix milliseconds
    @property
    def signing(self) -> SigningKeys: ...  # of the exporting device, live in the chain
    @property
    def chain(self) -> bytes: ...  # from `manifest.encode_chain`
    @property
    def locked_keys(self) -> Sequence[bytes]: ...  # of `lock_secret_keys`, the newest last
    def mails(self) -> Iterable[ExportMail]: ...
    def conversations(self) -> Iterable[ExportConversation]: ...
    def contacts(self) -> Iterable[ExportContact]: ...
    def problems(self) -> Iterable[manifests.Problem]: ...


class ExportFile(Protocol):
    def write(self, data: bytes, /) -> object: ...


class ExportSink(Protocol):
    """The destination: `create` opens a new file by its path, with "/" between folders."""

    def create(self, path: str) -> AbstractContextManager[ExportFile]: ...


Progress = Callable[[str, int], None]
"""Called with the kind of item and the number written so far."""


def build(
    source: ExportSource, sink: ExportSink, progress: Progress = lambda kind, done: None
) -> manifests.Manifest:
    """Write the whole export; its manifest. Raises the errors of source and sink."""
    return _Build(source, sink, progress).run()


class _Hashed:
    def __init__(self, file: ExportFile) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self._size += len(data)

    def entry(self, path: str) -> manifests.FileEntry:
        return manifests.FileEntry(path, self._size, self._hash.hexdigest())


class _Build:
    def __init__(self, source: ExportSource, sink: ExportSink, progress: Progress) -> None:
        self._source = source
        self._sink = sink
        self._progress = progress
        self._files: list[manifests.FileEntry] = []
        self._problems: list[manifests.Problem] = []

    def run(self) -> manifests.Manifest:
        source = self._source
        mails = self._mails()
        listed = self._conversations()
        contacts = list(source.contacts())
        self._write(CONTACTS, vcard.cards(contacts))
        for number, key in enumerate(source.locked_keys, 1):
            self._write(f"{KEYS}-{number:03}.asc", [key])
        self._write(CHAIN, [source.chain])
        self._problems += [
            manifests.Problem(clean(problem.item), clean(problem.reason))
            for problem in source.problems()
        ]
        counts = manifests.Counts(
            mails=mails,
            conversations=len(listed),
            messages=sum(entry.messages for entry in listed),
            contacts=len(contacts),
            keys=len(source.locked_keys),
            problems=len(self._problems),
        )
        pages = export_pages.Overview(source.address, source.created_ms, counts, self._problems)
        self._write(INDEX, export_pages.index(pages, listed))
        self._write(README, export_pages.readme(pages))
        return self._finish(counts)

    def _finish(self, counts: manifests.Counts) -> manifests.Manifest:
        files = sorted(self._files, key=lambda file: file.path)
        source = self._source
        manifest = manifests.Manifest(
            source.address, source.created_ms, counts, self._problems, files
        )
        encoded = manifests.encode_manifest(manifest)
        self._write(manifests.MANIFEST, [encoded])
        self._write(manifests.SIGNATURE, [manifests.signed(encoded, source.signing)])
        return manifest

    def _write(self, path: str, pieces: Iterable[bytes]) -> None:
        with self._sink.create(path) as opened:
            file = _Hashed(opened)
            for piece in pieces:
                file.write(piece)
        self._files.append(file.entry(path))

    def _mails(self) -> int:
        count = 0
        with self._sink.create(MBOX) as opened:
            mbox = _Hashed(opened)
            for mail in self._source.mails():
                if mail.content is None:
                    self._problems.append(
                        manifests.Problem(f"mail {mail.uid}", clean(mail.problem))
                    )
                    continue
                self._write(mail_path(mail.uid), [mail.content])
                for piece in export_mbox.entry(mail.content, mail.sender, mail.received_ms):
                    mbox.write(piece)
                count += 1
                self._progress("mails", count)
        self._files.append(mbox.entry(MBOX))
        return count

    def _conversations(self) -> list[export_pages.Listed]:
        listed = []
        written = 0
        for conversation in self._source.conversations():
            name = export_messages.file_name(conversation)
            messages = list(conversation.messages)
            self._write(f"messages/{name}.json", export_messages.document(conversation, messages))
            self._write(f"messages/{name}.html", export_pages.conversation(conversation, messages))
            written += len(messages)
            self._progress("messages", written)
            listed.append(
                export_pages.Listed(conversation.kind, conversation.name, name, len(messages))
            )
        return listed


def mail_path(uid: int) -> str:
    return f"mail/{uid:06d}.eml"


def mail_paths(paths: Iterable[str]) -> Iterator[str]:
    """The paths of mails, in the order of the mbox."""
    mails = [path for path in paths if path.startswith("mail/") and path.endswith(".eml")]
    return iter(sorted(mails, key=lambda path: (len(path), path)))
