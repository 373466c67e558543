"""The detector on columns with known answers: precision and recall, look-alikes, evidence that is masked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from datong.catalog.words import Mask
from datong.kernel.ids import seeded
from datong.privacy.detect import expressions, finder
from datong.privacy.detect.expressions import TESTS
from datong.privacy.detect.finder import detect_columns, is_personal
from datong.privacy.detect.kinds import KINDS
from datong.privacy.detect.model import ColumnSeen, Role
from datong.standards.identifiers import check_uscc, resident_id_check_character, uscc_check_character

REAL = Path(__file__).resolve().parents[5] / "shared" / "data"
ROWS = 500
Maker = Callable[[Any], str]
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰鑫浩宇轩梓涵雨桐欣怡"
SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"


def pick(draw: Any, options: Sequence[str]) -> str:
    return str(draw.choice(options))


def digits(draw: Any, count: int) -> str:
    return "".join(pick(draw, "0123456789") for _ in range(count))


def day(draw: Any, first: int = 1940, last: int = 2015) -> str:
    return f"{draw.randint(first, last)}{draw.randint(1, 12):02d}{draw.randint(1, 28):02d}"


def resident_id(draw: Any) -> str:
    body = pick(draw, ["110101", "310104", "440305", "510107"]) + day(draw) + f"{draw.randint(1, 999):03d}"
    if draw.random() < 0.03:
        return body[:6] + body[8:]
    return body + resident_id_check_character(body)


def resident_look_alike(draw: Any) -> str:
    """An order number: six digits, a day, a running number, and never the right check digit."""
    body = "330106" + day(draw, 2020, 2024) + f"{draw.randint(1, 999):03d}"
    right = resident_id_check_character(body)
    return body + pick(draw, [d for d in "0123456789" if d != right])


def luhn(body: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def bank_card(draw: Any) -> str:
    body = "622202" + digits(draw, 12)
    return body + luhn(body)


def bank_look_alike(draw: Any) -> str:
    body = "622202" + digits(draw, 12)
    return body + pick(draw, [d for d in "0123456789" if d != luhn(body)])


def uscc(draw: Any) -> str:
    body = "91" + pick(draw, ["110105", "310115"]) + "MA" + digits(draw, 7)
    return body + uscc_check_character(body)


def name(draw: Any) -> str:
    return pick(draw, SURNAMES) + "".join(pick(draw, GIVEN) for _ in range(draw.choice([1, 2, 2])))


def remark(draw: Any) -> str:
    base = pick(
        draw, ["材料齐全，已受理", "需要补充证明材料后再来办理", "本人到场办理，核对无误", "委托他人代办，已登记"]
    )
    return f"{base}，联系13{digits(draw, 9)}。" if draw.random() < 0.05 else base


SENSITIVE: dict[str, tuple[str, str, Maker]] = {
    "id_number": ("证件", "resident_id", resident_id),
    "c1": ("", "resident_id", resident_id),
    "c2": ("", "mobile", lambda d: d.choice(["138", "159", "186", "199"]) + digits(d, 8)),
    "c3": ("电话", "landline", lambda d: f"0571-8{digits(d, 7)}"),
    "c4": ("", "bank_card", bank_card),
    "c5": ("护照", "passport", lambda d: "E" + digits(d, 8)),
    "c6": ("", "hk_mo_permit", lambda d: d.choice("HM") + digits(d, 10)),
    "c7": ("", "plate", lambda d: d.choice("浙苏京") + d.choice("ABC") + digits(d, 3) + d.choice("KLM") + digits(d, 1)),
    "c8": ("", "email", lambda d: f"u{digits(d, 5)}@example.cn"),
    "c9": ("", "ip", lambda d: ".".join(str(d.randint(0, 255)) for _ in range(4))),
    "c10": ("", "mac", lambda d: ":".join(f"{d.randint(0, 255):02x}" for _ in range(6))),
    "c11": (
        "",
        "address",
        lambda d: f"安澜市东城区建设{d.choice('路街')}{d.randint(1, 300)}号{d.randint(1, 9)}栋{d.randint(101, 999)}室",
    ),
    "c12": ("", "person_name", name),
    "csrq": ("出生日期", "birth_date", lambda d: f"{d.randint(1940, 2015)}-0{d.randint(1, 9)}-1{d.randint(0, 9)}"),
    "c13": ("", "coordinates", lambda d: f"{116 + d.random():.6f},{39 + d.random():.6f}"),
    "lon": ("经度", "coordinates", lambda d: f"{116 + d.random():.6f}"),
    "c14": ("", "uscc", uscc),
    "c15": ("备注", "mobile", remark),
    "zdjg": ("诊断结果", "health", lambda d: d.choice(["感冒", "骨折", "高血压"])),
    "yxz": ("月收入", "finance", lambda d: str(d.randint(3000, 30000))),
    "zjxy": ("宗教信仰", "belief", lambda d: d.choice(["无", "佛教"])),
    "userPassword": ("", "secret", lambda d: digits(d, 8)),
}
PLAIN: dict[str, tuple[str, Maker]] = {
    "ddh": ("订单号", resident_look_alike),
    "n1": ("", resident_look_alike),
    "n2": ("", bank_look_alike),
    "n3": ("流水号", lambda d: "13800" + digits(d, 6)),
    "n4": ("", lambda d: digits(d, 11)),
    "n5": ("", lambda d: digits(d, 18)),
    "n6": ("", lambda d: f"{d.randint(1, 99999)}.{d.randint(0, 99):02d}"),
    "n7": ("颜色", lambda d: d.choice(["红色", "黄色", "白色", "金色", "蓝色"])),
    "n8": ("", lambda d: d.choice(["高中", "初中", "大学", "小学", "研究生"])),
    "n9": ("街道", lambda d: d.choice(["石景山", "白云", "金水", "江干", "高新"]) + d.choice(["路", "街", "区", "镇"])),
    "n10": ("", lambda d: f"安澜市{d.choice('甲乙丙丁')}{digits(d, 3)}科技有限公司"),
    "n11": ("受理日期", lambda d: f"20{d.randint(10, 24)}-0{d.randint(1, 9)}-1{d.randint(0, 9)}"),
    "n12": ("", lambda d: d.choice(["330106", "330105", "330108"])),
    "n13": ("版本", lambda d: f"{d.randint(1, 9)}.{d.randint(0, 9)}.{d.randint(0, 9)}.{d.randint(0, 9)}"),
    "n14": ("", lambda d: "91110105MA" + digits(d, 7) + "Z"),
    "n15": ("产品", lambda d: d.choice(["苹果", "马铃薯", "黄瓜", "白菜", "江米", "金橘"])),
    "n16": (
        "备注",
        lambda d: d.choice(
            ["已经办结，归档保存，共三份材料，无其他说明事项", "编号202012345678901234的材料不齐，请补正"]
        ),
    ),
    "n17": ("", lambda d: f"{d.random() * 100:.6f}"),
    "n18": ("", lambda d: d.choice(["是", "否"])),
}


def make(columns: dict[str, Maker], rows: int = ROWS) -> pa.Table:
    draw = seeded(20260401)
    return pa.table({key: pa.array([maker(draw) for _ in range(rows)], pa.string()) for key, maker in columns.items()})


def detect(table: pa.Table, titles: dict[str, str] | None = None) -> dict[str, set[str]]:
    connection = duckdb.connect()
    connection.register("given", table)
    seen = [ColumnSeen(name=key, title=(titles or {}).get(key, "")) for key in table.column_names]
    found: dict[str, set[str]] = {key: set() for key in table.column_names}
    for each in detect_columns(connection, "given", seen):
        found[each.column].add(each.kind)
    return found


def measure() -> tuple[float, float, set[tuple[str, str]]]:
    """Precision and recall over columns."""
    makers = {key: maker for key, (_, _, maker) in SENSITIVE.items()} | {
        key: maker for key, (_, maker) in PLAIN.items()
    }
    titles = {key: title for key, (title, *_) in SENSITIVE.items()} | {key: title for key, (title, _) in PLAIN.items()}
    found = detect(make(makers), titles)
    told = {(key, kind) for key, kinds in found.items() for kind in kinds}
    true = {(key, kind) for key, (_, kind, _) in SENSITIVE.items()}
    assert told
    return len(told & true) / len(told), len(told & true) / len(true), told ^ true


def test_precision_and_recall() -> None:
    precision, recall, wrong = measure()
    assert (precision, recall) == (1.0, 1.0), wrong


@pytest.mark.parametrize(
    ("kind", "blunt"),
    [
        ("resident_id", lambda text: f"regexp_full_match({text}, '[0-9]{{17}}[0-9X]')"),
        ("bank_card", lambda text: f"regexp_full_match({text}, '[0-9]{{16,19}}')"),
        ("mobile", lambda text: f"regexp_full_match({text}, '[0-9]{{11}}')"),
        ("plate", lambda _text: "false"),
    ],
)
def test_a_blunter_test_is_noticed(kind: str, blunt: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TESTS, kind, blunt)
    precision, recall, _ = measure()
    assert precision < 1 or recall < 1


def test_expressions_agree_with_the_standards() -> None:
    draw = seeded(7)
    values = [uscc(draw) for _ in range(200)]
    values += [value[:9] + pick(draw, "0123456789") + value[10:] for value in values]
    connection = duckdb.connect()
    connection.register("given", pa.table({"v": values}))
    rows = connection.execute(f"select v, {expressions.uscc_sql('v')} from given").fetchall()
    assert len(rows) == 400
    for value, is_valid in rows:
        body_is_right = uscc_check_character(value[:17]) == value[17]
        assert is_valid == body_is_right
        assert is_valid or check_uscc(value, suggest=False) is not None
    ids = [resident_id(draw) for _ in range(300)] + [resident_look_alike(draw) for _ in range(300)]
    connection.register("ids", pa.table({"v": ids}))
    passed = connection.execute(f"select v, {expressions.resident_id_sql('v')} from ids").fetchall()
    assert {is_valid for _, is_valid in passed[:300]} == {True}
    assert {is_valid for _, is_valid in passed[300:]} == {False}


def test_what_is_said_of_a_column() -> None:
    connection = duckdb.connect()
    connection.register("given", make({"sfz": resident_id, "xm": name, "amount": lambda d: digits(d, 4)}))
    found = detect_columns(connection, "given", [ColumnSeen(name=n) for n in ("sfz", "xm", "amount")])
    assert [each.column for each in found] == ["sfz", "xm"]
    [number, person] = found
    assert (number.kind, number.grade, number.mask, number.identifier) == ("resident_id", 3, Mask.ID_6_4, "resident_id")
    assert (number.role, number.by_name, number.values, number.share > 0.9) == (Role.DIRECT, True, ROWS, True)
    assert all(set(sample[6:-4]) == {"*"} for sample in number.samples)
    assert len(number.samples) == 3
    assert all(sample[1:] == "*" * (len(sample) - 1) for sample in person.samples)
    assert "校验" in number.reason_zh
    assert "列名相符" in number.reason_zh
    assert number.as_dict()["classification"] == "一般3级"
    assert is_personal(found)
    assert not is_personal(detect_columns(connection, "given", [ColumnSeen(name="amount")]))


def test_whole_columns_are_read_and_empty_ones_are_nothing() -> None:
    """An identity number that only the last rows hold is found; a column of nothing is not."""
    late: list[str | None] = ["无可奉告，没有更多的说明文字了吧"] * 3000
    late += ["联系人身份证号" + resident_id_with_check() + "，请核对"] * 20
    connection = duckdb.connect()
    connection.register("given", pa.table({"late": late, "none": pa.array([None] * 3020, pa.string())}))
    found = detect_columns(connection, "given", [ColumnSeen(name="late"), ColumnSeen(name="none")])
    assert [(each.column, each.kind, each.matched, each.is_embedded) for each in found] == [
        ("late", "resident_id", 20, True)
    ]
    assert found[0].mask is Mask.ALL


def resident_id_with_check() -> str:
    body = "11010119900307123"
    return body + resident_id_check_character(body)


def test_typed_columns() -> None:
    connection = duckdb.connect()
    connection.execute(
        "create table t as select (13800000000 + i * 7919)::bigint as phone, date '1980-01-01' + i::int as birth_date, "
        "i::double as amount from range(500) r(i)"
    )
    found = detect_columns(connection, "t", [ColumnSeen(name=n) for n in ("phone", "birth_date", "amount")])
    assert [(each.column, each.kind) for each in found] == [("phone", "mobile"), ("birth_date", "birth_date")]


def test_every_kind_can_be_found() -> None:
    """Each kind that reads values has a test and a size, and each that does not is told by its name."""
    assert {code for code, kind in KINDS.items() if kind.reads_values} == set(expressions.TESTS)
    assert set(finder._LENGTHS) == set(expressions.TESTS)
    assert all(kind.grade in (1, 2, 3, 4) for kind in KINDS.values())


@pytest.mark.skipif(not REAL.is_dir(), reason="the shared real files are not on this machine")
def test_open_data_is_left_alone() -> None:
    """Real public tables hold no person: air quality, division codes, industries."""
    connection = duckdb.connect()
    for name in (
        "air/beijing_pm25_2010_2014_uci.csv",
        "divisions/gb2260_change_events.csv",
        "industry/gbt4754_2017.csv",
    ):
        relation = f"read_csv('{REAL / name}', all_varchar = true)"
        columns = [
            ColumnSeen(name=row[0]) for row in connection.execute(f"describe select * from {relation}").fetchall()
        ]
        assert columns
        assert detect_columns(connection, relation, columns) == ()
