"""YAML, bounded: text to plain values with the place of each, and plain values to one canonical text.

Scalars resolve by the YAML 1.2 core schema, so that `no` is a word and `2026-01-01` a string. Aliases, tags, duplicate
keys and deep nesting are refused. The writer is our own: a contract's digest must not change with a library's version.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLStreamError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from datong.catalog.contracts import ContractFinding
from datong.kernel.limits import CONTRACT_DEPTH_MAX, CONTRACT_NODES_MAX

Path = tuple[str | int, ...]
Place = tuple[int, int]

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}|0x[0-9a-fA-F]{1,15}|0o[0-7]{1,20}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")
_STRING_TAG = "tag:yaml.org,2002:str"
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class _StopReading(Exception):  # noqa: N818
    """Reading cannot go on; the finding is already noted."""


@dataclass(slots=True)
class YamlDocument:
    """Plain values and where each came from. A mapping entry's place is that of its key."""

    data: Any = None
    places: dict[Path, Place] = field(default_factory=dict)
    findings: list[ContractFinding] = field(default_factory=list)

    def place(self, path: Path) -> Place:
        """The place of the value, or of the nearest thing that holds it."""
        for end in range(len(path), -1, -1):
            found = self.places.get(path[:end])
            if found:
                return found
        return (1, 1)

    def add(
        self, path: Path, code: str, message: tuple[str, str], remedy: tuple[str, str], place: Place | None = None
    ) -> None:
        """Note a finding; `message` and `remedy` are (English, Chinese)."""
        line, column = place or self.place(path)
        self.findings.append(
            ContractFinding(
                line=line,
                column=column,
                path=path_text(path),
                code=code,
                message=message[0],
                message_zh=message[1],
                remedy=remedy[0],
                remedy_zh=remedy[1],
            )
        )


def path_text(path: Path) -> str:
    """('schema', 0, 'name') → schema[0].name."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_yaml(text: str) -> YamlDocument:
    """Read one YAML document. Never raises for bad text: `findings` says what is wrong and where."""
    return _YamlReader(text).read()


class _YamlReader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._document = YamlDocument()
        self._nodes_count = 0
        self._events: Iterator[Event] = iter(())

    def read(self) -> YamlDocument:
        document = self._document
        try:
            self._events = YAML(typ="safe", pure=True).parse(self._text)
            for event in self._events:
                if isinstance(event, DocumentStartEvent):
                    if document.places:
                        document.add((), "yaml.documents", _MANY_DOCUMENTS, _ONE_DOCUMENT, _place(event))
                        raise _StopReading
                    document.data = self._value(next(self._events), (), 0)
            if not document.places:
                document.add((), "yaml.empty", ("The file is empty", "文件是空的"), _START_WITH_ID, (1, 1))
        except MarkedYAMLError as problem:
            self._not_yaml(problem)
        except (ReaderError, YAMLStreamError) as problem:
            self._unreadable(problem)
        except _StopReading:
            document.data = None
        return document

    def _value(self, event: Event, path: Path, depth: int) -> Any:
        document, place = self._document, _place(event)
        document.places.setdefault(path, place)
        self._nodes_count += 1
        if depth > CONTRACT_DEPTH_MAX or self._nodes_count > CONTRACT_NODES_MAX:
            document.add(path, "yaml.too-deep", _TOO_DEEP, _FLATTEN, place)
            raise _StopReading
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            document.add(path, "yaml.alias", _ALIAS, _WRITE_OUT, place)
            if isinstance(event, AliasEvent):
                return None
        if isinstance(event, MappingStartEvent | SequenceStartEvent) and event.tag is not None:
            document.add(
                path, "yaml.tag", (f"The tag {event.tag} is not allowed", f"不允许使用标签{event.tag}"), _NO_TAGS
            )
        if isinstance(event, MappingStartEvent):
            return self._mapping(path, depth)
        if isinstance(event, SequenceStartEvent):
            items: list[Any] = []
            while not isinstance(following := next(self._events), SequenceEndEvent):
                items.append(self._value(following, (*path, len(items)), depth + 1))
            return items
        return self._scalar(event, path, place)

    def _mapping(self, path: Path, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(key_event := next(self._events), MappingEndEvent):
            place = _place(key_event)
            if not isinstance(key_event, ScalarEvent):
                self._document.add(path, "yaml.key", _KEY_KIND, _KEY_WORD, place)
                raise _StopReading
            key = self._characters(str(key_event.value), path, place)
            if key in mapping:
                self._document.add(
                    (*path, key),
                    "yaml.duplicate-key",
                    (f"The key `{key}` is written twice in one mapping", f"同一处重复写了键“{key}”"),
                    ("Keep one of the two.", "请只保留一个。"),
                    place,
                )
            self._document.places[*path, key] = place
            mapping[key] = self._value(next(self._events), (*path, key), depth + 1)
        return mapping

    def _scalar(self, event: Event, path: Path, place: Place) -> Any:
        assert isinstance(event, ScalarEvent)
        text, tag = str(event.value), event.tag
        if tag is not None and str(tag) not in {"!", _STRING_TAG}:
            self._document.add(
                path, "yaml.tag", (f"The tag {tag} is not allowed", f"不允许使用标签{tag}"), _NO_TAGS, place
            )
            return None
        text = self._characters(text, path, place)
        if tag is not None or event.style not in {None, ""}:
            return text
        return self._plain(text, path, place)

    def _characters(self, text: str, path: Path, place: Place) -> str:
        """The text with JSON's surrogate pairs joined; a half of a pair alone is no character."""
        if not _SURROGATE.search(text):
            return text
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self._document.add(path, "yaml.character", _BAD_CHARACTER, _RETYPE, place)
            return _SURROGATE.sub("", text)

    def _plain(self, text: str, path: Path, place: Place) -> Any:
        if text in _NULL:
            return None
        if text in _BOOLEAN:
            return _BOOLEAN[text]
        if _INTEGER.fullmatch(text):
            return int(text, 0) if text[:2] in {"0x", "0o"} else int(text)
        if _FLOAT.fullmatch(text) or text.lower().lstrip("+-") in {".inf", ".nan"}:
            number = float(text) if _FLOAT.fullmatch(text) else math.nan
            if math.isfinite(number) and len(text) <= 30:
                return number
            self._document.add(path, "yaml.number", _BAD_NUMBER, _QUOTE_NUMBER, place)
            return 0
        return text

    def _not_yaml(self, problem: MarkedYAMLError) -> None:
        mark = problem.problem_mark or problem.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = " ".join(str(problem.problem or problem.context or "syntax error").split())
        self._document.data = None
        self._document.add(
            (), "yaml.syntax", (f"This is not YAML: {what}", f"不是合法的YAML：{what}"), _MEND_SYNTAX, place
        )

    def _unreadable(self, problem: Exception) -> None:
        position = getattr(problem, "position", None)
        before = self._text[:position] if isinstance(position, int) else ""
        place = (before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        self._document.data = None
        self._document.add((), "yaml.character", _BAD_CHARACTER, _RETYPE, place)


def _place(event: Event) -> Place:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1)


