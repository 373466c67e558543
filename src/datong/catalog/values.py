"""A data contract as frozen values. `odcs.py` is the door that makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

from datong.catalog.words import (
    CollectMode,
    DriftPolicy,
    IdentifierKind,
    LogicalType,
    Mask,
    ResourceFormat,
    Secrecy,
    ShareChannel,
    ShareMode,
    SharingType,
    UpdateCycle,
)
from datong.catalog.yaml_text import read_yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class CleaningStep:
    """One declared repair of a cell, e.g. `unit` with from 万元 and to 元; `deduplicate` is of the table."""

    step: str
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """Columns whose values must stand in another resource: ODCS `relationships` of type foreignKey."""

    columns: tuple[str, ...]
    resource_id: str
    to_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryMetadata:
    """Core metadata of the 2017 guide 《政务信息资源目录编制指南（试行）》 that no other field of a contract holds.

    `provider_code` is the provider's USCC (提供方代码), `published_on` an ISO date (发布日期), `related` the ids or
    directory codes of 关联资源, `format_detail` the product or suffix, e.g. KingbaseES or xlsx.
    """

    provider_code: str = ""
    format: ResourceFormat | None = None
    format_detail: str = ""
    channel: ShareChannel = ShareChannel.PLATFORM
    opening_condition: str = ""
    published_on: str = ""
    related: tuple[str, ...] = ()
    secrecy: Secrecy = Secrecy.UNSTATED


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRule:
    """An ODCS quality rule (library, sql, custom or text) as it stands in the contract.

    `operator` is mustBe … mustNotBeBetween and `bound` its value. `kind` custom with engine `datong` carries a
    comparison of two columns in `implementation`, e.g. `valid_from <= valid_to`.
    """

    kind: str
    name: str
    metric: str = ""
    operator: str = ""
    bound: Any = None
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)
    unit: str = ""
    dimension: str = ""
    severity: str = ""
    engine: str = ""
    implementation: str = ""
    description: str = ""
    path: str = ""
    custom: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """The rule's own customProperties by name: blocks, weight, when, exception …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `title` is Chinese; `source_names` are the headers under which a delivered file may carry it.

    `sharing` is the column's own type where it says one and the resource's otherwise. `minimum` and `maximum` are
    numbers for integer and number, ISO text for date and timestamp; exclusive where the flag says so.
    `null_tokens` holds the column's own and the contract's. `date_format` is in the JDK's letters, "" for ISO 8601;
    a format without a day means the period's first day.
    """

    name: str
    title: str
    title_en: str
    description: str
    logical_type: LogicalType
    physical_name: str
    physical_type: str
    required: bool
    unique: bool
    primary_key: bool
    key_position: int
    element: str
    code_list: str
    values: tuple[str, ...]
    identifier: IdentifierKind | None
    identifier_as_of: str
    """For division codes: the column that holds the date, or "" for the day of the run."""
    identifier_severity: str
    """reject (to quarantine) or warn (a finding only) when the identifier's check fails."""
    pattern: str
    length_min: int | None
    length_max: int | None
    minimum: int | float | str | None
    maximum: int | float | str | None
    minimum_is_exclusive: bool
    maximum_is_exclusive: bool
    date_format: str
    unit: str
    rules: tuple[QualityRule, ...]
    grade: int
    sharing: SharingType
    sharing_basis: str
    sharing_condition: str
    verify: bool
    mask: Mask
    null_tokens: tuple[str, ...]
    cleaning: tuple[CleaningStep, ...] = ()
    references: tuple[ForeignKey, ...] = ()
    source_agency: str = ""
    """责任部门 of this one field, where it is not the resource's provider: 一数一源."""
    source_material: str = ""
    """The paper, licence or record that the value is taken from."""

    @property
    def source_names(self) -> tuple[str, ...]:
        """Headers by which a file's column is recognised, in order of preference, without repetition."""
        return tuple(dict.fromkeys(n for n in (self.name, self.physical_name, self.title, self.title_en) if n))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """The terms on which the resource is shared: type, its condition or legal basis, and the modes offered."""

    type: SharingType
    condition: str
    basis: str
    modes: frozenset[ShareMode]


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """Columns that bound when a row holds. Both ends belong to it; an empty `to` means that it still holds.

    `unit` is day, month or year: with month, a `to` of 200912 holds to 31 December 2009.
    """

    from_column: str
    to_column: str
    unit: str


@dataclass(frozen=True, kw_only=True)
class DataContract:
    """A data contract, ODCS 3.1. `id` is the resource's id; `title_zh` is the ODCS `name`, `name` the table's.

    `text` is the canonical YAML, with all that Datong does not use. Two contracts are equal when their texts are.
    """

    id: str
    version: str
    name: str = field(compare=False)
    agency: str = field(compare=False)
    title_zh: str = field(compare=False)
    title_en: str = field(compare=False)
    description: str = field(compare=False)
    status: str = field(compare=False)
    directory_code: str = field(compare=False)
    columns: tuple[Column, ...] = field(compare=False)
    sharing: Sharing = field(compare=False)
    update_cycle: UpdateCycle = field(compare=False)
    validity: Validity | None = field(compare=False)
    rules: tuple[QualityRule, ...] = field(compare=False)
    null_tokens: tuple[str, ...] = field(compare=False)
    collect_mode: CollectMode = field(compare=False)
    opening: SharingType = field(compare=False)
    licence: str = field(compare=False)
    attribution: str = field(compare=False)
    text: str
    reading: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """How a delivered file is read; the keys are those of `collecting_words.READING_KEYS`."""
    cleaning: tuple[CleaningStep, ...] = field(default=(), compare=False)
    drift: DriftPolicy = field(default=DriftPolicy.REFUSE, compare=False)
    event_time_column: str = field(default="", compare=False)
    """The column that tells a late row from a later one."""
    retention_days: int | None = field(default=None, compare=False)
    bill_required: bool = field(default=False, compare=False)
    stages: Mapping[str, str] = field(default_factory=dict, compare=False)
    directory: DirectoryMetadata = field(default_factory=DirectoryMetadata, compare=False)
    references: tuple[ForeignKey, ...] = field(default=(), compare=False)
    """Foreign keys of several columns, which stand at the table; a single column's stand at the column."""

    @property
    def raw(self) -> dict[str, Any]:
        """The whole mapping with all that Datong does not use, read afresh from the text: the caller may change it."""
        mapping: dict[str, Any] = read_yaml(self.text).data
        return mapping

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical text, hexadecimal."""
        return sha256(self.text.encode()).hexdigest()

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        return {column.name: column for column in self.columns}

    @cached_property
    def key_columns(self) -> tuple[Column, ...]:
        """The primary key, in key order."""
        keys = [column for column in self.columns if column.primary_key]
        return tuple(sorted(keys, key=lambda column: column.key_position))

    @cached_property
    def lookup_columns(self) -> tuple[Column, ...]:
        """What a verification gives as its key: the primary key less the validity columns (`as_of` stands for them)."""
        ends = {self.validity.from_column, self.validity.to_column} if self.validity else set()
        return tuple(column for column in self.key_columns if column.name not in ends)

    @cached_property
    def verify_columns(self) -> tuple[Column, ...]:
        """Columns that a verification may claim a value of."""
        return tuple(column for column in self.columns if column.verify)

    @cached_property
    def grantable_columns(self) -> tuple[Column, ...]:
        """Columns that a grant may carry: all that are not withheld."""
        return tuple(column for column in self.columns if column.sharing is not SharingType.WITHHELD)

    @property
    def grade_max(self) -> int:
        return max(column.grade for column in self.columns)
