"""Tables of the reference pages: settings and metrics, made from what the program declares."""

import dataclasses

from blackthorn.device.core.preferences import PREFERENCES
from blackthorn.edges.http import metrics
from blackthorn.programs.server import configuration
from blackthorn.programs.server.folder import toml_value


def settings_table() -> str:
    """The tables of docs/settings.md."""
    parts = []
    for name, kind in configuration.SECTIONS.items():
        parts += [f"## [{name}]", "", str(kind.__doc__), ""]
        parts += ["| key | type | default | environment | meaning |", "|---|---|---|---|---|"]
        for each in dataclasses.fields(kind):
            allowed = (
                " \\| ".join(each.metadata["choices"])
                or configuration.KIND_NAMES[type(each.default)]
            )
            parts.append(
                f"| `{each.name}` | {allowed} | `{toml_value(each.default)}` "
                f"| `{configuration.variable(name, each.name)}` | {each.metadata['doc']} |"
            )
        parts.append("")
    return "\n".join(parts)


def device_settings_table() -> str:
    """The settings of a device, in docs/settings.md."""
    rows = ["| setting | unit | default | from | to | meaning |", "|---|---|---|---|---|---|"]
    rows += [
        f"| `{each.name}` | {each.unit} | {each.default:,} | {each.least:,} | {each.most:,} "
        f"| {each.meaning} |"
        for each in PREFERENCES
    ]
    return "\n".join(rows) + "\n"


def metrics_table() -> str:
    """The table of docs/metrics.md."""
    rows = ["| metric | type | meaning |", "|---|---|---|"]
    rows += [f"| `{each.name}` | {each.kind} | {each.meaning} |" for each in metrics.counted()]
    rows += [
        f"| `{metrics.PREFIX}{name}` | gauge | {text} |" for name, text in metrics.GAUGES.items()
    ]
    rows += [
        "| `process_*` | | Memory, CPU time, open files and start of the process, "
        "as every Prometheus client names them. |"
    ]
    return "\n".join(rows) + "\n"
