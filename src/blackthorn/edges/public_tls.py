"""TLS of the public listeners (HTTPS, SMTP): a certificate that peers accept, changed in service.

`PublicTls.context` serves all listeners for the life of the process: the certificate is looked up
at each handshake, so a new one holds from the next connection on, and open ones continue.
"""

import contextlib
import ssl
from pathlib import Path
from typing import Final

from blackthorn.errors import DecodeError

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""TLS 1.2 with forward secrecy and authenticated encryption alone (RFC 9325); 1.3 has no other."""

_NO_ISSUER: Final = frozenset({2, 20, 21})
"""OpenSSL's verify codes for an issuer that is not found: anywhere, locally, or of the first."""


def load_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A context with the certificate's chain and its key, PEM files. Raises DecodeError."""
    context = _new_context()
    try:
        context.load_cert_chain(certificate, key, password="")
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or "OpenSSL does not accept them"
        raise DecodeError(f"cannot use {certificate} and {key}: {reason}") from None
    return context


class PublicTls:
    """The context of all public listeners, and the certificate in use."""

    def __init__(self, current: ssl.SSLContext) -> None:
        self._current = current
        self.context: Final = _new_context()
        self.context.sni_callback = self._choose

    def use(self, context: ssl.SSLContext) -> None:
        """Serve this context's certificate from the next handshake on."""
        self._current = context

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        connection.context = self._current


def leads_to_known_authority(context: ssl.SSLContext, verifier: ssl.SSLContext) -> bool:
    """Whether the context's chain ends at an authority of `verifier`; dates and names aside."""
    server_in, client_in = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(server_in, client_in, server_side=True)
    client = verifier.wrap_bio(client_in, server_in, server_hostname="unchecked.invalid")
    for _ in range(4):
        try:
            client.do_handshake()
        except ssl.SSLCertVerificationError as error:
            return error.verify_code not in _NO_ISSUER
        except ssl.SSLWantReadError:
            with contextlib.suppress(ssl.SSLError):
                server.do_handshake()
            continue
        except ssl.SSLError:
            return False
        return True
    return False


def system_authorities() -> ssl.SSLContext:
    """A verifier of chains alone by the authorities that this machine trusts."""
    context = ssl.create_default_context()
    context.check_hostname = False
    return context


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    return context
