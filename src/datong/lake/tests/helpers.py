"""What the lake's tests share: targets, writers, and the judgement of a table after a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import duckdb
import psycopg

from datong.kernel import ids
from datong.kernel.config import load_settings
from datong.kernel.ids import ResourceId, RunId
from datong.lake.contracts import Counts, VersionView
from datong.lake.engine import Lake, catalogue_schema, get_lake
from datong.lake.service import Target, Write
from datong.lake.snapshots import find_run
from datong.lake.store.models import Commit, Version
from datong.lake.tables import at_snapshot, columns_of, write_merge, write_replace

PEOPLE = (("id", "string"), ("name", "string"), ("age", "integer"))


def new_agency() -> str:
    """A catalogue of the test's own: the lake's files outlive the test's database."""
    return "t" + ids.random_bytes(6).hex()


def make_target(agency: str, table: str = "people", columns: tuple[tuple[str, str], ...] = PEOPLE) -> Target:
    return Target(
        resource_id=ResourceId(table), agency=agency, agency_id=None, table=table, columns=columns_of(columns)
    )


def new_run() -> RunId:
    return RunId(ids.new_id("run"))


def replacing(rows: str) -> Write:
    """A writer that puts these rows (a `values` list) in the place of all."""
    source = f"select * from (values {rows}) as given(id, name, age)"
    return lambda connection, table: write_replace(connection, table, source)


def merging(rows: str, *, limit: int = 1000) -> Write:
    source = f"select * from (values {rows}) as given(id, name, age) limit {limit}"
    return lambda connection, table: write_merge(connection, table, source, key=["id"])


def lake() -> Lake:
    return get_lake(load_settings())


def read_rows(version: VersionView) -> list[tuple[object, ...]]:
    with lake().connect(version.agency) as connection:
        relation = at_snapshot(version.table, version.snapshot)
        return connection.execute(f"select * from {relation} order by id").fetchall()


def find_inlined_rows(agency: str) -> int:
    """Rows that DuckLake keeps in PostgreSQL, in clear, instead of in encrypted files."""
    schema = catalogue_schema(agency)
    with psycopg.connect(lake().address.reveal()) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables where table_schema = %s and table_name like %s",
            [schema, "ducklake_inlined_data%"],
        ).fetchall()
        names = [name for (name,) in tables if name != "ducklake_inlined_data_tables"]
        counts = [connection.execute(f'select count(*) from "{schema}"."{name}"').fetchone() for name in names]
    return sum(count[0] for count in counts if count is not None)


@dataclass(kw_only=True)
class Damage:
    """What an inspection after a crash found wrong."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    half_visible: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.half_visible)


def inspect(connection: duckdb.DuckDBPyConnection, agency: str, table: str) -> Damage:
    """Compare the lake with PostgreSQL: each run is one snapshot and one version, or neither."""
    damage = Damage()
    extras = connection.execute(
        "select json_extract_string(commit_extra_info, '$.run') as run, count(*) from lake.snapshots() "
        "where commit_extra_info is not null group by all"
    ).fetchall()
    in_lake = dict(extras)
    commits = {commit.run_id: commit for commit in Commit.objects.filter(agency=agency, table=table)}
    versions = list(Version.objects.filter(agency=agency, table=table))
    in_versions = {version.run_id for version in versions}
    damage.doubled += [run for run, count in in_lake.items() if count != 1]
    damage.lost += [run for run in in_lake if run not in in_versions]
    damage.half_visible += [run for run in in_versions if run not in in_lake]
    damage.half_visible += [run for run, commit in commits.items() if commit.state == "committing"]
    if len({version.snapshot for version in versions}) != len(versions):
        damage.doubled.append("two versions of one snapshot")
    for version in versions:
        found = find_run(connection, version.run_id, after=-1)
        if found is None or found.snapshot != version.snapshot:
            damage.lost.append(f"{version.run_id} does not point at its snapshot")
            continue
        count = connection.execute(f"select count(*) from {at_snapshot(table, version.snapshot)}").fetchall()[0][0]
        if count != version.rows_count:
            damage.half_visible.append(f"{version.run_id} says {version.rows_count} rows and has {count}")
    return damage


Plan = Callable[[duckdb.DuckDBPyConnection, str], Counts]
