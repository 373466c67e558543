"""`datong`: the command line. Exit code 0 done, 1 a Failure (problem+json under --json), 2 wrong usage."""

from __future__ import annotations

import sys
from importlib import import_module

import orjson
import typer
from rich.console import Console

from datong.app import parts
from datong.kernel import clock
from datong.kernel.failures import Failure

app = typer.Typer(
    name="datong",
    help="Datong (大同): a government's scattered data, turned into one governed commons.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

WITHOUT_DATABASE = frozenset({"up", "doctor", "receipt", "audit", "demo", "version", "document", "city"})
"""Commands that start without the control plane's models; the others are set up for them."""


@app.callback()
def set_up(context: typer.Context) -> None:
    """Get the process ready for the command that was asked for."""
    clock.freeze_from_environment()
    needs_database = context.invoked_subcommand not in WITHOUT_DATABASE
    if needs_database and not _asks_for_help():
        from datong.app.control.setup import require_database, set_up_django

        set_up_django()
        if context.invoked_subcommand not in {"contract", "assess"}:  # some of theirs read files only
            require_database()


def register_commands() -> None:
    """The platform's own commands, then those of every part: its `cli.py` has `register(app)`."""
    for module in ("up", "demo", "doctor", "proofs", "documents", "accounts", "city"):
        import_module(f"datong.app.cli.{module}").register(app)
    for _, module in parts.existing_modules("cli"):
        import_module(module).register(app)


def _asks_for_help() -> bool:
    return any(argument in ("-h", "--help") for argument in sys.argv[1:])


def print_failure(failure: Failure, *, as_json: bool) -> None:
    """To stderr in words, or to stdout as RFC 9457 under --json."""
    if as_json:
        sys.stdout.write(orjson.dumps(failure.as_problem(), option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    console = Console(stderr=True, highlight=False)
    console.print(f"[bold red]{failure.title}[/] ({failure.code})", soft_wrap=True)
    if failure.hint:
        console.print(failure.hint, markup=False, soft_wrap=True)
    for name, value in failure.facts.items():
        if value not in (None, "", [], {}):
            shown = ", ".join(str(item) for item in value) if isinstance(value, list | tuple) else value
            console.print(f"  {name}: {shown}", markup=False, soft_wrap=True)


def main() -> None:
    register_commands()
    try:
        app()
    except Failure as failure:
        print_failure(failure, as_json="--json" in sys.argv)
        raise SystemExit(1) from None
