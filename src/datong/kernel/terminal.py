"""At a terminal: who acts, and how JSON is printed.

Holding the machine is not holding a role: a member proves themself by password.
"""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

import orjson
import typer
from rich.console import Console
from rich.table import Table

from datong.kernel.config import load_settings
from datong.kernel.contracts import Actor, platform_actor
from datong.kernel.failures import BadInput

TABLE_CHARACTERS = 160
"""The width of a table that nobody looks at on a terminal."""


def ask_actor(username: str) -> Actor:
    """The member named by `--as`, once the password is given; without a name, the machine's own account.

    The password comes from DATONG_PASSWORD_FILE or is asked for. The machine's account may only do what is declared
    with `platform=True`: collect a file, describe a resource; never decide, grant or revoke.
    """
    if not username:
        return platform_actor(f"terminal:{pwd.getpwuid(os.geteuid()).pw_name}")
    from datong.kernel.identity.service import actor_of_sign_in

    return actor_of_sign_in(username, _read_password(username))


def print_json(value: object) -> None:
    """What `--json` prints: indented, dates as RFC 3339, anything else unknown as text."""
    typer.echo(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode())


def print_table(table: Table) -> None:
    """A table as wide as the terminal; into a file or pipe, wide enough that nothing is cut."""
    Console(width=None if sys.stdout.isatty() else TABLE_CHARACTERS).print(table)


def _read_password(username: str) -> str:
    named = load_settings().text("DATONG_PASSWORD_FILE")
    if not named:
        return str(typer.prompt(f"Password of {username}", hide_input=True, err=True))
    path = Path(named)
    if not path.is_file():
        raise BadInput(f"DATONG_PASSWORD_FILE names {path}, which is no file.", file=str(path))
    if path.stat().st_mode & 0o077:
        raise BadInput(f"Run `chmod 600 {path}`: others can read this password.", file=str(path))
    return path.read_text(encoding="utf-8").strip()
