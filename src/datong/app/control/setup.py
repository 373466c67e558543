"""Getting a process that is not the web server ready to call services: worker, command line, demonstration."""

from __future__ import annotations

import os

import django
from django.apps import apps


def set_up_django() -> None:
    """Load settings and models, and wire the parts. Twice is once."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "datong.app.control.settings")
    if not apps.ready:
        django.setup()
