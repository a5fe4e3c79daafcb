"""TLS of the link: TLS 1.3 alone, the server's own key, no certificate authority.

The *binding* names one TLS connection: the client's Finished message (Python's `tls-unique`), which
only its two ends know, then the 32-byte hash of the server's SubjectPublicKeyInfo. Session tickets
are off, so that each connection has its own handshake and binding.
"""

import hmac
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blackthorn.crypto.tls_keys import certificate_fingerprint, peer_fingerprint
from blackthorn.errors import DamageError, DiskError, SecurityError
from blackthorn.ids import Fingerprint

INTERCEPTED: Final = (
    "the network is intercepting this connection: the server's key is not the one that this "
    "device learned at its activation; nothing was sent. Try another network; if that fails too, "
    "ask your administrator in another way"
)


@dataclass(frozen=True, slots=True)
class ServerTls:
    """The server's context, and the fingerprint of its key."""

    context: ssl.SSLContext
    fingerprint: Fingerprint


def server_tls(key: Path, certificate: Path) -> ServerTls:
    """TLS with the server's key and certificate, both PEM files.

    Raises DiskError when they cannot be read, DamageError when they do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    try:
        context.load_cert_chain(certificate, key)
        return ServerTls(context, certificate_fingerprint(certificate.read_bytes()))
    except OSError as error:  # ssl.SSLError is one
        kind = DamageError if isinstance(error, ssl.SSLError) else DiskError
        reason = error.strerror or "they do not belong together"
        raise kind(f"cannot use {key} and {certificate}: {reason}") from None


def binding_of(ssl_object: Any, fingerprint: Fingerprint) -> bytes:
    """The binding of an established connection. Raises SecurityError without one."""
    finished = ssl_object.get_channel_binding("tls-unique")
    if not finished:
        raise SecurityError("the TLS connection has no binding")
    return bytes(finished) + fingerprint


class PinError(ssl.SSLError):
    """The server's key is not the pinned one. An SSLError, so that TLS itself fails."""


def client_context(pin: Fingerprint | None) -> ssl.SSLContext:
    """A context whose handshake fails with PinError unless the server's key has this pin.

    None accepts any key: only for activation, where SPAKE2 binds the key.
    """

    class PinnedObject(ssl.SSLObject):
        """Checks the pin inside the handshake, before anything can be sent."""

        def do_handshake(self) -> None:
            super().do_handshake()
            if pin is not None and not hmac.compare_digest(fingerprint_of(self), pin):
                raise PinError(INTERCEPTED)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.sslobject_class = PinnedObject
    return context


def fingerprint_of(ssl_object: Any) -> Fingerprint:
    """The fingerprint of the peer's key. Raises SecurityError without a certificate."""
    certificate = ssl_object.getpeercert(binary_form=True)
    if certificate is None:
        raise SecurityError("the server has shown no certificate")
    return peer_fingerprint(certificate)
