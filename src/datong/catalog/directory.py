"""目录编码: the directory code of the 2017 catalogue guide, 《政务信息资源目录编制指南（试行）》.

A front part of 类 (1 digit), 项 (2), 目 (3) and 细目 (any number), a slash, and a sequence: `101001/000001`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from datong.kernel.failures import BadInput

_CODE: Final = re.compile(r"([1-3])(\d{2})(\d{3})(\d{0,30})/(\d{1,12})", re.ASCII)

_FRONT: Final = re.compile(r"[1-3]\d{5}\d{0,30}", re.ASCII)

CLASS_TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "1": ("基础信息资源类", "Base information"),
    "2": ("主题信息资源类", "Thematic information"),
    "3": ("部门信息资源类", "Departmental information"),
}
BASE_ITEM_TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "01": ("国家人口基础信息库", "Population"),
    "02": ("法人单位信息资源库", "Legal entities"),
    "03": ("自然资源和空间地理基础信息库", "Natural resources and geography"),
    "04": ("社会信用信息库", "Social credit"),
    "05": ("电子证照库", "Electronic licences"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryCode:
    """The parts of a directory code: 类, 项, 目, 细目 and 顺序码, as digits."""

    class_code: str
    item_code: str
    entry_code: str
    detail_code: str
    sequence: str

    def __str__(self) -> str:
        return f"{self.class_code}{self.item_code}{self.entry_code}{self.detail_code}/{self.sequence}"

    @property
    def class_titles(self) -> tuple[str, str]:
        return CLASS_TITLES[self.class_code]


def is_directory_code(text: str) -> bool:
    return _CODE.fullmatch(text) is not None


def is_directory_front(text: str) -> bool:
    """Whether the text is 类, 项, 目 and 细目 without a sequence."""
    return _FRONT.fullmatch(text) is not None


def parse_directory_code(text: str) -> DirectoryCode:
    """Take a directory code apart. Raises `BadInput`."""
    match = _CODE.fullmatch(text)
    if match is None:
        raise BadInput(
            f"`{text}` is not a directory code. Write e.g. 101001/000001.",
            hint_zh=f"“{text}”不是目录编码，应如101001/000001。",
            value=text,
        )
    class_code, item, entry, detail, sequence = match.groups()
    return DirectoryCode(class_code=class_code, item_code=item, entry_code=entry, detail_code=detail, sequence=sequence)
