"""The command line: the same services, in words and as JSON, with the agreed exit codes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from datong.collect import cli
from datong.collect.contracts import BillUnreadable, ColumnsDiffer, RunBlocked
from datong.collect.tests.conftest import Office
from datong.kernel.failures import NotAllowed
from datong.testing.cast import PASSWORD, quick_passwords

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a command as the terminal does; a member's password comes from a private file."""
    secret = tmp_path / "password"
    secret.write_text(PASSWORD, encoding="utf-8")
    secret.chmod(0o600)
    monkeypatch.setenv("DATONG_PASSWORD_FILE", str(secret))
    app = typer.Typer()
    app.callback()(lambda: None)
    cli.register(app)

    def invoke(*arguments: str, exit_code: int = 0) -> str:
        with quick_passwords():
            result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == exit_code, result.output
        return result.stdout

    return invoke


def test_collect_show_and_quarantine(
    committing_office: Office, run: Callable[..., str], make_csv: Callable[..., bytes], tmp_path: Path
) -> None:
    office = committing_office
    file = tmp_path / "people.csv"
    file.write_bytes(make_csv("11010519491231002X,张三丰,1949-12-31,100", "1,坏,,", encoding="gb18030"))
    steward = f"{office.agency}.steward"
    told = json.loads(run("collect", office.resource_id, str(file), "--now", "--json", "--as", steward))
    names = ("rows_read", "rows_accepted", "rows_quarantined")
    assert [told[name] for name in names] == [2, 1, 1]
    assert told["encoding"] == "gb18030"
    shown = json.loads(run("run", "show", told["number"], "--json"))
    assert shown == told
    assert shown["score"]
    assert shown["version"]
    assert [entry["id"] for entry in json.loads(run("run", "list", "--json"))] == [told["id"]]
    words = run("run", "show", told["id"])
    assert "2 rows read = 1 accepted + 1 quarantined" in words
    rows = list(csv.reader(io.StringIO(run("quarantine", told["number"], "--as", steward))))
    assert rows[1][:3] == ["3", "id_number", "id_number.resident-id"]
    assert rows[1][4:6] == ["1", "坏"]
    assert "nothing new" in run("collect", office.resource_id, str(file), "--now", "--as", steward)


def test_failures_are_raised_for_the_edge(committing_office: Office, run: Callable[..., str], tmp_path: Path) -> None:
    office = committing_office
    file = tmp_path / "other.csv"
    file.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ColumnsDiffer):
        run("collect", office.resource_id, str(file), "--now", "--json")
    with pytest.raises(NotAllowed):
        run("collect", office.resource_id, str(file), "--now", "--as", f"{office.agency}.nobody")


def test_a_bill_a_mode_and_a_waiting_run(
    committing_office: Office, run: Callable[..., str], make_csv: Callable[..., bytes], tmp_path: Path
) -> None:
    office = committing_office
    file, bill = tmp_path / "people.csv", tmp_path / "people.bill.csv"
    file.write_bytes(make_csv("11010519491231002X,张三丰,1949-12-31,100"))
    bill.write_text("行数,,2\n合计,收入,100\n", encoding="utf-8")
    steward = f"{office.agency}.steward"
    with pytest.raises(RunBlocked) as waits:
        run("collect", office.resource_id, str(file), "--bill", str(bill), "--mode", "append", "--now", "--as", steward)
    number = waits.value.facts["run"]
    shown = json.loads(run("run", "show", number, "--json"))
    assert (shown["state"], shown["mode"], shown["bill"]["rows"]) == ("blocked", "append", 2)
    assert "rows: 2 billed, 1 found" in run("run", "show", number)
    given = ("collect", office.resource_id, str(file), "--bill", str(bill), "--mode", "append", "--now", "--json")
    waiting = json.loads(run(*given, "--as", steward, exit_code=1))
    assert (waiting["state"], waiting["blocks"][0]["kind"]) == ("blocked", "bill"), "one document, and not a success"
    run("run", "give-up", waiting["number"], "--reason", "重复提交", "--as", steward)
    done = json.loads(run("run", "resume", number, "--reason", "对方更正了账单", "--now", "--json", "--as", steward))
    assert (done["state"], done["written"]["inserted"]) == ("done", 1)
    assert run("run", "changes", number, "--as", steward).splitlines() == ["line,column,before,after"]
    with pytest.raises(BillUnreadable):
        run("collect", office.resource_id, str(file), "--bill", str(tmp_path / "none"), "--as", steward)
