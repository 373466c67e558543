"""Bills: how they are read, and that a row lost or doubled shows."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest

from datong.collect.contracts import Bill, BillUnreadable
from datong.collect.reconcile import (
    Measured,
    bill_from_dict,
    compare_bill,
    explain_differences,
    make_bill,
    measure_sql,
    read_bill,
    read_measures,
)

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    "data",
    [
        b'{"rows": 3, "bytes": 90, "sha256": "' + DIGEST.encode() + b'", "sums": {"income": 12.50}, '
        b'"distinct": {"id": 3}, "batch": "B-7"}',
        (
            f"项目,列,值\n行数,,3\n字节数,,90\n摘要,,{DIGEST.upper()}\n合计,income,12.50\n去重数,id,3\n批次号,,B-7\n"
        ).encode(),
        (f"行数,3\n字节数,90\n指纹,sha256:{DIGEST}\n合计,income,12.50\n去重数,id,3\n批次,B-7\n").encode("gb18030"),
    ],
)
def test_a_bill_as_json_or_csv(data: bytes) -> None:
    bill = read_bill(data)
    assert bill == Bill(
        rows=3, bytes=90, sha256=DIGEST, sums={"income": Decimal("12.50")}, distinct={"id": 3}, batch="B-7"
    )
    assert bill_from_dict(bill.as_dict()) == bill


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[1]",
        b"{",
        b'{"rows": -1}',
        b'{"rows": "three"}',
        b'{"rows": 1.5}',
        b'{"sums": [1]}',
        b'{"sums": {"x": "NaN"}}',
        b'{"sha256": "beef"}',
        b'{"colour": 1}',
        b'{"batch": "only"}',
        "行数,,3\n颜色,,1\n".encode(),
        b"\xff\xff\xff\xff",
    ],
)
def test_what_is_no_bill_is_refused(data: bytes) -> None:
    with pytest.raises(BillUnreadable):
        read_bill(data)


def measured(rows: list[tuple[str, str | None]], bill: Bill) -> Measured:
    with duckdb.connect() as connection:
        connection.execute("create table t (id varchar, income varchar)")
        connection.executemany("insert into t values (?, ?)", rows)
        columns = {name: name for name in (*bill.sums, *bill.distinct)}
        row = connection.execute(measure_sql(bill, columns, "t", str)).fetchone()
    assert row is not None
    sums, distinct = read_measures(bill, row)
    return Measured(rows=len(rows), bytes=0, sha256="", sums=sums, distinct=distinct)


ROWS: list[tuple[str, str | None]] = [("a", "1,000.25"), ("b", "2e1"), ("c", None), ("d", "no number")]
BILL = make_bill({"rows": 4, "sums": {"income": "1020.25"}, "distinct": {"id": 4}})


def test_what_was_sent_arrived() -> None:
    assert compare_bill(BILL, measured(ROWS, BILL)) == ()


def test_a_lost_row_and_a_doubled_row_show() -> None:
    lost = compare_bill(BILL, measured(ROWS[1:], BILL))
    assert [(d.what, d.billed, d.found) for d in lost] == [
        ("rows", "4", "3"),
        ("sum", "1020.25", "20"),
        ("distinct", "4", "3"),
    ]
    doubled = compare_bill(BILL, measured([*ROWS, ROWS[0]], BILL))
    assert [d.what for d in doubled] == ["rows", "sum"]
    swapped = compare_bill(BILL, measured([ROWS[0], ROWS[0], *ROWS[2:]], BILL))
    assert [d.what for d in swapped] == ["sum", "distinct"], "the planted exchange keeps the number of rows"
    zh, en = explain_differences(lost)
    assert zh.startswith("行数应为4，实为3；income的合计应为1020.25")
    assert "rows: 4 billed, 3 found" in en


def test_a_sum_is_compared_to_the_decimals_of_the_bill() -> None:
    rows: list[tuple[str, str | None]] = [("a", "0.333"), ("b", "0.333")]
    assert (
        compare_bill(make_bill({"sums": {"income": "0.67"}}), measured(rows, make_bill({"sums": {"income": 1}}))) == ()
    )
    assert compare_bill(make_bill({"sums": {"income": "0.68"}}), measured(rows, make_bill({"sums": {"income": 1}})))
