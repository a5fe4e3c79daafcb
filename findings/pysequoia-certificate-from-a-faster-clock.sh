#!/usr/bin/env bash
# pysequoia 0.1.35: a certificate made by a machine whose clock is five minutes ahead looks broken.
#
# The certificate is sound. pysequoia judges its binding signatures at the local time, without a
# parameter for another one, and says nothing of clocks:
# - Cert.from_bytes takes it, and fingerprint and is_revoked answer as usual;
# - expiration and user_ids, plain attributes, raise RuntimeError "No binding signature at time ...";
# - encrypt raises RuntimeError "No suitable encryption subkey", the words that it has for a
#   certificate that has no encryption subkey at all.
# One would guess that reading an attribute of a parsed certificate does not fail, and that the two
# refusals to encrypt can be told apart. A mail server with a slow clock, or a user with a fast one,
# so gets "no encryption key" for a key that is good in some minutes: compare creation times first.
#
# PGPy 0.6.0 makes the certificates, because it takes a time of creation. Output seen:
#   a minute old: expiration None, user ids 1, sealed
#   five minutes ahead: expiration RuntimeError, user ids RuntimeError, No suitable encryption subkey
#   without encryption subkey: expiration None, user ids 1, No suitable encryption subkey
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pysequoia==0.1.35 PGPy==0.6.0
"$folder/venv/bin/python" -W ignore - > "$folder/seen" <<'PY'
from datetime import datetime, timedelta, timezone

import pgpy
import pysequoia
from pgpy.constants import (
    EllipticCurveOID,
    HashAlgorithm,
    KeyFlags,
    PubKeyAlgorithm,
    SymmetricKeyAlgorithm,
)


def certificate(ahead: timedelta, encrypts: bool = True) -> pysequoia.Cert:
    created = datetime.now(timezone.utc) + ahead
    key = pgpy.PGPKey.new(PubKeyAlgorithm.EdDSA, EllipticCurveOID.Ed25519, created=created)
    key.add_uid(
        pgpy.PGPUID.new("Alice", email="alice@example.org"),
        usage={KeyFlags.Sign, KeyFlags.Certify},
        hashes=[HashAlgorithm.SHA256],
        ciphers=[SymmetricKeyAlgorithm.AES256],
        created=created,
    )
    if encrypts:
        curve = EllipticCurveOID.Curve25519
        subkey = pgpy.PGPKey.new(PubKeyAlgorithm.ECDH, curve, created=created)
        key.add_subkey(subkey, usage={KeyFlags.EncryptCommunications}, created=created)
    return pysequoia.Cert.from_bytes(bytes(key.pubkey))


def answer(ask):
    try:
        return ask()
    except Exception as error:
        return type(error).__name__


def sealing(cert: pysequoia.Cert) -> str:
    try:
        pysequoia.encrypt(b"text", recipients=[cert])
    except RuntimeError as error:
        return str(error).split(" for ")[0]
    return "sealed"


for name, cert in (
    ("a minute old", certificate(-timedelta(minutes=1))),
    ("five minutes ahead", certificate(timedelta(minutes=5))),
    ("without encryption subkey", certificate(-timedelta(minutes=1), encrypts=False)),
):
    assert len(cert.fingerprint) == 40 and cert.is_revoked is False
    expires = answer(lambda: cert.expiration)
    users = answer(lambda: len(cert.user_ids))
    print(f"{name}: expiration {expires}, user ids {users}, {sealing(cert)}")
PY
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
a minute old: expiration None, user ids 1, sealed
five minutes ahead: expiration RuntimeError, user ids RuntimeError, No suitable encryption subkey
without encryption subkey: expiration None, user ids 1, No suitable encryption subkey
SEEN
