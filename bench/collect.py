"""Collect a CSV of people with 12 rules against DuckDB's own COPY of it to Parquet.

`python bench/collect.py [ROWS …] [--full]`: 1,000,000 rows without either; `--full` is 5,000,000, then three sizes for
the cost of a row, then 50,000,000 with the memory that they take. Ours is the whole of it: landing with its digest and
fsync, the check pass, quarantine, the encrypted write into DuckLake, the version and the audit rows in PostgreSQL. The
limit is one statement that reads the same file and writes Parquet, with nothing checked and nothing kept: no copy, no
digest, no fsync, no encryption, no transaction. Both write Snappy in row groups of one size, the defaults of COPY and
of DuckLake; the limit may use every core, ours COLLECT_THREADS_MAX and LAKE_THREADS of them. Two files alternate, as
daily deliveries do, so that every run makes a version in the place of all rows; about 3 rows in 1,000 are bad, some
keys occur twice. Beside the time the processor seconds of both are printed: on a shared machine they tell more.
"""

from __future__ import annotations

import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from statistics import median
from time import perf_counter

import duckdb
from common import Row, compare, run_alternating, write_results
from platforms import running_platform

from datong.kernel.ids import ResourceId

ROWS, ROWS_FULL, ROWS_LARGE = 1_000_000, 5_000_000, 50_000_000
SIZES = (1_000_000, 2_000_000, 4_000_000)
RATIO_GOAL, LINEAR_GOAL, MEMORY_GOAL_GIB = 1.5, 1.2, 8.0
REPEATS = 5
RULES = 12
AGENCY = "bench"
RESOURCE = ResourceId("bench_people")
SURNAMES, GIVEN = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高", "伟芳娜敏静丽强磊军洋勇艳杰涛明超霞平刚英"
CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: bench_people
name: 测速人口
version: 1.0.0
status: active
schema:
  - name: bench_people
    businessName: 测速人口
    properties:
      - {name: id_number, businessName: 公民身份号码, logicalType: string, primaryKey: true, primaryKeyPosition: 1,
         required: true, classification: 一般3级, customProperties: [{property: identifierKind, value: resident_id}]}
      - {name: name, businessName: 姓名, logicalType: string, required: true, classification: 一般3级,
         logicalTypeOptions: {pattern: "[一-龥·]{2,20}"}}
      - name: sex
        businessName: 性别
        logicalType: string
        classification: 一般2级
        quality: [{metric: invalidValues, arguments: {validValues: ["1", "2"]}, mustBe: 0}]
      - {name: birth_date, businessName: 出生日期, logicalType: date, classification: 一般3级}
      - {name: division, businessName: 行政区划, logicalType: string, classification: 一般2级,
         customProperties: [{property: identifierKind, value: division_code}]}
      - {name: address, businessName: 住址, logicalType: string, required: true, classification: 一般3级}
      - {name: phone, businessName: 电话, logicalType: string, classification: 一般3级,
         logicalTypeOptions: {minLength: 11, maxLength: 11}}
      - {name: income, businessName: 收入, logicalType: number, classification: 一般3级,
         logicalTypeOptions: {minimum: 0, maximum: 1000000}}
      - {name: status, businessName: 状态, logicalType: string, classification: 一般2级}
      - {name: remark, businessName: 备注, logicalType: string, classification: 一般1级}
slaProperties: [{property: frequency, value: 1, unit: d}]
customProperties:
  - {property: agency, value: bench}
  - {property: sharingType, value: conditional}
  - {property: sharingCondition, value: 测速}
  - {property: shareModes, value: [batch]}
