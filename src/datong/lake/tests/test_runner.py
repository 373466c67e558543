"""SQL of others: pinned, fenced in, and killed at its limits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import duckdb
import pytest

from datong.kernel.config import Secret, load_settings, make_private_dir
from datong.kernel.failures import TooMany
from datong.lake import runner
from datong.lake.allowlist import check_query
from datong.lake.contracts import QueryFailed, QueryRefused, QueryTooLarge, QueryTooLong
from datong.lake.engine import get_lake
from datong.lake.runner import PinnedTable, RunLimits, run_query
from datong.lake.runner_child import open_tables
from datong.lake.snapshots import read_current_snapshot
from datong.lake.tables import columns_of, ensure_table, write_replace
from datong.lake.tests.helpers import PEOPLE, new_agency

ENDLESS = "with recursive n as (select 1 as i union all select i + 1 from n where i < 1e15) select max(i) from n"


@dataclass(frozen=True)
class Pinned:
    """Two states of one table, and a table of another agency."""

    earlier: PinnedTable
    now: PinnedTable
    other: PinnedTable


@pytest.fixture(scope="module")
def pinned(database_url: Secret) -> Pinned:
    rows = {"earlier": "('a', 'x', 1), ('b', 'y', 2)", "now": "('c', 'z', 3)", "other": "('a', 'q', 7)"}
    own, foreign = new_agency(), new_agency()
    tables = {}
    for name, agency in (("earlier", own), ("now", own), ("other", foreign)):
        with get_lake(load_settings()).connect(agency) as connection:
            connection.execute("begin")
            ensure_table(connection, "people", columns_of(PEOPLE))
            write_replace(connection, "people", f"select * from (values {rows[name]}) as given(id, name, age)")
            connection.execute("commit")
            tables[name] = PinnedTable(agency=agency, table="people", snapshot=read_current_snapshot(connection))
    return Pinned(**tables)


def ask(query: str, tables: dict[str, PinnedTable], **options: object) -> list[dict[str, object]]:
    with run_query(load_settings(), query, tables, **options) as reader:  # type: ignore[arg-type]
        return reader.read_all().to_pylist()


def test_a_query_sees_its_version_and_its_columns(pinned: Pinned) -> None:
    tables = {"earlier": replace(pinned.earlier, columns=("id", "age")), "now": pinned.now}
    assert ask("select id, age from earlier order by id", tables) == [{"id": "a", "age": 1}, {"id": "b", "age": 2}]
    assert ask("select name from now", tables) == [{"name": "z"}]
    assert ask("select count(*) as n from earlier where age > $least", tables, parameters={"least": 1}) == [{"n": 1}]
    with pytest.raises(QueryFailed) as caught:
        ask("select name from earlier", tables)
    assert "name" in caught.value.facts["said"]


def test_two_agencies_meet_in_one_query(pinned: Pinned) -> None:
    tables = {"ours": pinned.earlier, "theirs": pinned.other}
    assert ask("select theirs.age from ours join theirs using (id)", tables) == [{"age": 7}]


def test_a_query_that_runs_too_long_is_killed(pinned: Pinned) -> None:
    with pytest.raises(QueryTooLong) as caught:
        ask(ENDLESS, {"people": pinned.earlier}, limits=RunLimits(query_s=2))
    assert caught.value.facts["limit_s"] == 2
    assert find_children() == []


def test_the_kill_is_needed(pinned: Pinned, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted violation: a runner whose clock does not kill still has the child when the time is over."""
    monkeypatch.setattr(runner._Run, "expire", lambda run: None)
    seen: list[list[int]] = []

    def look_and_end() -> None:
        time.sleep(3)
        seen.append(find_children())
        for pid in seen[0]:
            os.kill(pid, signal.SIGKILL)

    watcher = threading.Thread(target=look_and_end)
    watcher.start()
    with pytest.raises(QueryTooLarge):
        ask(ENDLESS, {"people": pinned.earlier}, limits=RunLimits(query_s=1))
    watcher.join()
    assert len(seen[0]) == 1


@pytest.mark.parametrize(
    "query",
    [
        "select max(len(l)) from (select i, list(j) as l from range(20000) a(i), range(2000) b(j) group by i)",
        "select max(length(repeat('x', 1000000000) || id)) from people",
    ],
)
def test_a_query_that_takes_too_much_memory_ends(pinned: Pinned, query: str) -> None:
    with pytest.raises(QueryTooLarge):
        ask(query, {"people": pinned.earlier}, limits=RunLimits(memory_mib=64, temp_mib=1, query_s=30))


