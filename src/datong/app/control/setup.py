"""Getting a process that is not the web server ready to call services: worker, command line, demonstration."""

from __future__ import annotations

import os

import django


def set_up_django() -> None:
    """Load settings and models, and wire the parts. Twice is once."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "datong.app.control.settings")
    django.setup()
