"""docs/attacks.md: each attack, what stops or shows it, how soon, and which test tries it.

The attacks stand in `tests/support/attacks.py`; the trials are read from the sources of the tests
beside it, without running them.
"""

import ast
from collections import defaultdict
from pathlib import Path

from tests.support.attacks import ATTACKS, Attack, Trial

ROOT = Path(__file__).resolve().parent.parent
HOSTILE = ROOT / "tests" / "hostile"

HEAD = """# Attacks

What a hostile operator, network, government, insider or publisher may try against Blackthorn, and
what comes of it. In each trial the real server runs with one thing changed (`EvilServer`), with
real clients on a virtual clock. A trial holds four things: nothing readable and no key reaches the
attacker; the alarm is raised within the number of checks given, or the attack is refused on the
spot; people who were not attacked go on; the evidence verifies in another process with public keys
alone. Besides, thousands of random honest schedules raise no alarm at all
(`tests/hostile/test_honest_schedules.py`).

A *check* is one look of the client attacked: a lookup, a connection, a message received.

| # | who | attack | what stops or shows it | alarm | checks | tried by |
|---|---|---|---|---|---|---|
"""


def trials() -> dict[int, list[tuple[str, Trial]]]:
    """For each attack the tests that try it, as `file::test`."""
    found: dict[int, list[tuple[str, Trial]]] = defaultdict(list)
    for path in sorted(HOSTILE.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                for trial in _marks(node):
                    found[trial.attack].append((f"{path.name}::{node.name}", trial))
    return found


def _marks(node: ast.FunctionDef) -> list[Trial]:
    """The `@attack(…)` decorators of a test, whose arguments are literals."""
    marks = []
    for each in node.decorator_list:
        if (
            isinstance(each, ast.Call)
            and isinstance(each.func, ast.Name)
            and each.func.id == "attack"
        ):
            (number,) = (ast.literal_eval(argument) for argument in each.args)
            named = {word.arg: ast.literal_eval(word.value) for word in each.keywords}
            marks.append(Trial(number, named.get("alarm", ""), named.get("checks", 0)))
    return marks


def _outcome(tried: list[tuple[str, Trial]], attack: Attack) -> tuple[str, str]:
    alarms = sorted({trial.alarm for _, trial in tried if trial.alarm})
    checks = [trial.checks for _, trial in tried if trial.alarm]
    if alarms:
        return ", ".join(f"`{each}`" for each in alarms), str(max(checks))
    return ("–", "–") if attack.waits else ("refused", "0")


def _row(attack: Attack, tried: list[tuple[str, Trial]]) -> str:
    alarm, checks = _outcome(tried, attack)
    tests = [f"`{name}`" for name, _ in tried] + [f"`{name}`" for name in attack.elsewhere]
    if attack.waits:
        tests.append(f"waits: {attack.waits}")
    answer = f"{attack.answer}. *Not stopped:* {attack.told}" if attack.told else attack.answer
    cells = (str(attack.number), attack.who, attack.what, answer, alarm, checks, "<br>".join(tests))
    return f"| {' | '.join(cells)} |"


def unexplained() -> list[int]:
    """Attacks with neither a trial nor a reason to wait."""
    found = trials()
    return [
        each.number
        for each in ATTACKS
        if not (found.get(each.number) or each.elsewhere or each.waits)
    ]


def render() -> str:
    """The document."""
    found = trials()
    return HEAD + "\n".join(_row(each, found.get(each.number, [])) for each in ATTACKS) + "\n"