def test_the_kernels_limit_stands_behind_duckdbs() -> None:
    """Where DuckDB's own accounting fails, the process is refused memory instead of the host."""
    code = (
        "from datong.lake.runner_child import limit_process\n"
        "limit_process({'memory_mib': 64, 'query_s': 5, 'threads': 1})\n"
        "try: bytearray(3 * 1024 ** 3)\n"
        "except MemoryError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.stdout.strip() == "refused"


def test_an_answer_that_is_too_large_is_not_cut_short(pinned: Pinned) -> None:
    with pytest.raises(QueryTooLarge) as caught:
        ask("select i from range(1000000) r(i)", {"people": pinned.earlier}, limits=RunLimits(result_bytes=1_000_000))
    assert caught.value.facts["limit_bytes"] == 1_000_000


def test_leaving_early_ends_the_process(pinned: Pinned) -> None:
    with run_query(load_settings(), "select i from range(100000000) r(i)", {"people": pinned.earlier}) as reader:
        assert reader.read_next_batch().num_rows > 0
        assert len(find_children()) == 1
    assert find_children() == []
    assert not list((load_settings().lake_dir / ".tmp").glob("runner-*/*"))


def test_the_host_has_so_many_places(pinned: Pinned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "RUNNER_PROCESSES_MAX", 1)
    monkeypatch.setattr(runner, "RUNNER_WAIT_S_MAX", 0.2)
    tables = {"people": pinned.earlier}
    with run_query(load_settings(), "select 1 as n", tables), pytest.raises(TooMany):
        ask("select 1 as n", tables)
    assert ask("select 1 as n", tables) == [{"n": 1}]


REFUSED = [
    "select * from lake.main.people",
    "select * from main.people",
    "select * from other",
    "select * from '/etc/passwd'",
    "select * from 'people.csv'",
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from glob('/*')",
    "select * from duckdb_secrets()",
    "select * from duckdb_tables",
    "select * from sqlite_master",
    "select * from information_schema.tables",
    "select * from ducklake_list_files('lake', 'people')",
    "select * from query('select 1')",
    "select * from query_table('people')",
    "select * from people at (version => 1)",
    "describe people",
    "show tables",
    "summarize people",
    "from pragma_version()",
    "select current_setting('temp_directory')",
    "select getvariable('x')",
    "select id from people where id = current_database()",
    "select (select content from read_text('/etc/passwd'))",
    "select id from people where id in (select secret from duckdb_secrets())",
    "select id from people order by (select count(*) from duckdb_settings())",
    "with duckdb_tables as (select * from duckdb_tables) select * from duckdb_tables",
    "select * from (with duckdb_tables as (select 1) select 1), duckdb_tables",
    "with recursive x as (select * from x union all select * from x) select * from x",
    "with x as (from read_csv('/etc/passwd')) select * from x",
    "select * from people union all select * from pg_class",
    "select * from people, lateral (select * from duckdb_views) v",
    "pivot people on (select name from duckdb_settings() limit 1) using count(*)",
    "select 1; select 2",
    "copy people to '/tmp/x.csv'",
    "attach '/tmp/x.db'",
    "set threads = 9",
    "install httpfs",
    "call lake.set_option('x', 1)",
    "create table x as select 1",
    "selekt 1",
    "",
]
ALLOWED = [
    "select * from people",
    "from PEOPLE",
    'select p.id, count(*) over (partition by name) from "people" as p qualify true',
    "with x as (select id from people), y as (select * from x) select * from x join y using (id)",
    "with recursive n as (select 1 as i union all select i + 1 from n where i < 5) select * from n",
    "select * from (values (1), (2)) v(i), range(3) r(j), unnest([1, 2]) u(k)",
    "select list_transform([1, 2], lambda x: x + 1), sum(age) filter (where age > 1) from people group by all",
    "select id from people union all select name from people order by 1 limit 3",
    "select * from people where exists (select 1 from people as other where other.id = people.id)",
]


@pytest.mark.parametrize("query", REFUSED)
def test_what_reaches_elsewhere_is_refused(query: str) -> None:
    with pytest.raises(QueryRefused):
        check_query(query, ["people"])


@pytest.mark.parametrize("query", ALLOWED)
def test_what_computes_is_allowed(query: str) -> None:
    check_query(query, ["people"])


def test_behind_the_list_duckdb_itself_is_locked(pinned: Pinned, tmp_path: Path) -> None:
    """With the list out of the way, files, settings and other databases stay out of reach."""
    settings = load_settings()
    limits = {"memory_mib": 256, "temp_mib": 1, "threads": 1}
    job = {
        "tables": {"people": asdict(pinned.earlier)},
        "limits": limits,
        "address": get_lake(settings).address.reveal(),
    }
    secret = tmp_path / "secret.txt"
    secret.write_text("x")
    with open_tables(settings, job, make_private_dir(tmp_path / "temp")) as connection:
        assert connection.execute("select count(*) from people").fetchall() == [(2,)]
        for query in (
            f"select * from read_text('{secret}')",
            "set threads = 9",
            "set enable_external_access = true",
            f"attach '{tmp_path}/other.db'",
            f"copy (select 1) to '{tmp_path}/out.csv'",
            "install spatial",
            f"delete from lake_{pinned.earlier.agency}.main.people",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(query)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["secret.txt", "temp"]


def find_children() -> list[int]:
    """Runner processes that this test process started and that still live."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                is_ours = stat[1] == str(os.getpid()) and stat[0] not in "ZX"
                if is_ours and b"datong.lake.runner_child" in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
