"""The user's OpenPGP secret keys for other programs: armored, in a message that a passphrase opens.

pysequoia cannot lock a secret key by itself, so the keys lie inside a passphrase-encrypted message
(RFC 9580, 5.3: SKESK, then SEIPD). Its passphrase is stretched by the iterated and salted S2K at
its highest count, 65 MB of SHA-256, because GnuPG reads no Argon2 yet. Only a device imports this
module.
"""

from collections.abc import Sequence

import pysequoia

from blackthorn.crypto.openpgp_seal import sequoia_errors
from blackthorn.crypto.secret import Secret
from blackthorn.errors import DamageError


def lock_secret_keys(keys: Sequence[Secret], passphrase: Secret) -> bytes:
    """All keys, one armored block behind the other, in one armored message. Takes about 50 ms.

    `keys` are binary, from `generate_user_key`, 2.3 kB each. Raises DamageError when one of them
    is no secret key.
    """
    with sequoia_errors(DamageError("a kept OpenPGP key is damaged")):
        blocks = [str(pysequoia.Tsk.from_bytes(key.expose())) for key in keys]
        content = "\n".join(blocks).encode()
        return pysequoia.encrypt(content, passwords=[passphrase.expose().decode()])
