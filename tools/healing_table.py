"""The table of healing as Markdown, so that the specification is made from what runs."""

from blackthorn.device.healing.states import TABLE, Answer, State


def _diagram() -> list[str]:
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> FOLLOWING"]
    for state, row in TABLE.items():
        for then in State:
            events = [event.name for event, target in row.exits.items() if target is then]
            if events:
                lines.append(f"    {state.name} --> {then.name}: {', '.join(events)}")
    return [*lines, "```"]


def _exits(state: State) -> str:
    exits = [f"{event.value} → **{then.name}**" for event, then in TABLE[state].exits.items()]
    return "; ".join(exits) or "final"


def _states() -> list[str]:
    lines = [
        "| state | stored | meaning | own texts | answers | leaves by |",
        "|---|---|---|---|---|---|",
    ]
    for state, row in TABLE.items():
        given = ", ".join(answer.value for answer in Answer if answer in row.answers) or "none"
        lines.append(
            f"| {state.name} | `{state.value}` | {row.meaning} | {row.texts.value} | {given} "
            f"| {_exits(state)} |"
        )
    return lines


def render() -> str:
    """Diagram and table of states, for docs/specs/conversations.md."""
    return "\n".join(["### Diagram", "", *_diagram(), "", "### States", "", *_states()]) + "\n"
