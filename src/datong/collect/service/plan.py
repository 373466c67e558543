"""The plan of a run's checks, with what the platform knows beside the contract: divisions, history, waivers."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from datong.catalog.values import DataContract
from datong.collect.preparing import prepare
from datong.collect.rereading import Prepared
from datong.kernel.config import load_settings
from datong.kernel.ids import ResourceId
from datong.lake import service as lake
from datong.quality.contracts import History
from datong.quality.model import compile_checks
from datong.quality.service import find_waived_rules
from datong.quality.sql import text_sql
from datong.standards.divisions import Divisions, national_divisions, read_table

_HISTORY_VERSIONS = 20


def prepare_run(contract: DataContract, as_of: date) -> Prepared:
    """Everything that a file of this contract is held against on that day."""
    divisions = _find_divisions(contract)
    versions = lake.find_versions(ResourceId(contract.id), limit=_HISTORY_VERSIONS)
    history = History(row_counts=tuple(version.rows_count for version in versions))
    waived = find_waived_rules(contract.id, as_of)
    plan = compile_checks(contract, as_of, divisions=divisions, history=history, waived=waived)
    return prepare(contract, plan, as_of, divisions)


def _find_divisions(contract: DataContract) -> Divisions | None:
    """The division table, with the local codes of `<home>/divisions.csv` where a deployment has any."""
    is_needed = any(
        (column.identifier is not None and column.identifier.value == "division_code")
        or any(step.step == "division-name" for step in column.cleaning)
        for column in contract.columns
    )
    if not is_needed:
        return None
    local = load_settings().home / "divisions.csv"
    return (
        national_divisions().with_supplement(read_table(local).entries()) if local.is_file() else national_divisions()
    )


def export_references(prepared: Prepared, work: Path) -> dict[str, str]:
    """The tables that set checks read, as files in the run's work folder: relations in SQL by resource.

    Only the columns that a check needs, of the present version; a resource without one, or without such a column, is
    left out, and its checks are then reported as not evaluated.
    """
    found = {}
    for reference in prepared.plan.references:
        version = lake.current_version(ResourceId(reference.resource_id))
        if version is None or not set(reference.columns) <= {name for name, _ in lake.describe_version(version)}:
            continue
        target = work / f"{reference.relation}.parquet"
        reader = lake.read_version(version, columns=reference.columns)
        with pq.ParquetWriter(target, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
        found[reference.resource_id] = f"read_parquet({text_sql(str(target))})"
    return found
