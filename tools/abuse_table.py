"""docs/abuse.md: each attack on the server's time and space, and what bounds it.

The attacks stand in `tests/support/abuse`; `make abuse` runs them and prints what was noticed.
"""

from tests.support.abuse.every import ABUSES
from tests.support.abuse.table import Abuse

HEAD = """# Abuse

What one device, one stranger or one sender of mail may try in order to stop the server for
everybody, and what bounds it. `make abuse` runs each attack against a real server with honest
traffic beside it (200 messages a second between eight devices), and prints what the honest people
and the operator noticed. It asserts that

- nothing honest is lost, and no message takes longer than 25 ms at the 99th percentile;
- `/healthz` answers within 100 ms;
- the server's memory stays under 400 MiB, and its disk grows by at most 64 MiB, or by the users'
  quota of mail;
- the attacker is told what the table says, and a counter of `/metrics` shows the attack.

Times hold where nothing else runs. `make test` runs the same attacks for 0.6 seconds beside other
tests, bounds times twenty times as wide, and leaves out what the attacker is told.

| # | who | attack | what bounds it | told | counter |
|---|---|---|---|---|---|
"""


def _code(words: tuple[str, ...]) -> str:
    return " or ".join(f"`{word}`" for word in words) or "–"


def _row(number: int, each: Abuse) -> str:
    cells = (
        str(number),
        each.who,
        f"`{each.name}`: {each.what}",
        each.bound,
        _code(each.told),
        _code(each.counter),
    )
    return f"| {' | '.join(cells)} |"


def render() -> str:
    """The document."""
    rows = [_row(number, each) for number, each in enumerate(ABUSES, 1)]
    return HEAD + "\n".join(rows) + "\n"
