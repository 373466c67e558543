"""The plan of a run's checks, with what the platform knows beside the contract: divisions, history, waivers."""

from __future__ import annotations

from datetime import date

from datong.catalog.values import DataContract
from datong.collect.preparing import prepare
from datong.collect.rereading import Prepared
from datong.kernel.config import load_settings
from datong.kernel.ids import ResourceId
from datong.lake import service as lake
from datong.quality.contracts import History
from datong.quality.model import compile_checks
from datong.standards.divisions import Divisions, national_divisions, read_table

_HISTORY_VERSIONS = 20


def prepare_run(contract: DataContract, as_of: date) -> Prepared:
    """Everything that a file of this contract is held against on that day."""
    divisions = _find_divisions(contract)
    versions = lake.find_versions(ResourceId(contract.id), limit=_HISTORY_VERSIONS)
    history = History(row_counts=tuple(version.rows_count for version in versions))
    plan = compile_checks(contract, as_of, divisions=divisions, history=history)
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
