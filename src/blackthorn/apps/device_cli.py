"""Commands of the family `device`."""

import typer


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