_MANY_DOCUMENTS = ("The file holds more than one YAML document", "文件里有多个YAML文档")
_ONE_DOCUMENT = ("Write one contract in one file.", "一个文件只写一份契约。")
_START_WITH_ID = ("Begin with `apiVersion`, `kind`, `id` and `version`.", "请先写apiVersion、kind、id和version。")
_TOO_DEEP = ("The file is nested too deeply or has too many values", "嵌套过深或内容过多")
_FLATTEN = (
    f"Keep within {CONTRACT_DEPTH_MAX} levels and {CONTRACT_NODES_MAX} values.",
    f"请控制在{CONTRACT_DEPTH_MAX}层、{CONTRACT_NODES_MAX}个值以内。",
)
_ALIAS = ("Anchors and aliases are not allowed", "不允许使用锚点和别名")
_WRITE_OUT = ("Write the value out where it is used.", "请在使用处直接写出内容。")
_KEY_KIND = ("A key must be a word", "键必须是文字")
_KEY_WORD = ("Use a plain word before the colon.", "冒号前请写普通文字。")
_BAD_CHARACTER = ("The file holds a character that YAML does not allow", "文件里有YAML不允许的字符")
_RETYPE = ("Save the file as UTF-8 and remove the character.", "请把文件存为UTF-8并删除该字符。")
_NO_TAGS = ("Remove the tag; plain values are enough.", "请删除标签，使用普通值。")
_BAD_NUMBER = ("The number is infinite, not a number, or too long", "数字是无穷、非数或过长")
_QUOTE_NUMBER = ("Write an ordinary number, or put it in quotes.", "请写普通数字，或加引号作为文字。")
_MEND_SYNTAX = (
    "Check indentation (spaces, never tabs), colons and quotes on this line and the one above.",
    "请检查本行和上一行的缩进（用空格，不用制表符）、冒号和引号。",
)

_PLAIN = re.compile(r"[A-Za-z_一-鿿][A-Za-z0-9_一-鿿、，。；（）《》“”·./()%+ -]*")
_WORDS_QUOTED = frozenset({"y", "n", "yes", "no", "on", "off", "null", "true", "false", "nan", "inf"})
_MUST_ESCAPE = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_BLOCK_LINE = re.compile(r"(?!\s)[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]*(?<!\s)|")


def write_yaml(data: Any) -> str:
    """The one canonical text of plain values: block style, two spaces, keys as ordered. Reading gives them back."""
    lines: list[str] = []
    _write(data, 0, lines, lead="")
    return "\n".join(lines) + "\n"


def _write(value: Any, indent: int, lines: list[str], *, lead: str) -> None:
    """Append `value`; `lead` is what its first line begins with (a `- ` or `key:`), already indented."""
    pad = " " * indent
    if isinstance(value, dict) and value:
        for key, item in value.items():
            start = lead if lead.endswith("- ") else pad
            if lead and not lead.endswith("- "):
                lines.append(lead)
            lead = ""
            _write(item, indent + 2, lines, lead=f"{start}{_scalar_text(key)}:")
    elif isinstance(value, list) and value:
        if lead and not lead.endswith("- "):
            lines.append(lead)
            lead = ""
        for item in value:
            _write(item, indent + 2, lines, lead=f"{lead or pad}- ")
            lead = ""
    else:
        space = "" if not lead or lead.endswith(" ") else " "
        if isinstance(value, str) and _is_block(value):
            lines.append(f"{lead}{space}|" if value.endswith("\n") else f"{lead}{space}|-")
            body = value.removesuffix("\n")
            lines.extend(f"{pad}{line}" if line else "" for line in body.split("\n"))
        else:
            lines.append(f"{lead}{space}{_scalar_text(value)}")


def _is_block(text: str) -> bool:
    if "\n" not in text or text.endswith("\n\n") or text.startswith("\n"):
        return False
    return all(_BLOCK_LINE.fullmatch(line) for line in text.split("\n"))


def _scalar_text(value: Any) -> str:
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float):
        text = repr(value)
        return text if "." in text or "e" not in text else text.replace("e", ".0e")
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and not value.endswith(" ") and value.lower() not in _WORDS_QUOTED:
            return value
        quoted = json.dumps(value, ensure_ascii=False)
        return _MUST_ESCAPE.sub(lambda match: f"\\u{ord(match.group()):04x}", quoted)
    return "[]" if isinstance(value, list) else "{}"
