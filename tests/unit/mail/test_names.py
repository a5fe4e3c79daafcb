"""Names of attachments: short enough for any file system, with the suffix that says what it is."""

import pytest

from blackthorn.mail import limits
from blackthorn.mail.render.names import file_name


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\a.txt", "a.txt"),
        (".profile", "profile"),
        ("a\nb.txt", "a b.txt"),
        ("", ""),
        ("..", ""),
        ("a.exe. .", "a.exe"),
        ("x" * 300 + ".pdf", "x" * 115 + "….pdf"),
        ("x" * 2_000 + ".pdf", "x" * 115 + "….pdf"),
        ("x" * 200 + ".tar.gz", "x" * 112 + "….tar.gz"),
        ("x" * 200 + ".a long ending", "x" * 119 + "…"),
    ],
)
def test_names(raw: str, name: str) -> None:
    assert file_name(raw) == name


def test_a_name_in_a_large_alphabet_fits_in_bytes() -> None:
    name = file_name("報" * 110 + ".docx")
    assert name.endswith("….docx") and len(name.encode()) <= limits.MAX_NAME_BYTES
