"""A live PostgreSQL: everything, by cursor with ties and late rows, while rows are written, through broken lines."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from datong.collect.sources import service
from datong.collect.sources import sql as reading
from datong.collect.sources.contracts import (
    CursorUnusable,
    FetchState,
    QueryNotAllowed,
    SourceOptionsWrong,
    SourceRefused,
    SourceUnreachable,
)
from datong.collect.sources.tests.conftest import Desk, OtherDatabase, landed_text

MakeDesk = Callable[[str], Desk]


def make_table(other: OtherDatabase, name: str, rows: int = 0) -> None:
    with other.connect() as connection:
        connection.execute(f"drop table if exists {name}")
        connection.execute(
            f"create table {name} (reading_id bigint, station text not null, amount numeric, updated_at timestamptz, "
            "secret text)"
        )
        if rows:
            connection.execute(
                f"insert into {name} select n, '站,\"' || n, n / 8.0, "
                f"timestamptz '2026-01-01 00:00+08' + (n / 3) * interval '1 s' from generate_series(1, {rows}) n"
            )


def insert(other: OtherDatabase, name: str, *rows: tuple[Any, ...]) -> None:
    with other.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(f"insert into {name} values (%s, %s, %s, %s)", rows)


def test_everything_comes_exactly_and_no_more_than_the_contract_describes(
    desk_of: MakeDesk, other_database: OtherDatabase
) -> None:
    desk = desk_of("replace")
    make_table(other_database, "whole", 1000)
    source = desk.connect("postgres", other_database.options(table="whole"), {"password": other_database.password})
    report = service.test_source(desk.steward, source.id)
    assert (report.rows, report.missing, report.extra) == (1000, (), ("updated_at", "secret"))
    assert report.clock_skew_s is not None
    assert abs(report.clock_skew_s) < 60
    fetch = desk.fetch(source)
    assert fetch is not None
    assert (fetch.state, fetch.rows) == (FetchState.DONE, 1000)
    rows = desk.rows()
    assert [row["reading_id"] for row in rows] == list(range(1, 1001))
    assert rows[6]["station"] == '站,"7'
    run = desk.run_of(fetch)
    assert run.rows_quarantined == 0
    assert "secret" not in run.filename


def by_cursor(other: OtherDatabase, **more: str) -> dict[str, str]:
    return other.options(method="cursor", cursor="updated_at", **more)


@pytest.mark.parametrize("mode", [pytest.param("upsert", marks=pytest.mark.slow), "append"])
def test_rows_that_share_the_cursor_are_each_delivered_once(
    mode: str, desk_of: MakeDesk, other_database: OtherDatabase
) -> None:
    desk, table = desk_of(mode), f"ties_{mode}"
    make_table(other_database, table)
    moment = "2026-03-01 00:00:00.123456+08"
    source = desk.connect(
        "postgres", by_cursor(other_database, table=table, batch_rows="3"), {"password": other_database.password}
    )
    insert(other_database, table, *((n, "甲", n, moment) for n in range(5)))
    first = desk.fetch(source)
    assert first is not None
    assert first.rows == 5, "a batch never parts rows of equal value"
    insert(other_database, table, (5, "乙", 1, moment), (6, "乙", 1, moment))
    second = desk.fetch(source)
    assert second is not None
    assert second.rows == 2, "only those that had not come"
    assert [row["reading_id"] for row in desk.rows()] == list(range(7))
    assert desk.fetch(source) is None, "nothing new leaves no fetch"
    assert len(service.find_fetches(source.id)) == 2


def test_a_naive_cursor_loses_ties_and_is_caught(
    desk: Desk, other_database: OtherDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted violation: `>` alone, as most tools do it."""
    monkeypatch.setattr(reading, "_write_late_rows", lambda *_args, **_more: None)
    with pytest.raises(AssertionError):
        test_rows_that_share_the_cursor_are_each_delivered_once("upsert", lambda _mode: desk, other_database)


def test_late_rows_come_within_the_look_back(desk: Desk, other_database: OtherDatabase) -> None:
    make_table(other_database, "late")
    source = desk.connect(
        "postgres", by_cursor(other_database, table="late", look_back="60"), {"password": other_database.password}
    )
    insert(other_database, "late", (1, "甲", 1, "2026-03-01 00:01:00+08"), (2, "甲", 1, "2026-03-01 00:02:00+08"))
    desk.fetch(source)
    insert(other_database, "late", (3, "晚", 1, "2026-03-01 00:01:30+08"), (4, "太晚", 1, "2026-03-01 00:00:30+08"))
    fetch = desk.fetch(source)
    assert fetch is not None
    assert fetch.rows == 1
    assert [row["reading_id"] for row in desk.rows()] == [1, 2, 3], "4 came later than the look-back"


