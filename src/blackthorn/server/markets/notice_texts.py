"""The texts of notices by language, one file each in `languages/`.

`{…}` are filled in: dates are ISO days (UTC), `domain` is the enterprise's.
"""

import tomllib
from functools import cache
from importlib import resources
from typing import Final

import msgspec


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One language: `subjects` and `openings` by kind (`notice.KINDS`), `categories` by name."""

    subjects: dict[str, str]
    openings: dict[str, str]
    dates: str
    deeds: str
    whom: str
    whom_without_postmaster: str
    directive_subject: str
    directive: str
    categories: dict[str, str]

    def questions(self, *, postmaster: bool) -> str:
        """Whom to ask; `postmaster`: mail to that address is delivered."""
        return self.whom if postmaster else self.whom_without_postmaster


LANGUAGES: Final = ("en", "ur", "de", "fr")


def words(language: str) -> Words:
    """The texts of a BCP 47 primary tag; English for an unknown one."""
    return _read(language if language in LANGUAGES else LANGUAGES[0])


@cache
def _read(language: str) -> Words:
    folder = resources.files("blackthorn.server.markets").joinpath("languages")
    text = folder.joinpath(f"{language}.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Words)
