#!/usr/bin/env bash
# Python 3.11 over OpenSSL 3.0: load_cert_chain on a context in use replaces a certificate only
# by one of the same kind of key.
#
# A server that reads a renewed certificate again by load_cert_chain shows the old one for ever after
# a change from ECDSA to RSA: OpenSSL keeps one certificate for each kind of key in the context, and
# prefers ECDSA with clients that know both. No call removes the old one.
# Remedy: a new context for each certificate; swap it in the listener, or by sni_callback, which sets
# `connection.context` and is called for clients without a server name too.
#
# Output seen:
#   ECDSA, then RSA: the client still sees the first certificate
#   RSA, then another RSA: the client sees the second certificate
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
make() {
    openssl req -x509 -newkey "${@:2}" -nodes -days 2 -subj "/CN=$1" \
        -keyout "$folder/$1.key" -out "$folder/$1.crt" 2>/dev/null
    cat "$folder/$1.key" "$folder/$1.crt" > "$folder/$1.pem"
}
make ecdsa ec -pkeyopt ec_paramgen_curve:prime256v1
make rsa rsa:2048
make another rsa:2048
python3 - "$folder" > "$folder/seen" <<'PY'
import socket
import ssl
import sys
import threading


def shown(context: ssl.SSLContext) -> bytes:
    ours, theirs = socket.socketpair()
    serve = threading.Thread(target=lambda: context.wrap_socket(ours, server_side=True).close())
    serve.start()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    with client.wrap_socket(theirs) as tls:
        seen = tls.getpeercert(True)
    serve.join()
    return seen


for first, second, told in (("ecdsa", "rsa", "ECDSA, then RSA"), ("rsa", "another", "RSA, then another RSA")):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{sys.argv[1]}/{first}.pem")
    before = shown(context)
    context.load_cert_chain(f"{sys.argv[1]}/{second}.pem")
    which = "still sees the first" if shown(context) == before else "sees the second"
    print(f"{told}: the client {which} certificate")
PY
cat "$folder/seen"
grep -q "ECDSA, then RSA: the client still sees the first" "$folder/seen"
grep -q "another RSA: the client sees the second" "$folder/seen"