@pytest.mark.parametrize("mode", [pytest.param("upsert", marks=pytest.mark.slow), "append"])
def test_nothing_is_lost_or_doubled_while_rows_are_written(
    mode: str, desk_of: MakeDesk, other_database: OtherDatabase
) -> None:
    """Two writers whose transactions commit out of order: values are taken at the beginning, seen at the end."""
    desk, table, each = desk_of(mode), f"busy_{mode}", 100
    make_table(other_database, table)
    source = desk.connect(
        "postgres",
        by_cursor(other_database, table=table, batch_rows="50", look_back="30"),
        {"password": other_database.password},
    )

    pause = threading.Event()

    def write(begin: int) -> None:
        with other_database.connect() as connection:
            for n in range(begin, begin + each, 5):
                pause.wait(0.03)
                with connection.transaction():
                    for m in range(n, n + 5):
                        connection.execute(
                            f"insert into {table} values (%s, '站', 1, now() - (%s %% 7) * interval '1 s')", [m, m]
                        )

    writers = [threading.Thread(target=write, args=(begin,)) for begin in (0, each)]
    for writer in writers:
        writer.start()
    delivered = 0
    while any(writer.is_alive() for writer in writers):
        pause.wait(0.2)
        fetch = desk.fetch(source)
        delivered += (fetch.rows or 0) if fetch else 0
    while (fetch := desk.fetch(source)) is not None:
        delivered += fetch.rows or 0
    assert [row["reading_id"] for row in desk.rows()] == list(range(2 * each))
    assert delivered == 2 * each, "each row was sent once"


def test_a_broken_line_leaves_the_cursor_and_a_case_that_closes_itself(
    desk: Desk, other_database: OtherDatabase
) -> None:
    from datong.cases.service import find_waiting

    make_table(other_database, "broken", 20_000)
    source = desk.connect("postgres", by_cursor(other_database, table="broken"), {"password": other_database.password})
    other_database.relay.cut_after_bytes = 100_000
    try:
        for failures in (1, 2):
            fetch = desk.fetch(source)
            assert fetch is not None
            assert (fetch.state, (fetch.failure or {})["code"]) == (FetchState.FAILED, "source-unreachable")
            assert service.get_source(source.id).failures_in_row == failures
            assert service.get_source(source.id).cursor == {}
            assert [case.kind for case in find_waiting(desk.steward)] == ["source-failed"], "one case, not one a try"
    finally:
        other_database.relay.cut_after_bytes = None
    fetch = desk.fetch(source)
    assert fetch is not None
    assert fetch.rows == 20_000
    assert find_waiting(desk.steward) == []
    assert len(desk.rows()) == 20_000


def test_a_run_that_refuses_the_batch_keeps_the_cursor(desk: Desk, other_database: OtherDatabase) -> None:
    with other_database.connect() as connection:
        connection.execute("drop table if exists refused")
        connection.execute("create table refused (reading_id bigint, updated_at timestamptz default now())")
        connection.execute("insert into refused values (1)")
    source = desk.connect("postgres", by_cursor(other_database, table="refused"), {"password": other_database.password})
    fetch = desk.fetch(source)
    assert fetch is not None
    assert (fetch.state, (fetch.failure or {})["code"]) == (FetchState.FAILED, "columns-differ")
    assert service.get_source(source.id).cursor == {}
    with other_database.connect() as connection:
        connection.execute("alter table refused add station text default '甲', add amount numeric")
    fetch = desk.fetch(source)
    assert fetch is not None
    assert fetch.state is FetchState.DONE
    assert [row["reading_id"] for row in desk.rows()] == [1]


def test_rows_that_all_went_to_quarantine_do_not_hold_the_cursor_up(desk: Desk, other_database: OtherDatabase) -> None:
    make_table(other_database, "bad_rows")
    source = desk.connect(
        "postgres", by_cursor(other_database, table="bad_rows"), {"password": other_database.password}
    )
    insert(other_database, "bad_rows", (None, "甲", 1, "2026-03-01 00:00+08"))
    fetch = desk.fetch(source)
    assert fetch is not None
    assert (fetch.failure or {})["code"] == "all-quarantined"
    insert(other_database, "bad_rows", (2, "甲", 1, "2026-03-02 00:00+08"))
    fetch = desk.fetch(source)
    assert fetch is not None
    assert (fetch.state, fetch.rows) == (FetchState.DONE, 1)


