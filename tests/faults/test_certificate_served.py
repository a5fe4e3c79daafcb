"""A real server's certificate: shown over HTTPS and SMTP, changed in service, and its commands."""

import hashlib
import json
import signal
import smtplib
import socket
import ssl
from pathlib import Path

from blackthorn.mail.smtp.sts import parse_policy
from tests.support.authority import Authority, pem
from tests.support.server_process import ServerProcess, initialise, run, wait_for

HOST = "mail.acme.example"
MTA_STS = "mta-sts.acme.example"


def verified(port: int, roots: Path) -> str:
    """The hash of the certificate over HTTPS, which a strict client has accepted."""
    context = ssl.create_default_context(cafile=str(roots))
    with (
        socket.create_connection(("127.0.0.1", port), 10) as connection,
        context.wrap_socket(connection, server_hostname=HOST) as tls,
    ):
        return hashlib.sha256(tls.getpeercert(True) or b"").hexdigest()


def policy_over_https(port: int, roots: Path) -> str:
    """The MTA-STS policy as senders fetch it."""
    context = ssl.create_default_context(cafile=str(roots))
    with (
        socket.create_connection(("127.0.0.1", port), 10) as connection,
        context.wrap_socket(connection, server_hostname=MTA_STS) as tls,
    ):
        head = f"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: {MTA_STS}\r\nConnection: close"
        tls.sendall(f"{head}\r\n\r\n".encode())
        with tls.makefile("rb") as answer:
            head, _, body = answer.read().decode().partition("\r\n\r\n")
    assert " 200 " in head and "content-type: text/plain" in head.lower()
    return body


def over_smtp(port: int, roots: Path) -> str:
    """The same by STARTTLS."""
    context = ssl.create_default_context(cafile=str(roots))
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        assert client.ehlo()[1].startswith(HOST.encode()), "the host greets by its name"
        client._host = HOST  # type: ignore[attr-defined]  # what the certificate must name
        client.starttls(context=context)
        assert isinstance(client.sock, ssl.SSLSocket)
        return hashlib.sha256(client.sock.getpeercert(True) or b"").hexdigest()


def test_a_certificate_from_files_is_served_and_changed_in_service(tmp_path: Path) -> None:
    authority = Authority()
    roots = tmp_path / "roots.pem"
    roots.write_bytes(pem(authority.root))
    directory = initialise(tmp_path / "server")
    (directory / "tls" / "self-signed.pem").unlink()  # as a folder of an earlier version is
    authority.files(directory, HOST, MTA_STS)
    settings = {
        "BLACKTHORN_TLS_HOST_NAME": HOST,
        "BLACKTHORN_TLS_OTHER_NAMES": MTA_STS,
        "BLACKTHORN_MTA_STS_MODE": "enforce",
        "BLACKTHORN_TLS_CERTIFICATE": "chain.pem",
        "BLACKTHORN_TLS_KEY": "key.pem",
    }
    (directory / "chain.pem").chmod(0o600)
    done = run("certificate", "check", str(directory), **settings)
    assert done.returncode == 0 and f"The certificate for {HOST}, {MTA_STS} is good" in done.stdout
    with ServerProcess(directory, **settings) as server:
        https, smtp = server.ready["ledger_port"], server.ready["smtp_port"]
        first = verified(https, roots)
        assert over_smtp(smtp, roots) == first
        policy = parse_policy(policy_over_https(https, roots).encode())
        assert policy.mode == "enforce" and policy.servers == (HOST,)
        told = json.loads(run("certificate", "show", str(directory), "--json", **settings).stdout)
        assert (told["source"], told["fingerprint"], told["problems"]) == ("files", first, [])
        assert told["link"]["fingerprint"] and len(told["used_by"]) == 2

        (directory / "key.pem").write_bytes(authority.issue(HOST, MTA_STS)[0])
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "certificate_refused" in server.events)
        assert verified(https, roots) == first
        assert "the one before is used" in server.get("/readyz")[1]
        done = run("certificate", "check", str(directory), **settings)
        assert done.returncode == 1
        assert done.stdout.startswith("key does not match: ") and done.stdout.count("\n") == 1
        status = json.loads(run("ledger", "status", str(directory), "--json", **settings).stdout)
        assert any("does not belong to the first certificate" in it for it in status["warnings"])

        authority.files(directory, HOST, MTA_STS)
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: verified(https, roots) != first)
        second = verified(https, roots)
        assert over_smtp(smtp, roots) == second
        assert "the one before" not in server.get("/readyz")[1]
        line = next(
            line
            for line in server.get("/metrics")[1].splitlines()
            if line.startswith("blackthorn_certificate_seconds_left")
        )
        assert 89 * 86_400 < float(line.split()[1]) < 91 * 86_400
        done = run("certificate", "renew", str(directory), **settings)
        assert done.returncode == 2 and "not this server's to renew" in done.stderr
        assert server.stop(signal.SIGTERM) == 0
    before = run("certificate", "renew", str(directory), "--json")
    after = run("certificate", "renew", str(directory), "--json")
    one, two = json.loads(before.stdout), json.loads(after.stdout)
    assert one["fingerprint"] != two["fingerprint"] and one["key_hash"] == two["key_hash"]
