"""An address that serves no ledger is told apart from a ledger that hides a file."""

from contextlib import ExitStack

import pytest

from blackthorn.audit.ledger import read_policy
from blackthorn.audit.ledger_run import open_source
from blackthorn.audit.sources import HttpSource
from blackthorn.errors import SecurityError, UnavailableError, UserError


@pytest.mark.parametrize("served", [(), ("checkpoint",)])
def test_an_address_without_a_ledger_is_no_attack(
    served: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HttpSource, "read", lambda _, path: b"" if path in served else None)
    with ExitStack() as stack:
        if not served:
            with pytest.raises(UserError, match=r"no ledger answers at https://host: .* port"):
                open_source("https://host", stack)
        else:
            with pytest.raises(SecurityError, match="policy is missing, although the log signed"):
                read_policy(open_source("https://host", stack))


def test_an_address_that_does_not_answer_is_told_without_the_systems_number() -> None:
    told = pytest.raises(UnavailableError, match=r"cannot be read: Connection refused$")
    with HttpSource("http://127.0.0.1:1") as source, told:
        source.read("checkpoint")
