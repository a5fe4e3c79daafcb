"""The link's table as Markdown, so that the specification is made from what runs."""

from blackthorn.link.codes import Code
from blackthorn.link.frames import Bye, Frame
from blackthorn.link.session import TABLE, Role, State


def _moves(state: State, role: Role) -> dict[type[Frame], State]:
    """The frames that `role` may send, without Bye, which both may in every state but CLOSED."""
    return {kind: then for kind, then in TABLE[state, role].items() if kind is not Bye}


def _diagram() -> list[str]:
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> OPENING"]
    for state in State:
        for role in Role:
            lines += [
                f"    {state.name} --> {then.name}: {role.value}: {kind.__name__}"
                for kind, then in _moves(state, role).items()
                if then is not state
            ]
    return [*lines, "```"]


def _cell(state: State, role: Role) -> str:
    return ", ".join(
        kind.__name__ if then is state else f"**{kind.__name__}** → {then.name}"
        for kind, then in _moves(state, role).items()
    )


def _states() -> list[str]:
    lines = [
        "| state | meaning | the device may say | the server may say |",
        "|---|---|---|---|",
    ]
    return lines + [
        f"| {state.name} | {state.value} | {_cell(state, Role.DEVICE) or '–'} "
        f"| {_cell(state, Role.SERVER) or '–'} |"
        for state in State
    ]


def _codes() -> list[str]:
    lines = ["| code | meaning |", "|---|---|"]
    return lines + [f"| `{code.value}` | {code.meaning} |" for code in Code]


def render() -> str:
    """Diagram, table of states and table of codes, for docs/specs/link.md."""
    parts = [
        "### Diagram",
        *("", *_diagram(), ""),
        "Left out: `Bye`, which either side may say in every state but CLOSED, and which leads to",
        "CLOSED; and all frames after which the state stays.",
        *("", "### States", "", *_states(), ""),
        "Bold: the frame leads to another state.",
        *("", "### Codes of Bye and Refused", "", *_codes()),
    ]
    return "\n".join(parts) + "\n"
