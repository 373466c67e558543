"""The score tells caught from missed, sound from faulty, and another file's run from this one's."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from datong.app.cli.city import CityRefused, register
from datong.testing.city import CityReport
from datong.testing.city.score import CityUnreadable, score_quarantine

NAME = "psb_population"


def write_quarantine(path: Path, rows: dict[int, str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["line", "column", "rule", "reason"])
        writer.writerows([line, "", rule, ""] for line, rule in rows.items())
    return path


def lines_of(report: CityReport, kind: str) -> set[int]:
    wanted = (pc.field("resource") == NAME) & (pc.field("kind") == kind)
    rows: list[dict[str, Any]] = pq.read_table(report.out / "truth" / "labels.parquet", filters=wanted).to_pylist()
    lines = {row["line"] for row in rows}
    assert lines
    return lines


def sound_lines(report: CityReport) -> list[int]:
    wanted = pc.field("resource") == NAME
    rows: list[dict[str, Any]] = pq.read_table(report.out / "truth" / "rows.parquet", filters=wanted).to_pylist()
    labelled = set(pq.read_table(report.out / "truth" / "labels.parquet", filters=wanted).column("line").to_pylist())
    return [row["line"] for row in rows if row["line"] not in labelled]


def test_shares_are_those_of_the_quarantine(tmp_path: Path, usual: CityReport) -> None:
    missing, typos = lines_of(usual, "missing"), lines_of(usual, "homophone")
    sound = sound_lines(usual)
    rows = dict.fromkeys([*missing, *sorted(typos)[:2]], "name.required") | {
        sound[0]: "name.pattern",
        sound[1]: "id.unique",
    }
    found = score_quarantine(usual.out, NAME, [write_quarantine(tmp_path / "q.csv", rows)])
    kinds = {kind.kind: kind for kind in found.kinds}
    assert kinds["missing"].share == 1.0
    assert (kinds["homophone"].caught, kinds["homophone"].injected) == (2, len(typos))
    assert "not detectable" in kinds["homophone"].seen_by
    assert kinds["absent"].caught == 0
    assert kinds["absent"].injected == usual.copies[NAME].absent
    assert {kind: score.injected for kind, score in kinds.items()} == dict(usual.copies[NAME].faults)
    assert (found.sound, found.sound_refused, found.sound_beside) == (len(sound), 1, 1)
    assert found.refused == len(missing) + 4


def test_a_run_of_another_file_is_refused(tmp_path: Path, usual: CityReport) -> None:
    with pytest.raises(CityUnreadable, match="another file"):
        score_quarantine(usual.out, NAME, [write_quarantine(tmp_path / "q.csv", {10_000_000: "x"})])
    with pytest.raises(CityUnreadable, match="no rows"):
        score_quarantine(usual.out, "psb_cats", [write_quarantine(tmp_path / "r.csv", {})])
    (tmp_path / "s.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(CityUnreadable, match="no quarantine"):
        score_quarantine(usual.out, NAME, [tmp_path / "s.csv"])
    with pytest.raises(CityUnreadable, match="holds no city"):
        score_quarantine(tmp_path, NAME, [tmp_path / "q.csv"])


def test_the_commands_build_and_score(tmp_path: Path) -> None:
    app = typer.Typer()
    register(app)
    run = CliRunner().invoke
    built = run(app, ["city", "build", "--people", "300", "--dirt", "heavy", "--out", str(tmp_path / "city")])
    assert built.exit_code == 0, built.output
    assert "psb/psb_population.csv" in built.output
    quarantine = write_quarantine(tmp_path / "q.csv", {})
    command = ["city", "score", "--city", str(tmp_path / "city"), "--resource", NAME, "--quarantine", str(quarantine)]
    scored = run(app, command)
    assert scored.exit_code == 0, scored.output
    assert "not detectable by a single-table check" in scored.output
    told = run(app, [*command, "--json"])
    assert '"kinds"' in told.output


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    app = typer.Typer()
    register(app)
    built = CliRunner().invoke(app, ["city", "build", "--people", "10", "--out", str(tmp_path)])
    assert isinstance(built.exception, CityRefused)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
