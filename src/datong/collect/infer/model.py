"""What was seen of an unknown table, and what is suggested. Values only; a steward confirms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datong.catalog.words import TYPE_TITLES, LogicalType, UpdateCycle, grade_of
from datong.privacy.detect.model import SensitiveColumn
from datong.standards.matching import ElementMatch

NULL_WORDS = ("NA", "N/A", "n/a", "NULL", "null", "None", "nan", "NaN", "\\N", "#N/A", "-", "--", "—", "/", "…", "未知")
"""Texts that sources write for nothing. The last six count only in columns that are numbers or dates without them."""
SURE_NULL_WORDS = NULL_WORDS[:10]


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeGuess:
    """The type that the values have, all of them read. `failing` values do not have it (0.5 % at the most)."""

    logical_type: LogicalType
    date_format: str = ""
    failing: int = 0
    example: str = ""
    """A value without the type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """One column, measured over every row. Lengths in characters; `distinct` is exact when `distinct_is_exact`."""

    name: str
    title: str
    comment: str
    declared_type: str
    """As the database declares it, "" for a file."""
    values: int
    nulls: int
    null_words: tuple[str, ...]
    distinct: int
    distinct_is_exact: bool
    guess: TypeGuess
    length_min: int
    length_max: int
    has_leading_zeros: bool
    minimum: str
    maximum: str
    quartiles: tuple[float, ...]
    scale: int
    """Digits after the point."""
    shape: str
    """The one form of all values: 9 a digit, A a capital, a a small letter, 汉 a Chinese character; "" where many."""
    top: tuple[tuple[str, int], ...]
    """The commonest values with their counts, about."""
    few: tuple[str, ...] = ()
    """All values, where they are few."""

    @property
    def null_share(self) -> float:
        rows = self.values + self.nulls
        return self.nulls / rows if rows else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCandidate:
    """Columns whose values together are never empty and never twice the same."""

    columns: tuple[str, ...]
    declared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCandidate:
    """Values of `column` that stand in a key column of another table. `share` 1.0: all of them."""

    column: str
    to_table: str
    to_column: str
    share: float
    values: int
    declared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSuggestion:
    """What a column of the draft says, and why. `reasons` are (zh, en)."""

    profile: ColumnProfile
    name: str
    logical_type: LogicalType
    words: Mapping[str, Any]
    """The ODCS property, ready to be written."""
    reasons: tuple[tuple[str, str], ...]
    sensitive: tuple[SensitiveColumn, ...] = ()
    elements: tuple[ElementMatch, ...] = ()

    @property
    def type_titles(self) -> tuple[str, str]:
        return TYPE_TITLES[self.logical_type]

    @property
    def grade(self) -> int | None:
        """The suggested grade of GB/T 43697, 1–6."""
        return grade_of(str(self.words.get("classification", "")))


@dataclass(frozen=True, slots=True, kw_only=True)
class InferredTable:
    """A draft contract with the evidence for each of its words. `text` is YAML with comments."""

    resource_id: str
    title: str
    source: str
    rows: int
    columns: tuple[ColumnSuggestion, ...]
    keys: tuple[KeyCandidate, ...]
    links: tuple[LinkCandidate, ...]
    cycle: UpdateCycle | None
    cycle_reason: tuple[str, str]
    text: str
    notes: tuple[tuple[str, str], ...] = ()
    todo: tuple[tuple[str, str], ...] = field(default=())
    """What only a steward can say."""

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "resource": self.resource_id,
            "title": self.title,
            "source": self.source,
            "rows": self.rows,
            "columns": [_column_dict(column) for column in self.columns],
            "keys": [{"columns": list(key.columns), "declared": key.declared} for key in self.keys],
            "links": [
                {
                    "column": link.column,
                    "to": f"{link.to_table}.{link.to_column}",
                    "share": round(link.share, 4),
                    "values": link.values,
                    "declared": link.declared,
                }
                for link in self.links
            ],
            "update_cycle": self.cycle.value if self.cycle else None,
            "update_cycle_reason_zh": self.cycle_reason[0],
            "notes_zh": [zh for zh, _ in self.notes],
            "todo_zh": [zh for zh, _ in self.todo],
            "contract": self.text,
        }


def _column_dict(column: ColumnSuggestion) -> dict[str, Any]:
    profile = column.profile
    return {
        "name": column.name,
        "source_name": profile.name,
        "title": profile.title,
        "declared_type": profile.declared_type,
        "logical_type": column.logical_type.value,
        "values": profile.values,
        "nulls": profile.nulls,
        "null_share": round(profile.null_share, 4),
        "distinct": profile.distinct,
        "distinct_is_exact": profile.distinct_is_exact,
        "length_min": profile.length_min,
        "length_max": profile.length_max,
        "minimum": profile.minimum,
        "maximum": profile.maximum,
        "quartiles": list(profile.quartiles),
        "top": [list(pair) for pair in profile.top] if not column.sensitive else [],
        "evidence_zh": [zh for zh, _ in column.reasons],
        "evidence_en": [en for _, en in column.reasons],
        "sensitive": [dict(each.as_dict()) for each in column.sensitive],
        "elements": [{"id": match.element.id, "score": match.score} for match in column.elements],
    }
