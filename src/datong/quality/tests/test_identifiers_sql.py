"""The SQL checksums and `standards.identifiers` give one verdict, over real, generated and mutated values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import ibis  # type: ignore[import-untyped]
import pyarrow as pa
import pytest

from datong.kernel.ids import seeded
from datong.quality import operators
from datong.quality.sql import Bindings, Literals, org_code_valid_sql, resident_id_valid_sql, uscc_valid_sql
from datong.standards import identifiers
from datong.standards.identifiers import (
    USCC_ALPHABET,
    USCC_BODY_TYPES,
    check_org_code,
    check_resident_id,
    check_uscc,
    org_code_check_character,
    resident_id_check_character,
    uscc_check_character,
)

if TYPE_CHECKING:
    from random import Random  # noqa: TID251 - a type; the generator is `seeded`

AS_OF = date(2026, 11, 24)
COUNT = 100_000
ODD = [
    "",
    " ",
    "中文字符九九九九九九九九九九九九九九",
    "１１０１０５１９４９１２３１００２Ｘ",
    "91350100M000100Y4３",
    "a" * 18,
    "X" * 18,
    "0" * 17 + "X",
    "1.00000000000e+16X",
    "10000000000000e+31",
    "0x123456789ABCDEF1",
    "0x0B1D3A1C66DF524B",
    "0x0703B017DB922C81",
    "1_1010519491231002X",
    " 1010519491231002X",
    "+1010519491231002X",
    "11010519491231002x",
    "11010519491231002 ",
    "110105194912310 2X",
]


def _mutated(value: str, rng: Random) -> str:
    characters = list(value)
    place = rng.randrange(len(characters))
    kind = rng.randrange(6)
    if kind == 0:
        characters[place] = rng.choice("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    elif kind == 1 and place:
        characters[place - 1], characters[place] = characters[place], characters[place - 1]
    elif kind == 2:
        del characters[place]
    elif kind == 3:
        characters.insert(place, rng.choice("0X国 -"))
    elif kind == 4:
        characters[place] = rng.choice("０é国\u0000Iaz") if rng.random() < 0.3 else rng.choice("0123456789")
    return "".join(characters)


def _usccs(rng: Random) -> Iterator[str]:
    for _ in range(COUNT):
        department = rng.choice(list(USCC_BODY_TYPES))
        head = department + rng.choice(USCC_BODY_TYPES[department]) + f"{rng.randrange(10**6):06d}"
        body = "".join(rng.choice(USCC_ALPHABET) for _ in range(8))
        value = head + body + org_code_check_character(body)
        yield value + uscc_check_character(value)


def _residents(rng: Random) -> Iterator[str]:
    for _ in range(COUNT):
        born = f"{rng.randrange(1845, 2030)}{rng.randrange(1, 13):02d}{rng.randrange(1, 32):02d}"
        value = f"{rng.randrange(100000, 999999)}{born}{rng.randrange(1000):03d}"
        yield value + resident_id_check_character(value)


def _orgs(rng: Random) -> Iterator[str]:
    for _ in range(COUNT):
        body = "".join(rng.choice("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(8))
        yield body + rng.choice(["", "-"]) + org_code_check_character(body)


def _verdicts(sql: str, values: list[str]) -> list[bool]:
    engine = duckdb.connect()
    engine.register("given", pa.table({"v": values}))
    return [row[0] for row in engine.execute(sql).fetchall()]


@pytest.fixture(autouse=True)
def _no_suggestions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for near misses takes a hundred times the verdict's time and does not change it."""
    for name in ("suggest_uscc", "suggest_org_code", "suggest_resident_id"):
        monkeypatch.setattr(identifiers, name, lambda _value, **_options: None)


def _select(make: Callable[[Bindings], str]) -> str:
    bindings = Literals()
    verdict = make(bindings)
    return f"select {verdict} from {bindings.over('given')}"


USCC = _select(lambda bindings: uscc_valid_sql("v", bindings))
RESIDENT = _select(lambda bindings: resident_id_valid_sql("v", f"date '{AS_OF}'", bindings))
ORGANISATION = _select(lambda bindings: org_code_valid_sql("v", bindings))
CASES = {
    "uscc": (USCC, _usccs, lambda v: check_uscc(v) is None),
    "resident": (RESIDENT, _residents, lambda v: check_resident_id(v, today=AS_OF) is None),
    "organisation": (ORGANISATION, _orgs, lambda v: check_org_code(v) is None),
}


def _differences(sql: str, values: list[str], right: Callable[[str], bool]) -> list[str]:
    said = _verdicts(sql, values)
    return [v for v, verdict in zip(values, said, strict=True) if verdict != right(v)]


@pytest.mark.parametrize("name", CASES)
def test_sql_and_python_agree(name: str) -> None:
    sql, make, right = CASES[name]
    rng = seeded(7)
    values = [value if rng.random() < 0.5 else _mutated(value, rng) for value in make(rng)]
    values += ODD
    assert len(values) >= COUNT
    passing = sum(_verdicts(sql, values))
    assert COUNT * 0.3 < passing < COUNT * 0.95, "both verdicts must occur often"
    assert _differences(sql, values, right) == []


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_weight_is_caught(name: str) -> None:
    sql, make, right = CASES[name]
    planted = sql.replace("[0, 1, 2,", "[0, 2, 2,", 1) if name == "resident" else sql.replace("9 * ", "8 * ", 1)
    assert planted != sql
    rng = seeded(11)
    values = [value for value, _ in zip(make(rng), range(2000), strict=False)]
    assert _differences(planted, values, right)


def test_a_number_written_with_an_exponent_is_no_identity() -> None:
    """Each text is, cast to a number, the number of a right identity."""
    texts = [f"110105194912{day:02d}{part}e2" for day in range(1, 32) for part in range(10, 100)]
    right = [text for text in texts if check_resident_id(f"{text[:16]}00", today=AS_OF) is None]
    assert len(right) > 100
    assert len(right[0]) == 18
    assert not any(_verdicts(RESIDENT, right))
    planted = RESIDENT.replace("regexp_full_match(v, '[0-9]{17}[0-9X]')", "true")
    assert planted != RESIDENT
    assert all(_verdicts(planted, right))


def test_worked_examples() -> None:
    assert _verdicts(USCC, ["91350100M000100Y43", "91350100M000100Y44"]) == [True, False]
    assert _verdicts(RESIDENT, ["11010519491231002X", "110105194912310021"]) == [True, False]
    assert _verdicts(ORGANISATION, ["M000100Y4", "M000100Y-4", "M000100Y5"]) == [True, True, False]


IBIS: dict[str, Callable[[Any], Any]] = {
    "uscc": operators.is_uscc,
    "resident": lambda v: operators.is_resident_id(v, AS_OF, ibis.date("1850-01-01")),
    "organisation": operators.is_org_code,
}


@pytest.mark.parametrize("name", CASES)
def test_the_portable_expression_says_what_the_fast_sql_says(name: str) -> None:
    """The scan uses the SQL, other engines the expression: row by row the same."""
    sql, make, _ = CASES[name]
    rng = seeded(13)
    values = [
        value if rng.random() < 0.5 else _mutated(value, rng) for value, _ in zip(make(rng), range(5000), strict=False)
    ]
    values += ODD
    engine = ibis.duckdb.connect()
    engine.con.register("numbered", pa.table({"n": list(range(len(values))), "v": values}))
    table = engine.table("numbered")
    answered = engine.to_pyarrow(table.select(table.n, right=IBIS[name](table.v)).order_by("n"))
    assert answered["right"].to_pylist() == _verdicts(sql, values)
