"""A mail that its sender sealed inside another is answered by what stands in the seal."""

from types import SimpleNamespace
from typing import Any

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.demo.sample_mail import sealed_mail
from blackthorn.device.mail import keys
from blackthorn.device.mail.signatures import Signature, VerifiedMail
from blackthorn.programs.device.letters import originals
from blackthorn.programs.event_loop import run
from tests.support.device_home import activated

NOW = 1_790_000_000


def test_the_sealed_text_is_quoted(monkeypatch, tmp_path) -> None:
    _, vault, _ = activated(tmp_path, monkeypatch)
    secret, certificate = generate_user_key("me@acme.example")
    with vault.transaction() as records:
        keys.keep(records, secret, certificate, NOW * 1000)
    content = sealed_mail("me@acme.example", "the sealed text", certificate, NOW)

    async def fetched(*_: object) -> VerifiedMail:
        mail: Any = SimpleNamespace(content=content)
        return VerifiedMail(mail, Signature.NONE)

    monkeypatch.setattr(originals, "fetch", fetched)
    program: Any = SimpleNamespace(opened=SimpleNamespace(vault=vault))
    found = run(originals.original(program, 1))
    assert "> the sealed text" in found.quotation
    assert [value for name, value in found.fields if name == b"subject"] == [b"..."]
