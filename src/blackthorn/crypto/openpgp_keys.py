"""The user's OpenPGP secret keys for other programs, in passphrase-encrypted armored messages.

pysequoia cannot lock a secret key itself (RFC 9580, 5.3: SKESK, then SEIPD). The S2K is iterated
and salted at its highest count, 65 MB of SHA-256, since GnuPG reads no Argon2. Only devices import
it.
"""

from collections.abc import Sequence

import pysequoia

from blackthorn.crypto.openpgp_seal import sequoia_errors
from blackthorn.crypto.secret import Secret
from blackthorn.errors import DamageError


def lock_secret_keys(keys: Sequence[Secret], passphrase: Secret) -> list[bytes]:
    """Each key as one armored block in an armored message of its own. Takes about 50 ms a key.

    `keys` are binary, from `generate_user_key`, 2.3 kB each. Raises DamageError for a bad key.
    """
    with sequoia_errors(DamageError("a kept OpenPGP key is damaged")):
        blocks = [str(pysequoia.Tsk.from_bytes(key.expose())).encode() for key in keys]
        word = passphrase.expose().decode()
        return [pysequoia.encrypt(block, passwords=[word]) for block in blocks]
