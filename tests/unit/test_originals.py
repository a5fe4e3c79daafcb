"""A mail that its sender sealed inside another is answered by what stands in the seal."""

from email import message_from_bytes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.demo.sample_mail import sealed_mail
from blackthorn.device.mail import keys
from blackthorn.device.mail.signatures import Signature, VerifiedMail
from blackthorn.errors import UserError
from blackthorn.mail.compose.answer import reply_recipients
from blackthorn.programs.device.letters import originals
from blackthorn.programs.device.letters.originals import Original
from blackthorn.programs.event_loop import run
from tests.support.device_home import ME, activated

NOW = 1_790_000_000
SECRET, CERTIFICATE = generate_user_key(ME)


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    _, vault, _ = activated(tmp_path, monkeypatch)
    with vault.transaction() as records:
        keys.keep(records, SECRET, CERTIFICATE, NOW * 1000)
    return SimpleNamespace(opened=SimpleNamespace(vault=vault))


def original(program: Any, content: bytes, monkeypatch: pytest.MonkeyPatch) -> Original:
    async def fetched(*_: object) -> VerifiedMail:
        mail: Any = SimpleNamespace(content=content)
        return VerifiedMail(mail, Signature.NONE)

    monkeypatch.setattr(originals, "fetch", fetched)
    return run(originals.original(program, 1))


def answered(found: Original) -> list[str]:
    to, cc = reply_recipients(found.fields, ME, everybody=True)
    return [person.address for person in (*to, *cc)]


def test_the_sealed_text_and_subject_are_answered(program, monkeypatch) -> None:
    content = sealed_mail(ME, "the sealed text", CERTIFICATE, NOW, {"Subject": "the sealed one"})
    found = original(program, content, monkeypatch)
    found.check_author()
    assert "> the sealed text" in found.quotation
    assert [value for name, value in found.fields if name == b"subject"] == [b"the sealed one"]
    assert answered(found) == ["carla@outside.example"], "an older program seals no author"


def test_only_whom_the_seal_names_is_answered(program, monkeypatch) -> None:
    protected = {"From": "Carla <carla@outside.example>", "To": ME, "Subject": "s"}
    sealed = sealed_mail(ME, "the sealed text", CERTIFICATE, NOW, protected)
    named = b"Reply-To: eve@evil.example\nCc: eve@evil.example\n" + sealed
    found = original(program, named, monkeypatch)
    found.check_author()
    assert answered(found) == ["carla@outside.example"]
    eve = sealed.replace(b"Carla Outside <carla@outside.example>", b"eve@evil.example")
    with pytest.raises(UserError, match=r"author is carla@outside.example, outside it is eve@evil"):
        original(program, eve, monkeypatch).check_author()


def test_a_sealed_part_of_another_mail_is_neither_quoted_nor_sent_on(program, monkeypatch) -> None:
    stolen = sealed_mail(ME, "the sealed text", CERTIFICATE, NOW)
    head = b"From: eve@evil.example\nContent-Type: multipart/mixed; boundary=eve\n\n"
    text = b"--eve\n\nWhat do you think?\n--eve\n"
    found = original(program, head + text + stolen + b"\n--eve--\n", monkeypatch)
    assert "What do you think" in found.quotation
    assert "the sealed text" not in found.quotation
    with pytest.raises(UserError, match="mail raw 7"):
        found.check_readable(7)


def test_a_sealed_mail_is_sent_on_as_it_stood_in_its_seal(program, monkeypatch) -> None:
    content = sealed_mail(ME, "the sealed text", CERTIFICATE, NOW, {"Subject": "the sealed one"})
    found = original(program, content, monkeypatch)
    found.check_readable(1)
    sent = message_from_bytes(found.content)
    assert (sent["subject"], sent["to"]) == ("the sealed one", ME)
    assert "the sealed text" in str(sent.get_payload())


def test_what_is_sealed_to_another_key_is_not_sent_on(program, monkeypatch) -> None:
    _, another = generate_user_key("other@acme.example")
    found = original(program, sealed_mail(ME, "text", another, NOW), monkeypatch)
    with pytest.raises(UserError, match="sealed"):
        found.check_readable(1)
