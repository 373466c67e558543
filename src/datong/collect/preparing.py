"""What a run does before anything is written: the plan, the check, and the comparison with the sender's bill.

No Django: values and files in, values out. The landed file is read once by the check; where the bill has control
sums, the cells as they came are added up in a pass of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from datong.catalog.values import DataContract
from datong.collect.checking import CheckedFile, Manner, Progress, check_file
from datong.collect.cleaning import make_context
from datong.collect.contracts import (
    Bill,
    BillDifference,
    Block,
    BlockKind,
    ColumnsDiffer,
    RunNote,
)
from datong.collect.drift import propose_contract
from datong.collect.readers.reading import wanted_columns
from datong.collect.reconcile import (
    Measured,
    compare_bill,
    explain_differences,
    measure_sql,
    read_measures,
    resolve_columns,
)
from datong.collect.rereading import Delivery, Prepared, map_header
from datong.collect.scan import open_engine
from datong.quality.contracts import Check, CheckKind, CheckPlan, Dimension, Severity
from datong.quality.scoring import blocking_findings
from datong.standards.divisions import Divisions

DEDUPLICATE = "cleaning.deduplicate"
_POSITIONS = {
    "row": ("行号按工作表的行计", "Line numbers count the sheet's rows"),
    "record": ("行号按记录的序号计", "Line numbers count the records"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDelivery:
    """The checked file, where the bill differs, and why the run must wait, if it must."""

    file: CheckedFile
    differences: tuple[BillDifference, ...] = ()
    notes: tuple[RunNote, ...] = ()
    blocks: tuple[Block, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)


def prepare(contract: DataContract, plan: CheckPlan, as_of: date, divisions: Divisions | None) -> Prepared:
    """The plan with what collecting adds to it: deduplication as a rule over all rows."""
    return Prepared(
        contract=contract,
        plan=with_deduplication(plan, contract),
        cleaning=make_context(contract.columns, as_of, divisions),
        wanted=tuple(wanted_columns(contract)),
    )


def with_deduplication(plan: CheckPlan, contract: DataContract) -> CheckPlan:
    """`deduplicate` as a uniqueness check: rows that repeat others are set aside, told and kept, never thrown away.

    It comes before the contract's other keys, so that a declared repetition is no finding against the provider.
    """
    checks = []
    for turn, step in enumerate(contract.cleaning):
        if step.step != "deduplicate":
            continue
        columns = tuple(step.arguments.get("by", ()))
        checks.append(
            Check(
                id=DEDUPLICATE if turn == 0 else f"{DEDUPLICATE}-{turn + 1}",
                kind=CheckKind.UNIQUE,
                column=columns[0],
                columns=columns,
                dimension=Dimension.ACCURACY,
                severity=Severity.REJECT,
                reason_zh=f"按{'、'.join(_titles(contract, columns))}去重",
                reason_en=f"repeated by {', '.join(_titles_en(contract, columns))}",
                params={"keep": step.arguments.get("keep", "last")},
            )
        )
    return replace(plan, unique_checks=(*checks, *plan.unique_checks)) if checks else plan


def _titles(contract: DataContract, names: Sequence[str]) -> list[str]:
    return [contract.by_name[name].title or name for name in names]


def _titles_en(contract: DataContract, names: Sequence[str]) -> list[str]:
    return [contract.by_name[name].title_en or name for name in names]


def check_delivery(
    delivery: Delivery,
    prepared: Prepared,
    work: Path,
    progress: Progress,
    references: Mapping[str, str] = MappingProxyType({}),
) -> CheckedDelivery:
    """Check the file and hold it against its bill. Raises the failures of a file that is no table of this contract.

    `references` are the tables that set checks read: relations in SQL by resource.
    """
    bill = delivery.bill
    columns = resolve_columns(bill, prepared.contract) if bill else {}
    try:
        checked = check_file(
            delivery.path,
            delivery.facts,
            prepared.wanted,
            prepared.plan,
            work,
            manner=_manner(delivery, prepared, references),
            progress=progress,
        )
    except ColumnsDiffer as refused:
        explain_columns(refused, prepared)
        raise
    sums: dict[str, Any] = {}
    distinct: dict[str, int] = {}
    if bill and (bill.sums or bill.distinct):
        sums, distinct = _measure(checked, bill, columns, work)
    differences: tuple[BillDifference, ...] = ()
    if bill:
        differences = compare_bill(
            bill,
            Measured(
                rows=checked.rows_read,
                bytes=delivery.facts.bytes,
                sha256=delivery.digest,
                sums=sums,
                distinct=distinct,
            ),
        )
    return CheckedDelivery(
        file=checked,
        differences=differences,
        notes=tuple(_notes(checked)),
        blocks=(*_bill_blocks(differences), *_rule_blocks(prepared.plan, checked)),
    )


def _manner(delivery: Delivery, prepared: Prepared, references: Mapping[str, str]) -> Manner:
    return Manner(
        filename=delivery.filename,
        reading=prepared.contract.reading,
        delimiter=delivery.delimiter,
        mapper=lambda header, rows: map_header(prepared, header, rows),
        cleaned=prepared.cleaned,
        cleaning=prepared.cleaning,
        references=references,
        key=tuple(column.name for column in prepared.contract.key_columns),
    )


def _notes(checked: CheckedFile) -> Iterator[RunNote]:
    """What the reader and the mapping of columns had to say."""
    if checked.position_word in _POSITIONS:
        zh, en = _POSITIONS[checked.position_word]
        yield RunNote(code="position", zh=zh, en=en)
    for note in checked.notes:
        yield RunNote(code=note.code, zh=note.zh, en=note.en, text=note.text)
    for finding in checked.drift:
        named = f"{finding.header} → {finding.column}" if finding.column and finding.header else ""
        yield RunNote(
            code=f"column-{finding.kind}",
            zh=f"{named or finding.header or finding.column}：{finding.evidence_zh}",
            en=f"{named or finding.header or finding.column}: {finding.evidence_en}",
        )


def _bill_blocks(differences: Sequence[BillDifference]) -> list[Block]:
    if not differences:
        return []
    zh, en = explain_differences(differences)
    return [
        Block(
            kind=BlockKind.BILL,
            reason_zh=f"与对账单不符：{zh}",
            reason_en=f"the bill differs: {en}",
            facts={"differences": [d.what for d in differences]},
        )
    ]


def _rule_blocks(plan: CheckPlan, checked: CheckedFile) -> list[Block]:
    return [
        Block(
            kind=BlockKind.RULE,
            reason_zh=f"规则不通过：{finding.reason_zh}（{finding.rows_bad:,}行）",
            reason_en=f"a blocking rule is broken: {finding.reason_en} ({finding.rows_bad:,} rows)",
            facts={"rule": finding.check_id, "rows": finding.rows_bad},
        )
        for finding in blocking_findings(plan, checked.score)
    ]


def _measure(
    checked: CheckedFile, bill: Bill, columns: Mapping[str, str], work: Path
) -> tuple[dict[str, Any], dict[str, int]]:
    """The control sums of the rows as they came."""
    with open_engine(work) as engine:
        row = engine.execute(measure_sql(bill, columns, checked.raw_sql, str)).fetchone()
    return read_measures(bill, row or ())


# Columns that differ -----------------------------------------------------------------------------------------------
def explain_columns(refused: ColumnsDiffer, prepared: Prepared) -> None:
    """Add to the refusal the change of contract that would end the drift, as a diff of its YAML."""
    renamed = {each["column"]: each["header"] for each in refused.facts.get("suggestions", ())}
    if renamed:
        refused.facts = {**refused.facts, "proposal": propose_contract(prepared.contract, renamed)[1]}
