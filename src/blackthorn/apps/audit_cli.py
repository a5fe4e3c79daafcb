"""Commands of the family `audit`."""

import typer


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
