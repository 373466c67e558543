"""The lake's files are unreadable without their keys, its rows are not in PostgreSQL, its password in no text."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg.conninfo import conninfo_to_dict

from datong.kernel.config import Secret, load_settings
from datong.kernel.failures import BadInput
from datong.lake import engine
from datong.lake.contracts import LakeUnavailable
from datong.lake.engine import EXTENSIONS, Lake, find_extension, get_lake, quote_text
from datong.lake.tests.helpers import find_inlined_rows, new_agency

pytestmark = pytest.mark.usefixtures("database_url")


def write_table(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create table lake.main.people as select 'p' || i as id, '张三' as name from range(5) r(i)")
    connection.execute("insert into lake.main.people values ('p9', '李四')")


def attach_carelessly(agency: str, *, options: str = "") -> duckdb.DuckDBPyConnection:
    """The planted violation: DuckLake as it comes, neither encrypted nor kept from inlining."""
    lake = get_lake(load_settings())
    connection = duckdb.connect()
    for name in EXTENSIONS:
        connection.execute(f"load {quote_text(str(find_extension(name)))}")
    connection.execute(
        f"attach {quote_text('ducklake:postgres:' + lake.address.reveal())} as lake "
        f"(data_path {quote_text(f'{lake.data_dir(agency)}/')}, metadata_schema 'lake_{agency}'{options})"
    )
    return connection


def find_readable_files(folder: Path, copies: Path) -> list[str]:
    """Data files that anybody reads who has copied the folder, with DuckDB or with pyarrow."""
    files = sorted(folder.rglob("*.parquet"))
    assert files, "no data file was written: nothing was tried"
    readable = []
    for file in files:
        copy = Path(shutil.copy(file, copies / file.name))
        try:
            duckdb.connect().execute(f"select * from read_parquet({quote_text(str(copy))})").fetchall()
            readable.append(file.name)
        except duckdb.Error:
            pass
        try:
            pq.read_table(copy)
            readable.append(file.name)
        except (pa.ArrowInvalid, OSError):
            pass
        if b"\xe5\xbc\xa0\xe4\xb8\x89" in copy.read_bytes():
            readable.append(file.name)
    return readable


def test_a_copied_data_file_is_unreadable(tmp_path: Path) -> None:
    agency, lake = new_agency(), get_lake(load_settings())
    with lake.connect(agency) as connection:
        write_table(connection)
    assert find_readable_files(lake.data_dir(agency), tmp_path) == []


def test_an_unencrypted_catalogue_is_caught(tmp_path: Path) -> None:
    agency = new_agency()
    with attach_carelessly(agency, options=", data_inlining_row_limit 0") as connection:
        write_table(connection)
    assert find_readable_files(get_lake(load_settings()).data_dir(agency), tmp_path)


def test_postgres_has_no_inlined_rows() -> None:
    agency = new_agency()
    with get_lake(load_settings()).connect(agency) as connection:
        write_table(connection)
        connection.execute("delete from lake.main.people where id = 'p1'")
    assert find_inlined_rows(agency) == 0


def test_inlined_rows_are_caught() -> None:
    agency = new_agency()
    with attach_carelessly(agency) as connection:
        write_table(connection)
    assert find_inlined_rows(agency) > 0


def test_inlining_stays_off_for_whoever_attaches_later() -> None:
    """The option is in the catalogue, not only in our attach statement."""
    agency = new_agency()
    with get_lake(load_settings()).connect(agency) as connection:
        write_table(connection)
    with attach_carelessly(agency) as connection:
        connection.execute("insert into lake.main.people values ('p10', '王五')")
    assert find_inlined_rows(agency) == 0


def test_no_extension_loads_or_installs_by_itself() -> None:
    with get_lake(load_settings()).connect(new_agency()) as connection:
        for option in ("autoload_known_extensions", "autoinstall_known_extensions", "allow_community_extensions"):
            assert connection.execute(f"select current_setting('{option}')").fetchall() == [(False,)]
        with pytest.raises(duckdb.Error):
            connection.execute("select st_point(1, 2)")


def test_the_password_is_in_no_text() -> None:
    lake = get_lake(load_settings())
    password = conninfo_to_dict(lake.address.reveal())["password"]
    assert password
    with lake.connect(new_agency()) as connection:
        shown = repr(connection.execute("from duckdb_secrets()").fetchall())
        shown += repr(connection.execute("from duckdb_databases()").fetchall())
        shown += repr(connection.execute("select * from lake.options()").fetchall())
    assert str(password) not in shown


def test_a_failing_attach_says_nothing_secret() -> None:
    settings = load_settings()
    lake = Lake(settings, Secret("postgresql://datong:geheim@/nowhere?host=/nonexistent"))
    with pytest.raises(LakeUnavailable) as caught:
        lake.connect(new_agency())
    assert (
        "geheim" not in f"{caught.value!r} {caught.value.private} {caught.value.as_problem()} {caught.value.__cause__}"
    )


def test_cursors_are_separate_and_folders_private() -> None:
    agency, lake = new_agency(), get_lake(load_settings())
    with lake.connect(agency) as one, lake.connect(agency) as other:
        write_table(one)
        one.execute("begin")
        one.execute("delete from lake.main.people")
        assert other.execute("select count(*) from lake.main.people").fetchall() == [(6,)]
        one.execute("rollback")
    for folder in (lake.settings.lake_dir, lake.data_dir(agency)):
        assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("agency", ["", "A", "a-b", "../x", "a'; drop schema public; --", "x" * 41])
def test_an_agency_is_a_plain_code(agency: str) -> None:
    with pytest.raises(BadInput):
        get_lake(load_settings()).connect(agency)


def test_an_instance_put_aside_still_serves_its_cursors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "LAKE_AGENCIES_OPEN_MAX", 1)
    lake = get_lake(load_settings())
    with lake.connect(new_agency()) as early:
        write_table(early)
        early.execute("begin")
        early.execute("delete from lake.main.people where id = 'p1'")
        with lake.connect(new_agency()):
            assert len(lake._open) == 1
        early.execute("commit")
        assert early.execute("select count(*) from lake.main.people").fetchall() == [(5,)]
