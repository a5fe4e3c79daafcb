"""Every file of the mail corpus is rendered: whole, safe, and in bounded work."""

import re

import pytest

from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.mime.scan import scan
from blackthorn.mail.render.render import render, render_head
from tests.support.mail_corpus import mail_corpus
from tests.support.work import Work

CALLS = 40_000
"""Calls of functions for one file, all of which are small: about 20 ms."""
UNSAFE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def test_every_file_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    refused = []
    for path in mail_corpus(capsys):
        content = path.read_bytes()
        with Work() as work:
            mail = render(content)
        assert work.calls < CALLS, (path, work.calls)
        assert not UNSAFE.search(mail.text) and len(mail.files) == len(mail.attachments), path
        try:
            scan(content)
        except MailRefusedError:
            refused.append(path.name)
            assert not mail.parsed
            continue
        assert mail.parsed and (mail.text.strip() or mail.attachments or len(content) < 200), path
        assert render_head(content).subject == mail.subject
    assert len(refused) <= 1, refused
