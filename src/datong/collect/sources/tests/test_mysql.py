"""A live MariaDB: exact texts of every type, ties, and nothing lost while rows are written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from datong.collect.sources import service
from datong.collect.sources import sql as reading
from datong.collect.sources.contracts import FetchState, QueryNotAllowed, SourceRefused
from datong.collect.sources.tests.conftest import Desk, landed_text
from datong.collect.sources.tests.servers import MariaDb, in_thread, run_mariadb

MakeDesk = Callable[[str], Desk]


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    with run_mariadb(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


def run(server: MariaDb, *statements: str) -> None:
    with server.connect() as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def make_table(server: MariaDb, name: str) -> None:
    run(
        server,
        f"drop table if exists {name}",
        f"create table {name} (reading_id bigint, station varchar(60), amount decimal(20,6), updated_at datetime(6))",
    )


def connect(desk: Desk, server: MariaDb, **more: str) -> object:
    return desk.connect("mysql", server.options(**more), {"password": server.password})


def test_every_type_arrives_as_exact_text(quiet_desk_of: MakeDesk, mariadb: MariaDb) -> None:
    desk = quiet_desk_of("replace")
    query = (
        "select cast(1 as unsigned) as reading_id, '引号\" 逗号, 反斜杠\\\\ \\n行😀' as station, "
        "cast(12345678901234567890.123456 as decimal(30,6)) as amount"
    )
    source = desk.connect("mysql", mariadb.options(query=query), {"password": mariadb.password})
    report = service.test_source(desk.steward, source.id)
    assert "MariaDB" in report.product
    assert (report.rows, report.missing) == (1, ())
    fetch = desk.land(source)
    assert fetch is not None
    assert landed_text(desk, fetch.run_number) == (
        'reading_id,station,amount\n1,"引号"" 逗号, 反斜杠\\ \n行😀",12345678901234567890.123456\n'
    )


def test_floats_and_bytes_keep_their_values(quiet_desk_of: MakeDesk, mariadb: MariaDb) -> None:
    desk = quiet_desk_of("replace")
    run(
        mariadb,
        "drop table if exists inexact",
        "create table inexact (reading_id int, amount float, station blob)",
        "insert into inexact values (1, 16777217.0, x'00ff'), (2, 0.1, 'a'), (3, 1234567.9, null)",
    )
    fetch = desk.land(desk.connect("mysql", mariadb.options(table="inexact"), {"password": mariadb.password}))
    assert fetch is not None
    lines = landed_text(desk, fetch.run_number).splitlines()
    assert lines == ["reading_id,amount,station", r"1,16777216,\x00ff", r"2,0.1,\x61", "3,1234567.9,"]


@pytest.mark.parametrize("mode", ["append"])
def test_rows_that_share_the_cursor_are_each_delivered_once(mode: str, desk_of: MakeDesk, mariadb: MariaDb) -> None:
    desk = desk_of(mode)
    make_table(mariadb, "ties")
    options = mariadb.options(table="ties", method="cursor", cursor="updated_at", batch_rows="2")
    source = desk.connect("mysql", options, {"password": mariadb.password})
    moment = "2026-03-01 00:00:00.123456"
    run(mariadb, *(f"insert into ties values ({n}, '甲', {n}, '{moment}')" for n in range(3)))
    first = desk.fetch(source)
    assert first is not None
    assert first.rows == 3
    run(mariadb, *(f"insert into ties values ({n}, '乙', {n}, '{moment}')" for n in (3, 4)))
    second = desk.fetch(source)
    assert second is not None
    assert second.rows == 2
    assert [row["reading_id"] for row in desk.rows()] == list(range(5))
    assert desk.fetch(source) is None


@pytest.mark.slow
def test_a_naive_cursor_is_caught(desk: Desk, mariadb: MariaDb, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted violation."""
    monkeypatch.setattr(reading, "_write_late_rows", lambda *_args, **_more: None)
    with pytest.raises(AssertionError):
        test_rows_that_share_the_cursor_are_each_delivered_once("upsert", lambda _mode: desk, mariadb)


def test_nothing_is_lost_or_doubled_while_rows_are_written(desk_of: MakeDesk, mariadb: MariaDb) -> None:
    desk, each = desk_of("append"), 100
    make_table(mariadb, "busy")
    options = mariadb.options(table="busy", method="cursor", cursor="updated_at", batch_rows="40", look_back="30")
    source = desk.connect("mysql", options, {"password": mariadb.password})
    pause = threading.Event()

    def write(begin: int) -> None:
        with mariadb.connect() as connection, connection.cursor() as cursor:
            for n in range(begin, begin + each, 5):
                cursor.execute("start transaction")
                for m in range(n, n + 5):
                    cursor.execute(f"insert into busy values ({m}, '站', 1, now(6) - interval ({m} % 7) second)")
                pause.wait(0.03)
                cursor.execute("commit")

    writers = [in_thread(write, begin) for begin in (0, each)]
    delivered = 0
    while any(writer.is_alive() for writer in writers):
        pause.wait(0.2)
        fetch = desk.fetch(source)
        delivered += (fetch.rows or 0) if fetch else 0
    while (fetch := desk.fetch(source)) is not None:
        delivered += fetch.rows or 0
    assert [row["reading_id"] for row in desk.rows()] == list(range(2 * each))
    assert delivered == 2 * each


def test_refusals_are_plain(quiet_desk: Desk, mariadb: MariaDb) -> None:
    desk = quiet_desk
    wrong = desk.connect("mysql", mariadb.options(table="ties"), {"password": "falsch"})
    with pytest.raises(SourceRefused) as refused:
        service.test_source(desk.steward, wrong.id)
    assert "falsch" not in repr(refused.value.as_problem()) + refused.value.private
    strict = desk.connect("mysql", {**mariadb.options(table="ties"), "tls": "verify"}, {"password": mariadb.password})
    with pytest.raises(SourceRefused, match="no TLS"):
        service.test_source(desk.steward, strict.id)
    with pytest.raises(QueryNotAllowed):
        desk.connect("mysql", mariadb.options(query="select 1 into outfile '/tmp/x'"))
    fetch = desk.land(desk.connect("mysql", mariadb.options(table="nowhere"), {"password": mariadb.password}))
    assert fetch is not None
    assert fetch.state is FetchState.FAILED
    assert "nowhere" in (fetch.failure or {})["hint"]
