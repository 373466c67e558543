"""The values of standards that cross walls: codes, code lists, data elements, and the editions they come in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from datong.kernel.failures import BadInput, Conflict, NotFound


class EditionKind(StrEnum):
    CODES = "codes"
    DIVISIONS = "divisions"
    ELEMENTS = "elements"


KIND_TITLES: Mapping[EditionKind, tuple[str, str]] = {
    EditionKind.CODES: ("代码集", "Code list"),
    EditionKind.DIVISIONS: ("行政区划", "Divisions"),
    EditionKind.ELEMENTS: ("数据元", "Data elements"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One value of a list. `valid_to` is exclusive; None on either side is open. `parent` is a code of the list."""

    code: str
    title_zh: str
    title_en: str = ""
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None
    parent: str = ""
    note: str = ""

    def is_valid_on(self, day: dt.date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day < self.valid_to)


SUCCESSION_TITLES: Mapping[str, tuple[str, str]] = {
    "renamed": ("更名", "renamed"),
    "recoded": ("改码", "recoded"),
    "merged": ("并入", "merged into"),
    "split": ("析置", "split into"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """On that day `to_code` took the place of `code`, wholly (renamed, recoded, merged) or in part (split).

    `is_derived`: concluded from two snapshots of a table and not stated by anybody; then `on` is the later snapshot.
    """

    code: str
    to_code: str
    on: dt.date
    kind: str
    note: str = ""
    is_derived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """A data element 数据元 (GB/T 19488.1): what a field means and the form its values take.

    `form` is a representation of GB/T 18391 (see `representation.py`); `code_list` may pin an edition (`gbt4754@2017`);
    `identifier` is a kind of `identifiers.py`. `minimum` and `maximum` bound numbers.
    """

    id: str
    name: str
    title_zh: str
    title_en: str = ""
    definition: str = ""
    type: str = "string"
    form: str = ""
    code_list: str = ""
    identifier: str = ""
    pattern: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One edition of a standard as it is imported and kept: never changed; a correction is another edition.

    In force from `valid_from` until `valid_to` (exclusive) or, where that is open, until the next edition begins.
    `covers_from` and `covers_to` are the span of snapshots that a table of divisions was made of.
    """

    kind: EditionKind
    name: str
    edition: str
    title_zh: str
    title_en: str = ""
    source: str = ""
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None
    covers_from: dt.date | None = None
    covers_to: dt.date | None = None
    confirmed: bool = True
    codes: tuple[Code, ...] = ()
    succession: tuple[Succession, ...] = ()
    elements: tuple[Element, ...] = ()
    is_shipped: bool = field(default=False, compare=False)
    """Comes with the platform; what was imported under the same name and edition takes its place."""

    @property
    def label(self) -> str:
        """How a contract pins it: `gbt4754@2017`."""
        return f"{self.name}@{self.edition}"

    @property
    def entries_count(self) -> int:
        return len(self.elements) if self.kind is EditionKind.ELEMENTS else len(self.codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardFinding:
    """One thing that is wrong with a file to be imported. `line` counts from 1; 0 is the file as a whole."""

    file: str
    line: int
    message_zh: str
    message_en: str

    def sentence(self) -> str:
        return f"{self.file}:{self.line}: {self.message_en}" if self.line else f"{self.file}: {self.message_en}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReport:
    """A report on conformance as it was kept: its result as JSON, its documents, and their detached signatures."""

    number: str
    subject: str
    """The resource's id."""
    title_zh: str
    agency_id: str
    contract_version: str
    version_id: str
    score: float
    result: str
    digest: str
    result_jws: str
    html: str
    html_jws: str
    pdf: bytes | None
    pdf_jws: str
    issued_by: str
    issued_by_name: str
    issued_at: dt.datetime


class CodeListUnknown(NotFound):
    code = "code-list-unknown"
    title, title_zh = "There is no such code list", "没有这个代码集"


class ElementUnknown(NotFound):
    code = "element-unknown"
    title, title_zh = "There is no such data element", "没有这个数据元"


class StandardInvalid(BadInput):
    """A file cannot be imported; `findings` says where and why, all at once."""

    code = "standard-invalid"
    title, title_zh = "The file is not a standard that can be imported", "该文件不能作为标准导入"

    def __init__(self, findings: tuple[StandardFinding, ...]) -> None:
        self.findings = findings
        shown = findings[:20]
        super().__init__(
            "; ".join(finding.sentence() for finding in shown),
            hint_zh="；".join(f"{f.file}{f'第{f.line}行' if f.line else ''}：{f.message_zh}" for f in shown),
            findings_count=len(findings),
        )


class EditionFixed(Conflict):
    """An edition of that name is there with other content: editions are never changed."""

    code = "edition-fixed"
    title, title_zh = "This edition is there already and is never changed", "该版本已存在，且不可更改"


class EditionOverlaps(Conflict):
    """Two editions would be in force on the same day."""

    code = "edition-overlaps"
    title, title_zh = "Another edition is in force in that time", "该时段已有另一版本在有效期内"
