"""`blackthorn mail queue` takes the ids that it shows, and names anything else."""

from pathlib import Path

import pytest

from blackthorn.errors import UserError
from blackthorn.programs.server.outbound import commands


@pytest.mark.parametrize(
    "text", ["8000000000000000", "ffffffffffffffff", "7", "0x00000000000001", ""]
)
def test_what_is_no_id_is_named_before_anything_is_opened(text: str, tmp_path: Path) -> None:
    for command in (commands.retry, commands.drop):
        with pytest.raises(UserError, match="is no id of a mail"):
            command(tmp_path, text)
    with pytest.raises(UserError, match="toml"):
        commands.drop(tmp_path, "7fffffffffffffff")
