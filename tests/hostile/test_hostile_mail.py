"""A signed mail that its reader seals to somebody else (attack 34)."""

import pytest

from blackthorn.cli.device import mail as mail_cli
from blackthorn.mail.pgp.seal import BY_SENDER
from blackthorn.programs.device import mail
from blackthorn.programs.device.mail import ReadMail, shown_mail
from blackthorn.programs.device.opening.stored import open_stored
from tests.support.attacks import attack
from tests.support.device_home import invoke
from tests.support.mail_world import MailWorld, program_of, reader_of, secret_of, signed_mail

PASSED_ON = "(Neither To nor Cc names you:"


@attack(34)
@pytest.mark.parametrize(
    ("to", "warned"),
    [
        ("bob@acme.example", True),
        ("carol@acme.example.evil.example", True),
        ("carol+plans@acme.example", False),
    ],
)
def test_a_mail_that_was_passed_on_shows_to_whom_it_was_written(
    monkeypatch: pytest.MonkeyPatch, to: str, warned: bool
) -> None:
    """Alice has signed it. Who seals it to carol can change neither its text nor its header."""
    world = MailWorld(49, "alice", "bob", "carol")
    alice, _, carol = world.people
    now = world.now_ms // 1000
    sealed = signed_mail(alice.address, secret_of(alice), reader_of(carol, now), now, to)
    program = program_of(carol)

    async def read(*_: object, **__: object) -> ReadMail:
        return await shown_mail(program, await open_stored(program, BY_SENDER + sealed))

    monkeypatch.setattr(mail, "read", read)
    monkeypatch.setattr(mail_cli, "program", lambda at: None)
    told = " ".join(invoke("mail", "read", "1").output.split())
    assert "(Signed by the sender's key, which the ledger shows.)" in told
    assert f"To: {to} " in told and (PASSED_ON in told) == warned
