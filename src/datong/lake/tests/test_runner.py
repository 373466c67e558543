"""SQL of others: pinned, fenced in, and killed at its limits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from datong.kernel.config import load_settings
from datong.kernel.failures import TooMany
from datong.kernel.ids import ResourceId
from datong.lake import runner
from datong.lake.allowlist import check_query
from datong.lake.contracts import QueryFailed, QueryRefused, QueryTooLarge, QueryTooLong, VersionView
from datong.lake.runner import PinnedTable, RunLimits, run_query
from datong.lake.service import commit_version
from datong.lake.tests.helpers import make_target, new_agency, new_run, replacing

PEOPLE_ID = ResourceId("people")
ENDLESS = "with recursive n as (select 1 as i union all select i + 1 from n where i < 1e15) select max(i) from n"


@pytest.fixture
def versions(transactional_db: None) -> tuple[VersionView, VersionView]:
    target = make_target(new_agency())
    first = commit_version(new_run(), PEOPLE_ID, replacing("('a', 'x', 1), ('b', 'y', 2)"), target=target)
    return first, commit_version(new_run(), PEOPLE_ID, replacing("('c', 'z', 3)"), target=target)


def pin(version: VersionView, *columns: str) -> PinnedTable:
    return PinnedTable(agency=version.agency, table=version.table, snapshot=version.snapshot, columns=columns)


def ask(query: str, tables: dict[str, PinnedTable], **options: object) -> list[dict[str, object]]:
    with run_query(load_settings(), query, tables, **options) as reader:  # type: ignore[arg-type]
        return reader.read_all().to_pylist()


def test_a_query_sees_its_version_and_its_columns(versions: tuple[VersionView, VersionView]) -> None:
    first, second = versions
    tables = {"earlier": pin(first, "id", "age"), "now": pin(second)}
    assert ask("select id, age from earlier order by id", tables) == [{"id": "a", "age": 1}, {"id": "b", "age": 2}]
    assert ask("select name from now", tables) == [{"name": "z"}]
    assert ask("select count(*) as n from earlier where age > $least", tables, parameters={"least": 1}) == [{"n": 1}]
    with pytest.raises(QueryFailed) as caught:
        ask("select name from earlier", tables)
    assert "name" in caught.value.facts["said"]


def test_two_agencies_meet_in_one_query(versions: tuple[VersionView, VersionView]) -> None:
    other = commit_version(
        new_run(), ResourceId("others"), replacing("('a', 'q', 7)"), target=make_target(new_agency(), "others")
    )
    tables = {"ours": pin(versions[0]), "theirs": pin(other)}
    assert ask("select theirs.age from ours join theirs using (id)", tables) == [{"age": 7}]


def test_a_query_that_runs_too_long_is_killed(versions: tuple[VersionView, VersionView]) -> None:
    with pytest.raises(QueryTooLong) as caught:
        ask(ENDLESS, {"people": pin(versions[0])}, limits=RunLimits(query_s=2))
    assert caught.value.facts["limit_s"] == 2
    assert find_children() == []


def test_the_kill_is_needed(versions: tuple[VersionView, VersionView], monkeypatch: pytest.MonkeyPatch) -> None:
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
        ask(ENDLESS, {"people": pin(versions[0])}, limits=RunLimits(query_s=1))
    watcher.join()
    assert len(seen[0]) == 1


@pytest.mark.parametrize(
    "query",
    [
        "select max(len(l)) from (select i, list(j) as l from range(20000) a(i), range(2000) b(j) group by i)",
        "select max(length(repeat('x', 1000000000) || id)) from people",
    ],
)
def test_a_query_that_takes_too_much_memory_ends(versions: tuple[VersionView, VersionView], query: str) -> None:
    with pytest.raises(QueryTooLarge):
        ask(query, {"people": pin(versions[0])}, limits=RunLimits(memory_mib=64, temp_mib=1, query_s=30))


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


def test_an_answer_that_is_too_large_is_not_cut_short(versions: tuple[VersionView, VersionView]) -> None:
    with pytest.raises(QueryTooLarge) as caught:
        ask("select i from range(1000000) r(i)", {"people": pin(versions[0])}, limits=RunLimits(result_bytes=1_000_000))
    assert caught.value.facts["limit_bytes"] == 1_000_000


def test_leaving_early_ends_the_process(versions: tuple[VersionView, VersionView]) -> None:
    with run_query(load_settings(), "select i from range(100000000) r(i)", {"people": pin(versions[0])}) as reader:
        assert reader.read_next_batch().num_rows > 0
        assert len(find_children()) == 1
    assert find_children() == []
    assert not list((load_settings().lake_dir / ".tmp").glob("runner-*/*"))


def test_the_host_has_so_many_places(
    versions: tuple[VersionView, VersionView], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "RUNNER_PROCESSES_MAX", 1)
    monkeypatch.setattr(runner, "RUNNER_WAIT_S_MAX", 0.2)
    tables = {"people": pin(versions[0])}
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


def test_behind_the_list_duckdb_itself_is_locked(
    versions: tuple[VersionView, VersionView], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the list switched off, files, settings and other databases stay out of reach."""
    monkeypatch.setattr(runner, "check_query", lambda query, tables: None)
    secret = tmp_path / "secret.txt"
    secret.write_text("x")
    for query in (
        f"select * from read_text('{secret}')",
        "set threads = 9",
        f"attach '{tmp_path}/other.db'",
        f"copy (select 1) to '{tmp_path}/out.csv'",
        "install spatial",
        f"delete from lake_{versions[0].agency}.main.people",
    ):
        with pytest.raises(QueryFailed):
            ask(query, {"people": pin(versions[0])})
    assert [file.name for file in tmp_path.iterdir()] == ["secret.txt"]


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
