"""The command line: exit codes, words for people, JSON for programs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from datong.catalog.cli import register
from datong.catalog.tests.samples import changed, demo_text
from datong.kernel.failures import Failure, NotAllowed
from datong.testing.cast import PASSWORD, Cast, quick_passwords

Run = Callable[..., Any]


@pytest.fixture
def run() -> Run:
    """The commands as `datong` has them, in this process and so in this test's transaction."""
    app = typer.Typer()
    register(app)

    def invoke(*arguments: object) -> Any:
        with quick_passwords():
            return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return invoke


@pytest.fixture(autouse=True)
def password_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member at a terminal proves themself by password; here it comes from a private file."""
    path = tmp_path / "password"
    path.write_text(PASSWORD)
    path.chmod(0o600)
    monkeypatch.setenv("DATONG_PASSWORD_FILE", str(path))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    population = demo_text("psb_population")

    def shorten(raw: dict[str, Any]) -> None:
        raw["schema"][0]["properties"] = [c for c in raw["schema"][0]["properties"] if c["name"] != "address"]

    def shorten_as(version: str) -> str:
        shorter = changed(population, shorten)
        return changed(shorter.text, lambda raw: raw.update(version=version)).text

    texts = {
        "good": population,
        "bad": population.replace("logicalType: date", "logicalType: dat"),
        "breaking": shorten_as("1.1.0"),
        "major": shorten_as("2.0.0"),
    }
    paths = {name: tmp_path / f"{name}.odcs.yaml" for name in texts}
    for name, path in paths.items():
        path.write_text(texts[name], encoding="utf-8")
    return paths


def test_lint(run: Run, files: dict[str, Path]) -> None:
    good = run("contract", "lint", files["good"])
    assert (good.exit_code, "ok, psb_population 1.0.0" in good.stdout) == (0, True)
    bad = run("contract", "lint", files["good"], files["bad"])
    assert isinstance(bad.exception, Failure)
    assert "bad.odcs.yaml:" in bad.stderr
    assert "Did you mean `date`?" in bad.stderr
    listed = json.loads(run("contract", "lint", files["good"], "--json").stdout)
    assert listed["files"][0]["id"] == "psb_population"


def test_apply_diff_and_show(run: Run, files: dict[str, Path], cast: Cast) -> None:
    assert cast.members
    applied = run("contract", "apply", files["good"], "--as", "psb.steward", "--json")
    assert json.loads(applied.stdout)["created"] is True
    again = run("contract", "apply", files["good"], "--as", "psb.steward")
    assert "nothing changed" in again.stdout
    refused = run("contract", "apply", files["breaking"], "--as", "psb.steward", "--base", "1.0.0")
    assert isinstance(refused.exception, Failure)
    assert refused.exception.code == "contract-breaking-change"
    found = json.loads(run("contract", "diff", files["breaking"], "--against", "current", "--json").stdout)
    assert (found["level"], found["required_version"], found["version_is_enough"]) == ("breaking", "2.0.0", False)
    assert "删除列“住址”" in run("contract", "diff", files["good"], files["major"]).stdout
    done = run("contract", "apply", files["major"], "--as", "psb.steward", "--base", "1.0.0")
    assert "1.0.0 → 2.0.0" in done.stdout
    shown = json.loads(run("resource", "show", "psb_population", "--json").stdout)
    assert [version["version"] for version in shown["versions"]] == ["2.0.0", "1.0.0"]
    assert shown["modes"] == ["batch", "query", "verify"]
    listed = json.loads(run("resource", "list", "--as", "amr.nobody", "--json").stdout)
    assert [item["id"] for item in listed["items"]] == ["psb_population"]
    assert "人口基础信息" in run("resource", "list").stdout
    assert "公民身份号码" in run("resource", "show", "psb_population").stdout
    assert run("contract", "show", "psb_population").stdout == files["major"].read_text(encoding="utf-8")


def test_wrong_usage(run: Run, files: dict[str, Path]) -> None:
    assert run("contract", "lint", "nowhere.yaml").exit_code == 2
    assert run("contract", "diff", files["good"]).exit_code == 2
    assert run("contract", "apply", files["good"]).exit_code == 2


@pytest.mark.django_db(transaction=True)
def test_the_real_command_prints_a_problem_and_exits_1(files: dict[str, Path]) -> None:
    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "datong.app.cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    bad = call("contract", "lint", files["bad"], "--json")
    problem = json.loads(bad.stdout)
    assert (bad.returncode, problem["code"], problem["status"]) == (1, "contract-invalid", 400)
    assert problem["facts"]["files"][0]["findings"][0]["path"] == "schema[0].properties[3].logicalType"
    missing = call("resource", "show", "nowhere", "--json")
    assert (missing.returncode, json.loads(missing.stdout)["code"]) == (1, "resource-not-found")


def test_a_name_without_its_password_is_refused(run: Run, files: dict[str, Path], cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("not the password")
    refused = run("contract", "apply", files["good"], "--as", "psb.steward")
    assert isinstance(refused.exception, NotAllowed)
    assert "psb.steward" in cast.members


def test_a_template_goes_out_and_comes_in(run: Run, cast: Cast, files: dict[str, Path], tmp_path: Path) -> None:
    from openpyxl import load_workbook

    assert run("contract", "apply", files["good"], "--as", "psb.steward").exit_code == 0
    book, marked = tmp_path / "book.xlsx", tmp_path / "marked.xlsx"
    assert run("contract", "template", book, "--resource", "psb_population").exit_code == 0
    same = run("contract", "import", book, "--as", "psb.steward", "--json")
    assert json.loads(same.stdout)["applied"][0]["changed"] is False
    opened = load_workbook(book)
    opened["信息项"].cell(3, 6, "文本")
    opened.save(book)
    refused = run("contract", "import", book, "--as", "psb.steward", "--marked", marked)
    assert refused.exit_code == 1
    assert "信息项!F3" in refused.stderr
    assert load_workbook(marked)["信息项"]["F3"].comment is not None
