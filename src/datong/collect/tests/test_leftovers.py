"""What killed processes left is removed when it is old, and only then."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from datong.collect import scan
from datong.collect.leftovers import remove_left_work
from datong.kernel import clock
from datong.kernel.config import load_settings
from datong.kernel.limits import COLLECT_WORK_KEPT_S


def _age(path: Path, seconds: int) -> None:
    then = clock.now().timestamp() - seconds
    os.utime(path, (then, then))


def test_old_work_goes_and_new_work_stays(tmp_path: Path) -> None:
    settings = load_settings({"DATONG_HOME": str(tmp_path)})
    old, new, busy = (settings.landing_dir / ".work" / name for name in ("old", "new", "busy"))
    for folder in (old, new, busy):
        (folder / "spill").mkdir(parents=True)
        (folder / "spill" / "duckdb_temp").touch()
    part, landed = settings.landing_dir / "hrss" / ".part-1", settings.landing_dir / "hrss" / "0a1b"
    part.parent.mkdir()
    part.touch()
    landed.touch()
    for path in (old / "spill" / "duckdb_temp", old / "spill", old, busy / "spill", busy, part, landed):
        _age(path, COLLECT_WORK_KEPT_S + 60)
    assert remove_left_work(settings) == 2
    assert [path.exists() for path in (old, part, new, busy, landed)] == [False, False, True, True, True]


def test_a_check_begins_without_what_an_earlier_one_spilled(tmp_path: Path) -> None:
    (tmp_path / "spill").mkdir()
    (tmp_path / "spill" / "duckdb_temp").write_bytes(b"left")
    with scan.open_engine(tmp_path):
        assert not (tmp_path / "spill" / "duckdb_temp").exists()


def test_a_check_larger_than_its_memory_spills_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB encrypts what it spills only with an extension loaded, and stops the statement without it."""
    monkeypatch.setattr(scan, "COLLECT_MEMORY_MB", 100)
    with scan.open_engine(tmp_path) as engine:
        engine.execute("create temp table t as select hash(range)::varchar || hash(range + 1) as v from range(2500000)")
        assert any(path.stat().st_size for path in (tmp_path / "spill").iterdir())
        assert engine.execute("select current_setting('temp_file_encryption')").fetchall() == [(True,)]
        assert engine.execute("select count(*), count(v) from t").fetchall() == [(2_500_000, 2_500_000)]


def test_an_engine_without_the_extension_would_stop(tmp_path: Path) -> None:
    """The planted violation: the same statement in the same memory, httpfs left out."""
    with duckdb.connect(config={"memory_limit": "100MB", "temp_directory": str(tmp_path)}) as engine:
        engine.execute("set autoload_known_extensions = false")
        engine.execute("set temp_file_encryption = true")
        with pytest.raises(duckdb.Error, match="httpfs"):
            engine.execute(
                "create temp table t as select hash(range)::varchar || hash(range + 1) as v from range(2500000)"
            )
