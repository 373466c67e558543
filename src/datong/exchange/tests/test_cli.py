"""`datong request` and `datong grant`: the same verbs at a terminal, by password."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from datong.exchange.cli import register
from datong.exchange.requests import GrantNotActive, RequestInvalid
from datong.exchange.store.models import Grant
from datong.exchange.tests.conftest import Market
from datong.kernel.failures import BadInput, NotAllowed, NotFound
from datong.testing.cast import PASSWORD, quick_passwords

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The commands as `datong` has them, in this process; the password comes from a private file."""
    path = tmp_path / "password"
    path.write_text(PASSWORD)
    path.chmod(0o600)
    monkeypatch.setenv("DATONG_PASSWORD_FILE", str(path))
    app = typer.Typer()
    register(app)

    def invoke(*arguments: str, acting: str) -> Any:
        with quick_passwords():
            return CliRunner().invoke(app, [*arguments, "--as", acting])

    return invoke


def submit(market: Market, **changes: str) -> list[str]:
    options = {
        "mode": "verify",
        "purpose": "pension",
        "purpose-title": "养老金资格核验",
        "legal-basis": "《社会保险法》第七十四条",
        "system": market.cast.system.id,
        **changes,
    }
    words = ["request", "submit", market.resource_id, "--column", "id_number", "--column", "name:compare"]
    return [*words, *(word for name, value in options.items() for word in (f"--{name}", value))]


def test_a_grant_from_its_request_to_its_end(market: Market, run: Run) -> None:
    steward, approver = "hrss.steward", f"{market.owner}.approver"
    asked = run(*submit(market), acting=steward)
    assert asked.exit_code == 0, asked.exception
    [request] = json.loads(run("request", "list", "--json", acting=approver).stdout)
    number = request["number"]
    assert number in asked.stdout
    assert number in run("request", "list", acting=steward).stdout
    assert "submitted" in run("request", "show", number, acting=steward).stdout
    assert isinstance(run("request", "approve", number, acting=steward).exception, NotAllowed)
    assert "approved" in run("request", "approve", number, acting=approver).stdout
    grant = json.loads(run("grant", "show", Grant.objects.get().number, "--json", acting=steward).stdout)
    assert (grant["state"], grant["purpose"], grant["modes"]) == ("active", "pension", ["verify"])
    assert grant["number"] in run("grant", "list", acting=steward).stdout
    revoke = ("grant", "revoke", grant["number"], "用途已经办结")
    assert isinstance(run(*revoke, acting=steward).exception, NotAllowed)
    assert "revoked" in run(*revoke, acting=approver).stdout
    assert isinstance(run(*revoke, acting=approver).exception, GrantNotActive)


def test_what_cannot_be_is_a_failure(market: Market, run: Run) -> None:
    steward, approver = "hrss.steward", f"{market.owner}.approver"
    for changes, failure in (
        ({"until": "soon"}, BadInput),
        ({"until": "2020-01-01"}, RequestInvalid),
        ({"column": "name:blurred"}, BadInput),
        ({"purpose": "养老"}, RequestInvalid),
    ):
        assert isinstance(run(*submit(market, **changes), acting=steward).exception, failure), changes
    for command in ("request", "grant"):
        assert isinstance(run(command, "show", "X-1", acting=steward).exception, NotFound)
    run(*submit(market), acting=steward)
    [request] = json.loads(run("request", "list", "--json", acting=steward).stdout)
    refuse = ("request", "refuse", request["number"])
    assert run(*refuse, acting=approver).exit_code == 2, "a refusal has its reason as an argument"
    assert "refused" in run(*refuse, "依据不足，请补充", acting=approver).stdout
    assert not Grant.objects.exists()
