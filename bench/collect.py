"""Collect a CSV of 1,000,000 rows × 10 columns with 8 rules against DuckDB's own COPY of it to Parquet.

`python bench/collect.py [ROWS]`. Ours is the whole of it: landing with its digest and fsync, the check pass,
quarantine, the encrypted write into DuckLake, the version and the audit rows in PostgreSQL. The limit is one statement
that reads the same file and writes Parquet, with nothing checked and nothing kept: no copy, no digest, no fsync, no
encryption, no transaction. Both write Snappy in row groups of one size, the defaults of COPY and of DuckLake; the limit
may use every core, ours COLLECT_THREADS_MAX and LAKE_THREADS of them. Two files alternate, as daily deliveries do, so
that every run makes a version in the place of a million rows; about 3 rows in 1,000 are bad, some keys occur twice.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from statistics import median
from time import perf_counter

import duckdb
from common import compare, run_alternating, write_results

from datong.kernel.ids import ResourceId, seeded
from datong.standards.identifiers import resident_id_check_character

ROWS = 1_000_000
RATIO_GOAL = 2.0
REPEATS = 7
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
      - {name: name, businessName: 姓名, logicalType: string, classification: 一般3级,
         logicalTypeOptions: {pattern: "[一-龥·]{2,20}"}}
      - name: sex
        businessName: 性别
        logicalType: string
        classification: 一般2级
        quality: [{metric: invalidValues, arguments: {validValues: ["1", "2"]}, mustBe: 0}]
      - {name: birth_date, businessName: 出生日期, logicalType: date, classification: 一般3级}
      - {name: division, businessName: 行政区划, logicalType: string, classification: 一般2级,
         customProperties: [{property: identifierKind, value: division_code}]}
      - {name: address, businessName: 住址, logicalType: string, classification: 一般3级}
      - {name: phone, businessName: 电话, logicalType: string, classification: 一般3级}
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
HEADER = "id_number,name,sex,birth_date,division,address,phone,income,status,remark\n"
DIVISIONS = ("110101", "110102", "110105", "310101", "310104", "440103", "440104", "510104", "510105")


def write_people(path: Path, rows: int, seed: int) -> None:
    rng = seeded(seed)
    last = ""
    with path.open("w", encoding="utf-8", newline="") as out:
        out.write(HEADER)
        for number in range(rows):
            year, month, day = 1940 + number % 75, 1 + number % 12, 1 + number // 900 % 28
            body = f"{DIVISIONS[number % 9]}{year}{month:02d}{day:02d}{1 + number // 25_200:03d}"
            key = body + resident_id_check_character(body)
            if number % 500 == 7:
                key = body + "Z"
            elif number % 2000 == 11:
                key = last
            last = key
            name = rng.choice(SURNAMES) + rng.choice(GIVEN) + rng.choice(GIVEN)
            born = f"{year}-{month:02d}-{day:02d}"
            out.write(
                f"{key},{name},{1 + number % 2},{born},{DIVISIONS[number % 9]},青原区学院路{1 + number % 997}号,"
                f"1{rng.randrange(10**10):010d},{rng.randrange(10**7) / 100:.2f},正常,{'' if number % 3 else '户主'}\n"
            )


def start_platform(base: Path) -> None:
    """An embedded PostgreSQL with the platform's tables, durable as in use."""
    os.environ["DATONG_HOME"] = str(base / "home")
    from datong.app.postgres import EmbeddedPostgres
    from datong.kernel.config import load_settings

    global _server
    _server = EmbeddedPostgres(load_settings())
    os.environ["DATONG_DATABASE_URL"] = _server.start().reveal()
    from datong.app.control.setup import set_up_django

    set_up_django()
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)
    from datong.catalog.service import apply_contract
    from datong.testing.cast import make_cast

    cast = make_cast({AGENCY: ("测速局", "Bench Bureau")})
    apply_contract(cast.actor(f"{AGENCY}.steward"), CONTRACT, base_version=None)


def collect_s(files: Iterator[Path], steps: dict[str, list[float]]) -> float:
    from datong.collect.service import execute_run, start_run
    from datong.kernel.contracts import platform_actor

    path = next(files)
    started = perf_counter()
    run_id = start_run(platform_actor("bench"), RESOURCE, path, path.name, in_background=False)
    landed = perf_counter()
    run = execute_run(run_id)
    ended = perf_counter()
    if run.state != "done" or run.rows_read != run.rows_accepted + run.rows_quarantined or not run.rows_quarantined:
        raise SystemExit(f"the run is {run.state}: {run.failure}")
    steps.setdefault("land", []).append(landed - started)
    for step in run.steps:
        if step.seconds:
            steps.setdefault(step.name, []).append(step.seconds)
    steps["rows"] = [run.rows_read, run.rows_accepted, run.rows_quarantined]
    return ended - started


def copy_s(files: Iterator[Path], target: Path) -> float:
    path = next(files)
    started = perf_counter()
    with duckdb.connect() as connection:
        connection.execute(f"copy (select * from read_csv('{path}')) to '{target}' (format parquet)")
    return perf_counter() - started


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    base = Path(tempfile.mkdtemp(prefix="datong-bench-", dir="/var/tmp"))
    base.chmod(0o711)
    steps: dict[str, list[float]] = {}
    try:
        files = [base / "monday.csv", base / "tuesday.csv"]
        for seed, path in enumerate(files):
            write_people(path, rows + 1000 * seed, seed)
        start_platform(base)
        ours, limit = cycle(files), cycle(files)
        samples = run_alternating(
            {"ours": lambda: collect_s(ours, steps), "limit": lambda: copy_s(limit, base / "copy.parquet")},
            repeats=REPEATS,
        )
        read, accepted, quarantined = steps.pop("rows")
        print(f"{read:,} rows read = {accepted:,} accepted + {quarantined:,} quarantined")
        print("medians: " + ", ".join(f"{name} {median(values):.3f} s" for name, values in steps.items()))
        row = compare(
            f"collect {rows:,} × 10, 8 rules, s",
            samples["ours"],
            samples["limit"],
            limit_is="DuckDB COPY csv → parquet",
            goal=RATIO_GOAL,
            lower_is_better=True,
        )
        write_results("collect", [row])
    finally:
        _server.stop()
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
