"""The corpus of real and malformed mail, by BLACKTHORN_MAIL_CORPUS or in .vectors/mail."""

import os
from pathlib import Path

import pytest


def mail_corpus(capsys: pytest.CaptureFixture[str]) -> list[Path]:
    """Its files; without any the test is skipped, and the output says so."""
    folder = Path(os.environ.get("BLACKTHORN_MAIL_CORPUS", ".vectors/mail"))
    files = sorted(folder.rglob("*.eml"))
    if not files:
        missing = "the mail corpus is not here: `make vectors`, or set BLACKTHORN_MAIL_CORPUS"
        with capsys.disabled():
            print(f"\nNOT RUN: {missing}")
        pytest.skip(missing)
    return files
