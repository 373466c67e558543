"""Eleven rules over one table, with the rows that break them, uniqueness included: Datong's two ways and others'.

`python bench/quality.py [ROWS]` (1,000,000; `--full` is 5,000,000). *As delivered*: the check pass of collection over a
CSV file, with quarantine, source lines and score, against a plan written by hand over the same file that ends with one
Parquet file of (key, rule). *As stored*: the rules over a version, a Parquet file, on DuckDB by the route that also
goes to other engines, against the plan by hand, pandera on polars and Great Expectations on pandas, all from that file.

The last two live in an environment of their own, made from `bench/environments/quality.txt` on first use
(`DATONG_BENCH_QUALITY` names one that is there). Each runs in a process of its own, imports not counted; the processor
seconds printed beside tell more on a shared machine. The counts of the rules that look at one row must agree, or
nothing is written; those of unique keys are told in several ways.

Rules: 2 not null, 2 patterns, 2 ranges, 1 code list, 1 foreign key (3,000 codes), 1 comparison of two columns, 2 unique
keys.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from common import Row, compare, run_alternating, write_results

ROWS, ROWS_FULL = 1_000_000, 5_000_000
HAND_GOAL, PANDERA_GOAL, GX_GOAL, MEMORY_GOAL_MIB = 1.3, 1.5, 25.0, 1024
LOCK = Path(__file__).parent / "environments" / "quality.txt"
ID_PATTERN, PHONE_PATTERN = "[0-9]{17}[0-9X]", "1[3-9][0-9]{9}"
COLUMNS = ("id_number", "name", "sex", "age", "street", "phone", "income", "started_on", "ended_on", "serial")


def write_table(path: Path, rows: int) -> None:
    """About one row in a thousand breaks each rule; a hundredth of that repeats a key."""
    with duckdb.connect() as engine:
        engine.execute(
            f"copy (with numbered as (select range as n, hash(range) as h from range({rows}))\n"
            "select lpad((case when n % 10007 = 11 then n - 1 else n end)::varchar, 17, '0') "
            "|| case when n % 1009 = 7 then 'Z' else 'X' end as id_number,\n"
            "case when n % 1013 = 5 then null else '张' || chr((20000 + h % 2000)::int) end as name,\n"
            "case when n % 1019 = 3 then '9' else (1 + n % 2)::varchar end as sex,\n"
            "case when n % 1021 = 2 then 200 else n % 100 end as age,\n"
            "case when n % 1031 = 1 then 's99999' else 's' || lpad((h % 3000)::varchar, 5, '0') end as street,\n"
            "case when n % 1033 = 9 then '12' else '13' || lpad((h % 1000000000)::varchar, 9, '0') end as phone,\n"
            "case when n % 1039 = 4 then -1 else (h % 1000000)::double / 100 end as income,\n"
            "date '2020-01-01' + (n % 900)::int as started_on,\n"
            "date '2020-01-01' + (n % 900)::int + case when n % 1049 = 8 then -5 else 5 end as ended_on,\n"
            "case when n % 1051 = 6 then null when n % 10009 = 12 then n - 1 else n end as serial\n"
            f"from numbered) to '{path}' (header true)"
        )


def write_stored(table: Path, path: Path) -> None:
    """The same rows typed, each with its number, as a version is exported."""
    from datong.quality.contracts import ORDINAL

    with duckdb.connect() as engine:
        engine.execute(
            f"copy (select *, row_number() over () - 1 as {ORDINAL} from {relation_sql(table)}) to '{path}' "
            "(format parquet)"
        )


def relation_sql(table: Path) -> str:
    """The table as by hand: every type told, nothing sniffed."""
    if table.suffix == ".parquet":
        return f"read_parquet('{table}')"
    return f"read_csv('{table}', auto_detect = false, header = true, delim = ',', columns = {TYPES})"


def write_codes(path: Path) -> None:
    with duckdb.connect() as engine:
        engine.execute(f"copy (select 's' || lpad(range::varchar, 5, '0') as street from range(3000)) to '{path}'")


# Ours ----------------------------------------------------------------------------------------------------------------
def make_plan() -> Any:
    from datong.quality.contracts import Check, CheckKind, CheckPlan, ColumnPlan, Dimension, Reference, SetCheck

    types = {"age": "integer", "income": "number", "started_on": "date", "ended_on": "date", "serial": "integer"}
    columns = {name: ColumnPlan(name=name, title=name, logical_type=types.get(name, "string")) for name in COLUMNS}

    def common(kind: CheckKind, column: str, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": f"{column}.{kind.value}",
            "kind": kind,
            "column": column,
            "columns": (column,),
            "dimension": Dimension.ACCURACY,
            "reason_zh": "不符",
            "reason_en": "wrong",
            "params": params,
        }

    def check(kind: CheckKind, column: str, **params: Any) -> Check:
        return Check(**common(kind, column, params))

    codes = Reference(resource_id="codes", columns=("street",))
    return CheckPlan(
        resource_id="table",
        contract_version="1.0.0",
        as_of=date(2026, 11, 24),
        columns=tuple(columns.values()),
        row_checks=(
            check(CheckKind.REQUIRED, "name"),
            check(CheckKind.REQUIRED, "serial"),
            check(CheckKind.PATTERN, "id_number", pattern=ID_PATTERN),
            check(CheckKind.PATTERN, "phone", pattern=PHONE_PATTERN),
            check(CheckKind.RANGE, "age", min="0", max="120"),
            check(CheckKind.RANGE, "income", min="0", max="1000000"),
            check(CheckKind.CODE_LIST, "sex", values=("1", "2")),
            check(CheckKind.COMPARE, "started_on", operator="<=", right="ended_on"),
        ),
        unique_checks=(check(CheckKind.UNIQUE, "id_number"), check(CheckKind.UNIQUE, "serial")),
        set_checks=(
            SetCheck(
                **common(CheckKind.FOREIGN_KEY, "street", {"targets": ("street",)}),
                references=(codes,),
                plans=(columns["street"],),
            ),
        ),
    )


def run_ours(table: Path, codes: Path, base: Path) -> dict[str, int]:
    from datong.collect.checking import Manner, check_file
    from datong.collect.delimited import ByteFacts, WantedColumn

    work = base / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    wanted = [WantedColumn(name=name, aliases=()) for name in COLUMNS]
    manner = Manner(references={"codes": f"read_parquet('{codes}')"})
    facts = ByteFacts(**json.loads((base / "facts.json").read_text()))  # counted while the file lands
    checked = check_file(table, facts, wanted, make_plan(), work, manner=manner)
    return {rule.check_id: rule.rows_bad for rule in checked.score.rules}


def run_stored(table: Path, codes: Path, _base: Path) -> dict[str, int]:
    import pyarrow.parquet as pq

    from datong.quality.engine_runs import run_plan

    rows = pq.read_metadata(table).num_rows
    done = run_plan(make_plan(), table, rows, engine="duckdb", keys=["id_number"], references={"codes": codes})
    return {finding.check_id: finding.rows_bad for finding in done.findings}


# The best plan by hand -----------------------------------------------------------------------------------------------
TYPES = (
    "{'id_number': 'VARCHAR', 'name': 'VARCHAR', 'sex': 'VARCHAR', 'age': 'BIGINT', 'street': 'VARCHAR', "
    "'phone': 'VARCHAR', 'income': 'DOUBLE', 'started_on': 'DATE', 'ended_on': 'DATE', 'serial': 'BIGINT'}"
)


def run_by_hand(table: Path, codes: Path, base: Path) -> dict[str, int]:
    """One scan into a table of keys and flags; surplus rows by a group of the repeated keys; keys to Parquet.

    Of the CSV file the table holds every row, because reading it again costs more; of Parquet only the broken ones,
    and the keys are read again, which is a sixth faster than holding all.
    """
    rules = {
        "name.required": "name is null",
        "serial.required": "serial is null",
        "id_number.pattern": f"not regexp_full_match(id_number, '{ID_PATTERN}')",
        "phone.pattern": f"not regexp_full_match(phone, '{PHONE_PATTERN}')",
        "age.range": "age not between 0 and 120",
        "income.range": "income not between 0 and 1000000",
        "sex.code-list": "sex not in ('1', '2')",
        "started_on.compare": "started_on > ended_on",
        "street.foreign-key": "codes.street is null",
    }
    flags = " | ".join(
        f"case when {broken} then {1 << place} else 0 end" for place, broken in enumerate(rules.values())
    )
    given = relation_sql(table)
    source = f"{given} as given left join read_parquet('{codes}') as codes using (street)"
    judged = f"select id_number, serial, ({flags})::integer as flags from {source}"
    with duckdb.connect() as engine:
        if table.suffix == ".parquet":
            engine.execute(f"create temp table flagged as select * from ({judged}) where flags <> 0")
        else:
            engine.execute(f"create temp table flagged as {judged}")
        keyed = given if table.suffix == ".parquet" else "flagged"
        parts = [
            f"select id_number, '{rule}' as rule from flagged where flags & {1 << place} <> 0"
            for place, rule in enumerate(rules)
        ]
        parts += [
            f"select unnest(list(id_number)[2:]), '{key}.unique' from {keyed} where {key} in "
            f"(select {key} from {keyed} where {key} is not null group by 1 having count(*) > 1) group by {key}"
            for key in ("id_number", "serial")
        ]
        engine.execute(f"copy ({' union all '.join(parts)}) to '{base / 'failing.parquet'}' (format parquet)")
        found = engine.execute(f"select rule, count(*) from read_parquet('{base / 'failing.parquet'}') group by 1")
        return dict(found.fetchall())


# The others, in their own environment --------------------------------------------------------------------------------
PANDERA = """
import pandera.polars as pa, polars as pl
def run(table, codes):
    known = set(pl.read_parquet(codes)["street"])
    data = pl.read_parquet(table)
    column, check = pa.Column, pa.Check
    schema = pa.DataFrameSchema({
        "id_number": column(str, check.str_matches(r"^(?:ID_PATTERN)$"), unique=True, nullable=True),
        "name": column(str, nullable=False),
        "sex": column(str, check.isin(["1", "2"]), nullable=True),
        "age": column(int, check.in_range(0, 120), nullable=True),
        "street": column(str, check.isin(known), nullable=True),
        "phone": column(str, check.str_matches(r"^(?:PHONE_PATTERN)$"), nullable=True),
        "income": column(float, check.in_range(0, 1000000), nullable=True),
        "serial": column(int, nullable=False),
    }, checks=check(lambda d: d.lazyframe.select(pl.col("started_on") <= pl.col("ended_on"))), unique=["serial"])
    try:
        schema.validate(data, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        return {str(k): v for k, v in cases.group_by("check").len().iter_rows()}
    raise SystemExit("nothing was found")
"""
GX = """
import great_expectations as gx, pandas as pd, pyarrow.parquet as pq
import great_expectations.expectations as gxe
def run(table, codes):
    known = pq.read_table(codes)["street"].to_pylist()
    data = pd.read_parquet(table)
    context = gx.get_context(mode="ephemeral")
    batch = (context.data_sources.add_pandas("given").add_dataframe_asset("given")
             .add_batch_definition_whole_dataframe("given").get_batch(batch_parameters={"dataframe": data}))
    suite = gx.ExpectationSuite(name="rules", expectations=[
        gxe.ExpectColumnValuesToNotBeNull(column="name"),
        gxe.ExpectColumnValuesToNotBeNull(column="serial"),
        gxe.ExpectColumnValuesToMatchRegex(column="id_number", regex=r"^(?:ID_PATTERN)$"),
        gxe.ExpectColumnValuesToMatchRegex(column="phone", regex=r"^(?:PHONE_PATTERN)$"),
        gxe.ExpectColumnValuesToBeBetween(column="age", min_value=0, max_value=120),
        gxe.ExpectColumnValuesToBeBetween(column="income", min_value=0, max_value=1000000),
        gxe.ExpectColumnValuesToBeInSet(column="sex", value_set=["1", "2"]),
        gxe.ExpectColumnValuesToBeInSet(column="street", value_set=known),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="ended_on", column_B="started_on", or_equal=True),
        gxe.ExpectColumnValuesToBeUnique(column="id_number"),
        gxe.ExpectColumnValuesToBeUnique(column="serial"),
    ])
    result = batch.validate(suite)
    return {f"{r.expectation_config.type}:{r.expectation_config.kwargs.get('column', '')}":
            r.result["unexpected_count"] for r in result.results}
