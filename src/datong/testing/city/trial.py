"""A trial of collection on the city: the real reading, cleaning and checks of a delivered table, without a platform.

Nothing is landed or committed; what a run would refuse and what it would accept are the same (`collect.preparing`).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datong.catalog.odcs import load_contract
from datong.collect.delimited import scan_file
from datong.collect.preparing import CheckedDelivery, check_delivery, prepare
from datong.collect.reconcile import read_bill
from datong.collect.rereading import Delivery
from datong.quality.model import compile_checks
from datong.testing.city.agencies import TABLES, TABLES_BY_NAME
from datong.testing.city.bills import digest_of
from datong.testing.city.faults import FAULTS, Seen
from datong.testing.city.model import AS_OF_DEFAULT
from datong.testing.city.places import city_divisions
from datong.testing.city.score import CityScore, score_refused

COLLECTED: Final = tuple(table.spec.resource for table in TABLES if table.spec.form not in ("pgsql", "mysql"))
"""Tables that arrive as files; the two databases' dumps are restored and read as databases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a run would make of a table. `mended` counts, for the kinds that cleaning can put right, the faulty rows
    that were accepted with every value that the fault touched as it truly is."""

    checked: CheckedDelivery
    refused: dict[int, tuple[str, ...]]
    score: CityScore
    mended: Counter[str]


def try_table(city: Path, resource: str, work: Path, *, as_of: dt.date = AS_OF_DEFAULT) -> Trial:
    """Read, clean and check a table with its contract and bill, and score it. `work` must not exist yet."""
    work.mkdir(parents=True)
    checked = _check(city, resource, work, as_of)
    refused = _refused(checked)
    score = score_refused(city, resource, refused)
    return Trial(checked=checked, refused=refused, score=score, mended=_count_mended(city, resource, checked, refused))


def _check(city: Path, resource: str, work: Path, as_of: dt.date) -> CheckedDelivery:
    spec = TABLES_BY_NAME[resource].spec
    contract = load_contract(city / "contracts" / f"{resource}.odcs.yaml")
    divisions = city_divisions()
    plan = compile_checks(contract, as_of, divisions=divisions)
    path = city / spec.agency / spec.file_name
    delivery = Delivery(
        path=path,
        filename=path.name,
        digest=digest_of(path),
        facts=scan_file(path),
        bill=read_bill(path.with_name(f"{resource}.bill.json").read_bytes()),
    )
    prepared = prepare(contract, plan, as_of, divisions)
    return check_delivery(delivery, prepared, work, lambda _step, _done, _total: None)


def _refused(checked: CheckedDelivery) -> dict[int, tuple[str, ...]]:
    if checked.file.quarantine is None:
        return {}
    rows: list[dict[str, Any]] = pq.read_table(checked.file.quarantine, columns=["line", "rule"]).to_pylist()
    return {row["line"]: (row["rule"],) for row in rows}


def _count_mended(city: Path, resource: str, checked: CheckedDelivery, refused: dict[int, Any]) -> Counter[str]:
    """Faulty rows are found among the accepted ones by their true key: one that kept a false key is not mended."""
    only = pc.field("resource") == resource
    labels = pq.read_table(city / "truth" / "labels.parquet", filters=only).to_pylist()
    labels = [
        label for label in labels if FAULTS[label["kind"]].seen is Seen.CLEANABLE and label["line"] not in refused
    ]
    keys = TABLES_BY_NAME[resource].spec.key_columns
    with duckdb.connect() as engine:
        rows: list[dict[str, Any]] = engine.execute(checked.file.source_sql).to_arrow_table().to_pylist()
    wanted = {label["key"] for label in labels}
    by_key = {key: row for row in rows if (key := "|".join(str(row[name]) for name in keys)) in wanted}
    wrong = {
        (label["kind"], label["line"])
        for label in labels
        if label["key"] not in by_key or not _is(by_key[label["key"]][label["column"]], label["truth"])
    }
    return Counter(kind for kind, _ in {(label["kind"], label["line"]) for label in labels} - wrong)


def _is(value: object, truth: str | None) -> bool:
    """Whether the typed value is what the truth says; a date as ISO, a number as a number, nothing as ""."""
    if value is None:
        return not truth
    if truth is None or isinstance(value, str):
        return value == truth
    if isinstance(value, dt.date):
        return value.isoformat()[:10] == truth
    return bool(truth) and float(str(value)) == float(truth)
