"""The folder `tls` in a server's: the public listeners' certificate and its renewal.

self-signed.pem   key and certificate, used while the settings name no other
acme.pem          key and chain from an ACME authority
acme-account.key  the key of the account there
renewal.json      the last attempt to renew, and when the next is due
renew             asks the running server to renew now; its content is nothing

Files that hold a key and its certificate are replaced as a whole.
"""

from pathlib import Path
from typing import Final

from blackthorn.errors import DiskError, system_error
from blackthorn.storage.files import atomic
from blackthorn.storage.files.folder import make_folder

MAX_PEM_BYTES: Final = 1 << 20
"""A file with a certificate or key; a long chain has about 10 KiB."""


class CertificateFiles:
    """Paths of the folder, made at first use."""

    def __init__(self, server: Path) -> None:
        self.path: Final = server / "tls"
        self.self_signed: Final = self.path / "self-signed.pem"
        self.acme: Final = self.path / "acme.pem"
        self.account_key: Final = self.path / "acme-account.key"
        self.renewal: Final = self.path / "renewal.json"
        self.request: Final = self.path / "renew"

    def read(self, file: Path) -> bytes | None:
        """None without such a file. Raises DiskError."""
        with system_error(DiskError, f"{file} cannot be read"):
            try:
                with file.open("rb") as opened:
                    return opened.read(MAX_PEM_BYTES)
            except FileNotFoundError:
                return None

    def write(self, file: Path, data: bytes) -> None:
        """Replace the file (0600). Raises DiskError."""
        with system_error(DiskError, f"{file} cannot be written"):
            make_folder(self.path)
            atomic.replace(file, data)

    def remove(self, file: Path) -> None:
        """Raises DiskError."""
        with system_error(DiskError, f"{file} cannot be removed"):
            file.unlink(missing_ok=True)
