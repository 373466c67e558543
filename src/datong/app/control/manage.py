"""Django's own commands, for the supervisor and for developers: `python -m datong.app.control.manage migrate`."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "datong.app.control.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