def test_a_table_that_is_replaced_has_no_cursor(quiet_desk_of: MakeDesk, other_database: OtherDatabase) -> None:
    with pytest.raises(CursorUnusable, match="replaces the whole table"):
        quiet_desk_of("replace").connect("postgres", by_cursor(other_database, table="nulls"))


def test_what_cannot_carry_a_cursor_is_refused(quiet_desk: Desk, other_database: OtherDatabase) -> None:
    make_table(other_database, "nulls", 3)
    with other_database.connect() as connection:
        connection.execute("insert into nulls values (9, '甲', 1, null)")
    secrets = {"password": other_database.password}
    source = quiet_desk.connect("postgres", by_cursor(other_database, table="nulls"), secrets)
    with pytest.raises(CursorUnusable, match="have no updated_at"):
        service.test_source(quiet_desk.steward, source.id)
    no_column = quiet_desk.connect(
        "postgres", {**by_cursor(other_database, table="nulls"), "cursor": "nosuch"}, secrets
    )
    with pytest.raises(CursorUnusable, match="no column nosuch"):
        service.test_source(quiet_desk.steward, no_column.id)


@pytest.mark.parametrize(
    "query",
    [
        "delete from whole",
        "select 1; select 2",
        "select 1;",
        "with gone as (delete from whole returning *) select * from gone",
        "select * into other from whole",
        "select * from whole for update",
        "copy whole to stdout",
        "select from from",
        "set role postgres",
    ],
)
def test_only_one_select(query: str, quiet_desk: Desk, other_database: OtherDatabase) -> None:
    with pytest.raises(QueryNotAllowed):
        quiet_desk.connect("postgres", other_database.options(query=query))


def test_a_query_with_union_and_comment_works(quiet_desk_of: MakeDesk, other_database: OtherDatabase) -> None:
    desk = quiet_desk_of("replace")
    query = "select 1 as reading_id, '甲' as station, 2.50::numeric as amount union all select 2, '乙', null -- two"
    source = desk.connect("postgres", other_database.options(query=query), {"password": other_database.password})
    fetch = desk.land(source)
    assert fetch is not None
    assert landed_text(desk, fetch.run_number) == "reading_id,station,amount\n1,甲,2.50\n2,乙,\n"


def test_writing_through_a_function_is_refused_by_the_transaction(
    quiet_desk: Desk, other_database: OtherDatabase
) -> None:
    with other_database.connect() as connection:
        connection.execute("create table if not exists notes (t text)")
        connection.execute(
            "create or replace function sneak() returns int language sql "
            "as $$ insert into notes values ('x') returning 1 $$"
        )
    source = quiet_desk.connect(
        "postgres",
        other_database.options(query="select sneak() as reading_id, '甲' as station, 1 as amount"),
        {"password": other_database.password},
    )
    fetch = quiet_desk.land(source)
    assert fetch is not None
    assert "read-only" in (fetch.failure or {})["hint"]
    with other_database.connect() as connection:
        assert connection.execute("select count(*) from notes").fetchone() == (0,)


def test_refusals_say_what_is_wrong_and_show_no_password(quiet_desk: Desk, other_database: OtherDatabase) -> None:
    wrong = quiet_desk.connect("postgres", other_database.options(table="whole"), {"password": "falsch-und-geheim"})
    with pytest.raises((SourceRefused, SourceUnreachable)) as refused:
        service.test_source(quiet_desk.steward, wrong.id)
    assert "falsch" not in repr(refused.value.as_problem()) + refused.value.private
    strict = quiet_desk.connect("postgres", {**other_database.options(table="whole"), "tls": "verify"})
    with pytest.raises(SourceRefused, match="no TLS"):
        service.test_source(quiet_desk.steward, strict.id)
    right = quiet_desk.connect(
        "postgres", other_database.options(table="no_such_table"), {"password": other_database.password}
    )
    with pytest.raises(SourceRefused, match="no_such_table"):
        service.test_source(quiet_desk.steward, right.id)
    with pytest.raises(SourceOptionsWrong):
        quiet_desk.connect("postgres", other_database.options(table="a; drop table b"))
