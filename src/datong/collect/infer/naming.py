"""Names that a contract may carry, from whatever a source calls its tables and columns."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pypinyin import lazy_pinyin

from datong.collect.delimited import split_unit

_NAME_CHARACTERS_MAX = 48
_CHINESE = re.compile(r"[一-鿿]")


def is_chinese(text: str) -> bool:
    return _CHINESE.search(text) is not None


def plain_identifier(text: str, fallback: str) -> str:
    """Words joined by single underscores: companyName → company_name, 企业名称（万元） → qi_ye_ming_cheng."""
    text = split_unit(text.rsplit("/", 1)[-1])[0]
    words = "_".join(lazy_pinyin(text)) if is_chinese(text) else re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    if not name:
        return fallback
    name = name if name[0].isalpha() else f"{fallback}_{name}"
    return name[:_NAME_CHARACTERS_MAX].strip("_")


def unlike(name: str, taken: Iterable[str]) -> str:
    """The name, numbered when it is taken."""
    known, number, found = set(taken), 2, name
    while found in known:
        found, number = f"{name}_{number}", number + 1
    return found
