"""A real process that commits versions: `python -m datong.lake.tests.child ACTION AGENCY …`; tests kill it.

commit AGENCY RUN ROWS    replaces the table's rows by ROWS numbered ones, as run RUN
merge AGENCY NAME TIMES   merges TIMES times one row of its own and one that all writers share
unlocked AGENCY NAME TIMES  the planted violation: reads, waits, writes back, without the table's lock
"""

from __future__ import annotations

import os
import sys
import time

import django
import duckdb


def write_unlocked(agency: str, count: int) -> None:
    from datong.kernel.config import load_settings
    from datong.lake.engine import get_lake
    from datong.lake.tables import qualify

    with get_lake(load_settings()).connect(agency) as connection:
        for _ in range(count):
            age = connection.execute(f"select age from {qualify('people')} where id = 'shared'").fetchall()[0][0]
            time.sleep(0.02)
            connection.execute(f"update {qualify('people')} set age = {age + 1} where id = 'shared'")


def main() -> None:
    if sys.argv[1] == "unlocked":
        write_unlocked(sys.argv[2], int(sys.argv[4]))
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "datong.app.control.settings")
    django.setup()
    from datong.kernel.ids import ResourceId, RunId
    from datong.lake.contracts import Counts
    from datong.lake.service import commit_version
    from datong.lake.tables import qualify, write_merge, write_replace
    from datong.lake.tests import helpers

    action, agency, name, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    target = helpers.make_target(agency)

    def replace_rows(connection: duckdb.DuckDBPyConnection, table: str) -> Counts:
        return write_replace(
            connection, table, f"select 'p' || i as id, 'n' as name, i as age from range({count}) r(i)"
        )

    def merge_rows(i: int) -> helpers.Plan:
        def write(connection: duckdb.DuckDBPyConnection, table: str) -> Counts:
            shared = f"(select age + 1 from {qualify(table)} where id = 'shared')"
            rows = f"('{name}-{i}', '{name}', 1), ('shared', 'all', {shared})"
            return write_merge(connection, table, f"select * from (values {rows}) as given(id, name, age)", key=["id"])

        return write

    if action == "commit":
        commit_version(RunId(name), ResourceId("people"), replace_rows, target=target)
    elif action == "merge":
        for i in range(count):
            commit_version(RunId(f"{name}-{i}"), ResourceId("people"), merge_rows(i), target=target)
    else:
        sys.exit(f"unknown action {action}")


if __name__ == "__main__":
    main()
