"""What a detector can find, and what it says of a column. Values only.

Grades are those of a contract's `classification`: within 一般 the four levels of GB/T 43697-2024 annex H, raised by how
much a leak would harm a person. `is_sensitive` marks the sensitive personal information of the Personal Information
Protection Law (个人信息保护法) Article 28: biometrics, belief, specific identity, health, financial accounts,
whereabouts, and children under fourteen. `role` is that of GB/T 37964-2019: direct identifiers, quasi-identifiers,
sensitive attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from datong.catalog.words import GRADE_TITLES, IdentifierKind, Mask


class Role(StrEnum):
    """标识符的角色, GB/T 37964-2019 §3."""

    DIRECT = "direct"
    QUASI = "quasi"
    ATTRIBUTE = "attribute"
    ORGANISATION = "organisation"
    """It names no person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of sensitive data.

    `share_min` is the share of a column's values that must pass for the values alone to decide; `share_named` the one
    that is enough when the column's name speaks for the kind too (0: the name alone decides). `names` is a regular
    expression over the column's name and titles, `not_names` one that takes the evidence of values away.
    """

    code: str
    title_zh: str
    title_en: str
    role: Role
    grade: int
    mask: Mask
    names: str
    share_min: float = 2.0
    share_named: float = 0.0
    not_names: str = ""
    is_sensitive: bool = False
    identifier: IdentifierKind | None = None
    distinct_min: int = 0
    """Fewer distinct values are no evidence: what looks like names may be a short list of words."""

    @property
    def reads_values(self) -> bool:
        return self.share_min <= 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSeen:
    """A column to look at: its name in the relation and what people call it."""

    name: str
    title: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SensitiveColumn:
    """What was found in a column, with the evidence. `share` is of the values that are not empty, 0 to 1.

    `samples` are masked. `is_embedded`: the values contain it amid other text (a phone number in a remark).
    """

    column: str
    kind: str
    title_zh: str
    title_en: str
    role: Role
    grade: int
    mask: Mask
    is_sensitive: bool
    identifier: str
    values: int
    matched: int
    by_name: bool
    is_embedded: bool
    samples: tuple[str, ...]
    confidence: float

    @property
    def share(self) -> float:
        return self.matched / self.values if self.values else 0.0

    @property
    def reason_zh(self) -> str:
        verb = "含有" if self.is_embedded else "符合"
        parts = [f"{self.share:.1%}的值{verb}{self.title_zh}的格式与校验"] if self.matched else []
        parts += ["列名相符"] if self.by_name else []
        return "，".join(parts)

    @property
    def reason_en(self) -> str:
        verb = "hold" if self.is_embedded else "have the form and pass the check of"
        parts = [f"{self.share:.1%} of the values {verb} {self.title_en}"] if self.matched else []
        parts += ["the column's name says so"] if self.by_name else []
        return "; ".join(parts)

    def as_dict(self) -> Mapping[str, Any]:
        return {
            "column": self.column,
            "kind": self.kind,
            "title_zh": self.title_zh,
            "title_en": self.title_en,
            "role": self.role.value,
            "grade": self.grade,
            "classification": GRADE_TITLES[self.grade][0],
            "mask": self.mask.value,
            "is_sensitive": self.is_sensitive,
            "identifier": self.identifier,
            "values": self.values,
            "matched": self.matched,
            "share": round(self.share, 4),
            "by_name": self.by_name,
            "is_embedded": self.is_embedded,
            "samples": list(self.samples),
            "confidence": self.confidence,
            "reason_zh": self.reason_zh,
            "reason_en": self.reason_en,
        }
