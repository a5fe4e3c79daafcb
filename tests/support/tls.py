"""TLS contexts of tests: a server with a certificate of its own, a client that trusts anybody."""

import datetime
import random
import ssl
from pathlib import Path

from blackthorn.crypto import tls_keys


def self_signed(folder: Path, name: str) -> tuple[ssl.SSLContext, bytes]:
    """A server's context with a certificate for `name`, and that certificate (DER).

    `folder` gets it as `crt`, its key as `key`.
    """
    key = tls_keys.make_key(random.Random(1).randbytes)
    now = datetime.datetime.now(datetime.UTC)
    pem = tls_keys.make_certificate(key, name, random.Random(2).randbytes, now)
    (folder / "key").write_bytes(key.expose())
    (folder / "crt").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "crt", folder / "key")
    return context, ssl.PEM_cert_to_DER_cert(pem.decode())


def unchecked() -> ssl.SSLContext:
    """A client that encrypts and does not ask to whom, as SMTP servers do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
