"""The values of an assessment: what each column was held against, what came out, and the score."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from datong.kernel.failures import NotFound


class Aspect(StrEnum):
    """What a column's description is held against. `values` of the data are measured apart."""

    ELEMENT = "element"
    NAMING = "naming"
    TYPE = "type"
    LENGTH = "length"
    CODE_LIST = "code-list"
    EDITION = "edition"
    IDENTIFIER = "identifier"
    UNIT = "unit"


ASPECT_TITLES: Mapping[Aspect, tuple[str, str]] = {
    Aspect.ELEMENT: ("数据元", "Element"),
    Aspect.NAMING: ("命名", "Naming"),
    Aspect.TYPE: ("类型", "Type"),
    Aspect.LENGTH: ("长度", "Length"),
    Aspect.CODE_LIST: ("代码集", "Code list"),
    Aspect.EDITION: ("版本", "Edition"),
    Aspect.IDENTIFIER: ("标识校验", "Identifier"),
    Aspect.UNIT: ("计量单位", "Unit"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One thing that the standard asks of a column's description, whether it is met, and what was found."""

    aspect: Aspect
    met: bool
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueShare:
    """How many of a column's values conform in one respect. `values_count` leaves empty cells out."""

    kind: str
    zh: str
    en: str
    values_count: int
    bad_count: int

    @property
    def share(self) -> float:
        """1.0 where there is no value to be wrong."""
        return 1.0 if not self.values_count else (self.values_count - self.bad_count) / self.values_count


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementHint:
    """The element that a column without one may be, with the reasons."""

    element_id: str
    title_zh: str
    title_en: str
    score: float
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnAssessment:
    """One column against its element. `values` is empty where no data was measured or no element is named."""

    name: str
    title_zh: str
    title_en: str
    element_id: str
    element_zh: str
    element_en: str
    requirements: tuple[Requirement, ...]
    values: tuple[ValueShare, ...] = ()
    hint: ElementHint | None = None

    @property
    def unmet(self) -> tuple[Requirement, ...]:
        return tuple(each for each in self.requirements if not each.met)

    @property
    def values_share(self) -> float | None:
        """The lowest of its shares: a value conforms when it conforms in every respect."""
        return min((each.share for each in self.values), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingElement:
    """An element of the set that was assessed against, for which there is no column."""

    element_id: str
    title_zh: str
    title_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """A contract, and the version of its table where there is one, held against the standards as of a day.

    `structure_score` is 100 × the requirements met of all requirements; `values_score` the mean of the columns' shares
    × 100, None without data; `score` the mean of both, or the first alone.
    """

    subject: str
    title_zh: str
    title_en: str
    agency: str
    contract_version: str
    contract_digest: str
    day: dt.date
    against: str
    against_zh: str
    against_en: str
    editions: tuple[str, ...]
    columns: tuple[ColumnAssessment, ...]
    missing: tuple[MissingElement, ...]
    version_id: str
    version_label: str
    rows_count: int | None
    structure_score: float
    values_score: float | None
    score: float

    @property
    def requirements_count(self) -> int:
        return sum(len(column.requirements) for column in self.columns) + len(self.missing)

    @property
    def unmet_count(self) -> int:
        return sum(len(column.unmet) for column in self.columns) + len(self.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """An assessment that was kept, with its signed documents."""

    number: str
    subject: str
    title_zh: str
    agency_id: str
    score: float
    assessment: Assessment
    digest: str
    issued_by: str
    issued_at: dt.datetime
    has_pdf: bool


class ReportUnknown(NotFound):
    code = "conformance-report-unknown"
    title, title_zh = "There is no such report", "没有这份报告"