"""
DIVISIONS = ("110101", "110102", "110105", "310101", "310104", "440103", "440104", "510104", "510105")
_KEYS = 9 * 75 * 12 * 28 * 999
"""So many identities the mixed radix of `write_people` has."""


def write_people(path: Path, rows: int, seed: int) -> None:
    """The file, by one SQL statement. Its numbers are scattered over the identities by a step prime to their count."""
    weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
    total = " + ".join(f"{w} * (body[{i}]::int)" for i, w in enumerate(weights, 1))
    with duckdb.connect(config={"preserve_insertion_order": True}) as engine:
        engine.execute(
            f"copy (\n"
            f"with numbered as (select range as n, hash(range, {seed}) as h, "
            f"((range - (range % 2000 = 11)::int) * 7919 + {seed * 104729}) % {_KEYS} as k from range({rows})),\n"
            f"placed as (select *, {list(DIVISIONS)}[k % 9 + 1] as division, "
            f"make_date((1940 + k // 9 % 75)::int, (1 + k // 675 % 12)::int, (1 + k // 8100 % 28)::int) as birth_date, "
            f"1 + k // 226800 as turn from numbered),\n"
            f"named as (select *, division || strftime(birth_date, '%Y%m%d') || lpad(turn::varchar, 3, '0') as body "
            f"from placed),\n"
            f"checked as (select *, '10X98765432'[1 + ({total}) % 11] as last from named)\n"
            f"select body || case when n % 500 = 7 then 'Z' else last end as id_number, "
            f"'{SURNAMES}'[(h % 20)::int + 1] || '{GIVEN}'[(h // 20 % 20)::int + 1] "
            f"|| '{GIVEN}'[(h // 400 % 20)::int + 1] as name, 1 + n % 2 as sex, birth_date, "
            f"division, '青原区学院路' || (1 + n % 997) || '号' as address, "
            f"'1' || lpad((h % 10000000000)::varchar, 10, '0') as phone, "
            f"(h % 10000000)::decimal(18,2) / 100 as income, "
            f"'正常' as status, case when n % 3 = 0 then '户主' end as remark from checked\n"
            f") to '{path}' (header true)"
        )


def apply_contract() -> None:
    from datong.catalog.service import apply_contract as apply
    from datong.testing.cast import make_cast

    cast = make_cast({AGENCY: ("测速局", "Bench Bureau")})
    apply(cast.actor(f"{AGENCY}.steward"), CONTRACT, base_version=None)


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def timed(work: Callable[[], object], cpu: list[float]) -> float:
    """Seconds of `work`; its processor seconds go to `cpu`."""
    started, used = perf_counter(), cpu_s()
    work()
    cpu.append(cpu_s() - used)
    return perf_counter() - started


def collect_s(files: Iterator[Path], steps: dict[str, list[float]]) -> None:
    from datong.collect.service import execute_run, start_run
    from datong.kernel.contracts import platform_actor

    path = next(files)
    started = perf_counter()
    run_id = start_run(platform_actor("bench"), RESOURCE, path, path.name, in_background=False)
    landed = perf_counter()
    run = execute_run(run_id)
    if len(run.rules) != RULES:
        raise SystemExit(f"the contract has {len(run.rules)} rules")
    if run.state != "done" or run.rows_read != run.rows_accepted + run.rows_quarantined or not run.rows_quarantined:
        raise SystemExit(f"the run is {run.state}: {run.failure}")
    steps.setdefault("land", []).append(landed - started)
    for step in run.steps:
        if step.seconds:
            steps.setdefault(step.name, []).append(step.seconds)
    steps["rows"] = [run.rows_read, run.rows_accepted, run.rows_quarantined]


def copy_s(files: Iterator[Path], target: Path) -> None:
    path = next(files)
    with duckdb.connect() as connection:
        connection.execute(f"copy (select * from read_csv('{path}')) to '{target}' (format parquet)")


def measure(base: Path, rows: int) -> tuple[Row, float]:
    """Ours against the limit at one size; also our seconds for a million rows."""
    files = [base / "monday.csv", base / "tuesday.csv"]
    for seed, path in enumerate(files):
        write_people(path, rows + 1000 * seed, seed)
    ours, limit = cycle(files), cycle(files)
    steps: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {"ours": [], "limit": []}
    samples = run_alternating(
        {
            "ours": lambda: timed(lambda: collect_s(ours, steps), cpu["ours"]),
            "limit": lambda: timed(lambda: copy_s(limit, base / "copy.parquet"), cpu["limit"]),
        },
        repeats=REPEATS,
    )
    read, accepted, quarantined = steps.pop("rows")
    print(f"{read:,} rows read = {accepted:,} accepted + {quarantined:,} quarantined")
    print("medians: " + ", ".join(f"{name} {median(values):.3f} s" for name, values in steps.items()))
    print(f"processor seconds: ours {median(cpu['ours']):.2f}, the limit {median(cpu['limit']):.2f}")
    row = compare(
        f"collect {rows:,} × 10, {RULES} rules, s",
        samples["ours"],
        samples["limit"],
        limit_is="DuckDB COPY csv → parquet",
        goal=RATIO_GOAL,
        lower_is_better=True,
    )
    return row, median(samples["ours"]) / rows * 1_000_000


def measure_sizes(base: Path) -> Row:
    """The cost of a row must not grow with their number."""
    costs = [measure(base, rows)[1] for rows in SIZES]
    return compare(
        f"seconds for 1 M rows, at {SIZES[-1]:,}",
        costs[-1],
        costs[0],
        limit_is=f"the same at {SIZES[0]:,}",
        goal=LINEAR_GOAL,
        lower_is_better=True,
    )


def measure_large(base: Path) -> Row:
    """One run of many rows, and the most memory that this process had until then."""
    path = base / "large.csv"
    write_people(path, ROWS_LARGE, 7)
    started = perf_counter()
    collect_s(iter([path]), {})
    print(f"{ROWS_LARGE:,} rows in {perf_counter() - started:.1f} s")
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return compare(
        f"memory for {ROWS_LARGE:,} rows, GiB",
        peak_gib,
        MEMORY_GOAL_GIB,
        limit_is="what the goal allows",
        goal=1.0,
        lower_is_better=True,
    )


def main() -> None:
    is_full = "--full" in sys.argv
    sizes = [int(word) for word in sys.argv[1:] if word.isdigit()] or [ROWS_FULL if is_full else ROWS]
    base = Path(tempfile.mkdtemp(prefix="datong-bench-", dir="/var/tmp"))
    try:
        with running_platform(base):
            apply_contract()
            rows = [measure(base, size)[0] for size in sizes]
            if is_full:
                rows += [measure_sizes(base), measure_large(base)]
            write_results("collect", rows)
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
