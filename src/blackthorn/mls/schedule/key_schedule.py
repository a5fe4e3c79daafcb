"""The key schedule (RFC 9420, 8): from one epoch's init secret to all secrets of the next."""

from collections.abc import Sequence
from dataclasses import dataclass

from blackthorn.crypto.secret import Secret
from blackthorn.mls.schedule.psk import PskId, psk_label
from blackthorn.mls.suites import CipherSuite


@dataclass(frozen=True)
class EpochSecrets:
    """The secrets of one epoch that outlive its making (8, table 4), Nh bytes each."""

    init: Secret
    sender_data: Secret
    encryption: Secret
    exporter: Secret
    external: Secret
    confirmation_key: Secret
    membership_key: Secret
    resumption_psk: Secret
    epoch_authenticator: Secret


def joiner_secret(
    suite: CipherSuite, init_secret: Secret, commit_secret: Secret, group_context: bytes
) -> Secret:
    """The joiner secret (8), part of a Welcome."""
    extracted = suite.extract(init_secret.expose(), commit_secret.expose())
    return Secret(suite.expand_with_label(extracted, b"joiner", group_context, suite.hash_size))


def psk_secret(suite: CipherSuite, psks: Sequence[tuple[PskId, Secret]]) -> Secret:
    """All pre-shared keys in proposal order, combined (8.4)."""
    secret = bytes(suite.hash_size)
    for index, (psk_id, psk) in enumerate(psks):
        extracted = suite.extract(bytes(suite.hash_size), psk.expose())
        label = psk_label(psk_id, index, len(psks))
        folded = suite.expand_with_label(extracted, b"derived psk", label, suite.hash_size)
        secret = suite.extract(folded, secret)
    return Secret(secret)


def _member_secret(suite: CipherSuite, joiner: Secret, psk: Secret) -> bytes:
    return suite.extract(joiner.expose(), psk.expose())


def welcome_secret(suite: CipherSuite, joiner: Secret, psk: Secret) -> Secret:
    """The secret that encrypts the GroupInfo of a Welcome."""
    return Secret(suite.derive_secret(_member_secret(suite, joiner, psk), b"welcome"))


def welcome_key_and_nonce(suite: CipherSuite, welcome: Secret) -> tuple[bytes, bytes]:
    """Key and nonce for the encrypted GroupInfo (12.4.3.1)."""
    secret = welcome.expose()
    return (
        suite.expand_with_label(secret, b"key", b"", suite.aead.key_size),
        suite.expand_with_label(secret, b"nonce", b"", suite.aead.nonce_size),
    )


def epoch_secrets(
    suite: CipherSuite, joiner: Secret, psk: Secret, group_context: bytes
) -> EpochSecrets:
    """All secrets of the epoch that `group_context` describes."""
    member = _member_secret(suite, joiner, psk)
    epoch = suite.expand_with_label(member, b"epoch", group_context, suite.hash_size)
    return secrets_of_epoch(suite, Secret(epoch))


def secrets_of_epoch(suite: CipherSuite, epoch_secret: Secret) -> EpochSecrets:
    """All secrets under an epoch secret; a group's first one is random (11)."""

    def derive(label: bytes) -> Secret:
        return Secret(suite.derive_secret(epoch_secret.expose(), label))

    return EpochSecrets(
        init=derive(b"init"),
        sender_data=derive(b"sender data"),
        encryption=derive(b"encryption"),
        exporter=derive(b"exporter"),
        external=derive(b"external"),
        confirmation_key=derive(b"confirm"),
        membership_key=derive(b"membership"),
        resumption_psk=derive(b"resumption"),
        epoch_authenticator=derive(b"authentication"),
    )


def external_public_key(suite: CipherSuite, secrets: EpochSecrets) -> bytes:
    """The public key for external joiners (8.3)."""
    return suite.hpke.derive_key_pair(secrets.external)[1]


def export(
    suite: CipherSuite, secrets: EpochSecrets, label: bytes, context: bytes, length: int
) -> bytes:
    """MLS-Exporter (8.5): its context is hashed."""
    return export_of_label(suite, label_secret(suite, secrets, label), context, length)


def label_secret(suite: CipherSuite, secrets: EpochSecrets, label: bytes) -> bytes:
    """What exports under one label are made of: all that has to be kept of an epoch for them."""
    return suite.derive_secret(secrets.exporter.expose(), label)


def export_of_label(suite: CipherSuite, secret: bytes, context: bytes, length: int) -> bytes:
    """An export under the label of `label_secret`."""
    return suite.expand_with_label(secret, b"exported", suite.hash(context), length)
