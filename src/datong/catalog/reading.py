"""Reading one mapping of a contract: typed look-ups that note a finding instead of raising."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from datong.catalog.yaml_text import Path, YamlDocument

W = TypeVar("W", bound=StrEnum)

CUSTOM_WORDS_CONTRACT = frozenset(
    [
        "agency",
        "titleEn",
        "directoryCode",
        "sharingType",
        "sharingCondition",
        "sharingBasis",
        "shareModes",
        "openingType",
        "licence",
        "attribution",
        "validFrom",
        "validTo",
        "nullTokens",
        "collectMode",
        "reading",
        "cleaning",
        "schemaDrift",
        "eventTimeColumn",
        "landingRetentionDays",
        "billRequired",
        "stages",
        "providerCode",
        "resourceFormat",
        "formatDetail",
        "shareChannel",
        "openingCondition",
        "publishedOn",
        "relatedResources",
        "secrecy",
    ]
)
CUSTOM_WORDS_COLUMN = frozenset(
    [
        "titleEn",
        "element",
        "codeList",
        "identifierKind",
        "identifierAsOf",
        "identifierSeverity",
        "sharingType",
        "sharingBasis",
        "sharingCondition",
        "verify",
        "mask",
        "nullTokens",
        "unit",
        "cleaning",
        "sourceAgency",
        "sourceMaterial",
    ]
)


class Part:
    """A mapping at a path. A value of the wrong type reads as absent: the schema check has already said so."""

    def __init__(self, document: YamlDocument, data: Any, path: Path) -> None:
        self.document = document
        self.data: Mapping[str, Any] = data if isinstance(data, dict) else {}
        self.path = path

    def text(self, key: str, default: str = "") -> str:
        value = self.data.get(key)
        return value if isinstance(value, str) else default

    def flag(self, key: str) -> bool:
        return self.data.get(key) is True

    def integer(self, key: str) -> int | None:
        value = self.data.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def mapping(self, key: str) -> Part:
        return Part(self.document, self.data.get(key), (*self.path, key))

    def mappings(self, key: str) -> list[Part]:
        value = self.data.get(key)
        items = value if isinstance(value, list) else []
        return [Part(self.document, item, (*self.path, key, index)) for index, item in enumerate(items)]

    def add(self, code: str, message: tuple[str, str], remedy: tuple[str, str], key: str = "") -> None:
        self.document.add((*self.path, key) if key else self.path, code, message, remedy)


class CustomWords:
    """The `customProperties` of a contract or column, by property name."""

    def __init__(self, holder: Part, known: frozenset[str]) -> None:
        self._holder = holder
        self._values: dict[str, tuple[Any, Part]] = {}
        for item in holder.mappings("customProperties"):
            name = item.text("property")
            if name in self._values:
                item.add(
                    "custom.twice",
                    (f"The property `{name}` is given twice", f"自定义属性“{name}”写了两次"),
                    ("Keep one.", "请只保留一个。"),
                )
            elif name and name not in known and "vendor" not in item.data:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.82)
                if near:
                    item.add(
                        "custom.misspelt",
                        (f"`{name}` is not a word of ours", f"“{name}”不是平台的自定义属性"),
                        (
                            f"Did you mean `{near[0]}`? If not, say whose it is with `vendor:`.",
                            f"是否应为“{near[0]}”？如果不是，请用vendor注明出处。",
                        ),
                    )
            self._values[name] = (item.data.get("value"), item)

    def has(self, name: str) -> bool:
        return name in self._values

    def add(self, name: str, code: str, message: tuple[str, str], remedy: tuple[str, str]) -> None:
        """A finding at the property's value, or at the holder when the property is absent."""
        if name in self._values:
            self._values[name][1].add(code, message, remedy, key="value")
        else:
            self._holder.add(code, message, remedy)

    def text(self, name: str, default: str = "") -> str:
        value = self._values.get(name, (None, None))[0]
        if value is None:
            return default
        if isinstance(value, str):
            return value.strip()
        self._wrong(name, ("text", "文字"))
        return default

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._values.get(name, (None, None))[0]
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        self._wrong(name, ("true or false", "true或false"))
        return default

    def value(self, name: str) -> Any:
        """The value as it stands, None when absent."""
        return self._values.get(name, (None, None))[0]

    def part(self, name: str, document: YamlDocument) -> Part:
        """The value as a mapping with its place; empty when it is none."""
        holder = self._values.get(name, (None, self._holder))[1]
        return Part(document, self.value(name), (*holder.path, "value"))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; a single text stands for a list of one."""
        value = self._values.get(name, (None, None))[0]
        if value is None:
            return ()
        items = value if isinstance(value, list) else [value]
        if all(isinstance(item, str) for item in items):
            return tuple(items)
        self._wrong(name, ("a list of texts (put numbers in quotes)", "文字列表（数字请加引号）"))
        return ()

    def word(self, name: str, words: type[W], default: W) -> W:
        """One word of a closed list."""
        text = self.text(name)
        return (
            self._checked(name, [text], words)[0]
            if text and text in set(words)
            else self._absent(name, text, words, default)
        )

    def words(self, name: str, words: type[W]) -> frozenset[W]:
        return frozenset(self._checked(name, self.texts(name), words))

    def _absent(self, name: str, text: str, words: type[W], default: W) -> W:
        if text:
            self._checked(name, [text], words)
        return default

    def _checked(self, name: str, texts: Iterable[str], words: type[W]) -> list[W]:
        known = set(words)
        found = []
        for text in texts:
            if text in known:
                found.append(words(text))
                continue
            listing = ", ".join(words)
            self.add(
                name,
                "custom.unknown-word",
                (f"`{text}` is not a word of `{name}`", f"“{text}”不是{name}的可用值"),
                (f"One of: {listing}.", f"可用值：{listing}。"),
            )
        return found

    def _wrong(self, name: str, wanted: tuple[str, str]) -> None:
        self.add(
            name,
            "custom.type",
            (f"`{name}` must be {wanted[0]}", f"{name}应为{wanted[1]}"),
            ("Change the value.", "请修改该值。"),
        )
