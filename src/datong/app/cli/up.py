"""`datong up` and `datong version`."""

from __future__ import annotations

import typer

from datong import __version__
from datong.kernel.config import load_settings


def register(app: typer.Typer) -> None:
    @app.command()
    def up() -> None:
        """Start the platform: database, control, worker, gateway. Ctrl-C or SIGTERM stops all in order."""
        from datong.app import supervisor

        settings = load_settings()

        def ready() -> None:
            typer.echo(f"Datong answers at {settings.public_url}")

        supervisor.up(settings, typer.echo, ready)

    @app.command()
    def version() -> None:
        """Print the version."""
        typer.echo(__version__)