"""
DRIVER = """
import json, resource, sys, time
started, used = time.perf_counter(), time.process_time()
found = run(sys.argv[1], sys.argv[2])
print(json.dumps({"s": time.perf_counter() - started, "cpu": time.process_time() - used, "found": found,
                  "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""
OURS = """
import sys
sys.path[:0] = [{folder!r}]
from pathlib import Path
import datong.collect.checking, datong.quality.engine_runs, pandas, pyarrow.parquet  # duckdb imports pandas at need
from quality import {name}
def run(table, codes):
    return {name}(Path(table), Path(codes), Path({base!r}))
"""


def find_python() -> Path:
    """The python of the benchmark's environment; made from its lock where there is none."""
    folder = Path(os.environ.get("DATONG_BENCH_QUALITY") or Path(sys.prefix) / "bench-quality")
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--require-hashes", "-r", str(LOCK)], check=True)
    return python


def run_program(python: Path | str, program: str, table: Path, codes: Path) -> dict[str, Any]:
    """What a program of its own found, its seconds without imports, its greatest memory in MiB."""
    text = program.replace("ID_PATTERN", ID_PATTERN).replace("PHONE_PATTERN", PHONE_PATTERN) + DRIVER
    environment = os.environ | {"GX_ANALYTICS_ENABLED": "false", "DISABLE_PANDERA_IMPORT_WARNING": "True"}
    done = subprocess.run(
        [str(python), "-c", text, str(table), str(codes)], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def main() -> None:
    from datong.collect.delimited import scan_file

    words = [word for word in sys.argv[1:] if word.isdigit()]
    rows = int(words[0]) if words else ROWS_FULL if "--full" in sys.argv else ROWS
    base = Path(tempfile.mkdtemp(prefix="datong-bench-", dir="/var/tmp"))
    table, stored, codes = base / "table.csv", base / "table.parquet", base / "codes.parquet"

    def own(name: str) -> str:
        return OURS.format(folder=str(Path(__file__).parent), name=name, base=str(base))

    programs: dict[str, tuple[Path | str, str, Path]] = {
        "pass": (sys.executable, own("run_ours"), table),
        "pass by hand": (sys.executable, own("run_by_hand"), table),
        "stored": (sys.executable, own("run_stored"), stored),
        "stored by hand": (sys.executable, own("run_by_hand"), stored),
        "pandera": (find_python(), PANDERA, stored),
        "gx": (find_python(), GX, stored),
    }
    answers: dict[str, dict[str, Any]] = {}

    def seconds(name: str) -> float:
        python, program, path = programs[name]
        answers[name] = run_program(python, program, path, codes)
        return float(answers[name]["s"])

    def sampler(name: str) -> Callable[[], float]:
        return lambda: seconds(name)

    try:
        write_table(table, rows)
        write_stored(table, stored)
        write_codes(codes)
        (base / "facts.json").write_text(json.dumps(scan_file(table).as_dict()))
        samples = run_alternating({name: sampler(name) for name in programs if name != "gx"})
        samples["gx"] = [seconds("gx")]  # a minute at full size: once is enough for a factor of 25
        for name, answer in answers.items():
            print(f"{name}: {answer['cpu']:.2f} processor seconds, {answer['mib']:.0f} MiB")
        for name in ("pass", "stored"):
            _refuse_other_counts(answers[name]["found"], answers["stored by hand"]["found"])
    finally:
        shutil.rmtree(base, ignore_errors=True)
    write_results("quality", _compare(rows, samples, answers))


def _refuse_other_counts(ours: dict[str, int], by_hand: dict[str, int]) -> None:
    print("found: " + ", ".join(f"{rule} {count}" for rule, count in ours.items()))
    different = [rule for rule, count in by_hand.items() if count != ours[rule] and not rule.endswith(".unique")]
    if different or len(ours) != 11 or not all(ours.values()):
        raise SystemExit(f"the counts differ: {ours} against {by_hand}")


def _compare(rows: int, samples: dict[str, list[float]], answers: dict[str, dict[str, Any]]) -> list[Row]:
    def row(way: str, ours: str, other: str, limit_is: str, goal: float) -> Row:
        measure = f"11 rules over {rows:,} × 10 as {way}, s"
        return compare(measure, samples[ours], samples[other], limit_is=limit_is, goal=goal, lower_is_better=True)

    memory = compare(
        "the greater of both, MiB resident",
        max(answers["pass"]["mib"], answers["stored"]["mib"]),
        MEMORY_GOAL_MIB,
        limit_is="what the goal allows",
        goal=1.0,
        lower_is_better=True,
    )
    return [
        row("delivered", "pass", "pass by hand", "best DuckDB plan by hand", HAND_GOAL),
        row("stored", "stored", "stored by hand", "best DuckDB plan by hand", HAND_GOAL),
        row("stored", "stored", "pandera", "pandera, polars", 1 / PANDERA_GOAL),
        row("stored", "stored", "gx", "Great Expectations, pandas", 1 / GX_GOAL),
        memory,
    ]


if __name__ == "__main__":
    main()
