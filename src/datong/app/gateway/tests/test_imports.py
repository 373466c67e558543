"""The running gateway has neither Django nor DuckDB: asked of the interpreter itself, with `-X importtime`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from datong.app.gateway.tests.support import GatewayProcess, prepare, question, settings_of

FORBIDDEN = ("django", "duckdb", "procrastinate", "psycopg")
_IMPORTED = re.compile(r"^import time: +\d+ \| +\d+ \| +([\w.]+)$", re.MULTILINE)


def modules_loaded(tmp_path: Path, program: list[str]) -> set[str]:
    """Every module that a gateway imported from its start until after it answered a call and a page."""
    settings = settings_of(tmp_path)
    prepare(settings).close()
    gateway = GatewayProcess(settings, program=["-X", "importtime", *program]).start()
    try:
        assert gateway.verify(question()).status_code == 200
        assert gateway.call("GET", "/x/v1/batch/people?purpose=insurance-check&format=csv").status_code == 200
        assert gateway.call("GET", "/some/page").status_code == 503
        assert gateway.stop() == 0
    finally:
        gateway.kill()
    return set(_IMPORTED.findall(gateway.output.read_text()))


def forbidden(modules: set[str]) -> set[str]:
    return {name for name in modules if name.split(".")[0] in FORBIDDEN}


def test_the_running_gateway_has_no_django_and_no_duckdb(tmp_path: Path) -> None:
    loaded = modules_loaded(tmp_path, ["-m", "datong.app.gateway"])
    assert {"datong.app.gateway.exchange", "lmdb", "granian"} <= loaded, "the list of imports was not read"
    assert forbidden(loaded) == set()


@pytest.mark.parametrize("module", ["django", "duckdb"])
def test_a_gateway_with_them_is_caught(tmp_path: Path, module: str) -> None:
    planted = f"import sys, {module}\nfrom datong.app.gateway.__main__ import main\nsys.exit(main())"
    loaded = modules_loaded(tmp_path, ["-c", planted])
    assert module in forbidden(loaded)
