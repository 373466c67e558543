"""JSON read piece by piece: the records of an array however large, one in memory at a time. Numbers keep their text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from datong.collect.readers.contracts import FileMalformed, RecordsNotFound, SourceTooLarge
from datong.kernel.limits import READER_DEPTH_MAX, READER_RECORD_BYTES_MAX

_CHUNK_CHARACTERS = 256 * 1024
_SPACE = re.compile(r"[ \t\r\n\ufeff]*")
_NUMBER_TAIL = re.compile(r"[-+.eE0-9]*\Z")
"""A number that reaches the end of what has been read may go on."""
_PROBE_DEPTH = 4


class Number(str):
    """The text of a JSON number."""

    __slots__ = ()


DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=Number, strict=False)


def read_path(text: str) -> tuple[str, ...]:
    """`data.items`, `/data/items` and `$.data.items[*]` all name the array `items` in the object `data`."""
    parts = text.strip().removeprefix("$").replace("[*]", "").replace("/", ".").split(".")
    return tuple(part for part in parts if part)


class JsonStream:
    """A pull reader over one JSON text."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._is_whole = False
        self.index = 0
        """Records given so far."""

    def records(self, path: Sequence[str]) -> Iterator[Any]:
        """The elements of the array at `path`; the whole text must be well-formed, so a cut file is refused."""
        yield from self._walk(tuple(path))
        if self._peek():
            raise self._malformed("something follows the end of the data", "数据结束之后还有内容")

    def find_path(self) -> tuple[str, ...] | None:
        """The first array of objects, not deeper than a few levels."""
        return self._probe(())

    def _probe(self, path: tuple[str, ...]) -> tuple[str, ...] | None:
        mark = self._peek()
        if mark == "[":
            self._at += 1
            return path if self._peek() == "{" else None
        if mark != "{" or len(path) > _PROBE_DEPTH:
            self._value()
            return None
        self._at += 1
        while self._peek() not in ("}", ""):
            key = self._key()
            before = self._peek()
            if before in "[{":
                found = self._probe((*path, key))
                if found is not None:
                    return found
                if before == "[":
                    self._skip_array()
            else:
                self._value()
            self._comma("}")
        self._at += 1
        return None

    def _skip_array(self) -> None:
        """The rest of an array of which the opening bracket has been read."""
        while self._peek() not in ("]", ""):
            self._value()
            self._comma("]")
        self._at += 1

    def _walk(self, path: tuple[str, ...]) -> Iterator[Any]:
        mark = self._peek()
        if mark == "[":
            self._at += 1
            while self._peek() != "]":
                self.index += 1
                yield from _inner(self._value(), path)
                self._comma("]")
            self._at += 1
        elif mark == "{" and path:
            self._at += 1
            while self._peek() != "}":
                if self._key() == path[0]:
                    yield from self._walk(path[1:])
                else:
                    self._value()
                self._comma("}")
            self._at += 1
        elif not path and mark:
            self.index += 1
            yield self._value()
        else:
            raise RecordsNotFound(
                f"There is no {'.'.join(path)} in the file.",
                hint_zh=f"文件中没有{'.'.join(path)}。",
                path=".".join(path),
            )

    def _key(self) -> str:
        key = self._value()
        if type(key) is not str or self._peek() != ":":
            raise self._malformed("a name and a colon were expected", "应为名称和冒号")
        self._at += 1
        return key

    def _comma(self, end: str) -> None:
        mark = self._peek()
        if mark == ",":
            self._at += 1
        elif mark != end:
            raise self._malformed(f"a comma or {end} was expected", f"应为逗号或{end}")

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._fill():
                    raise self._malformed(error.msg, "不符合JSON格式") from error
            except RecursionError as error:
                raise self._malformed("it is nested too deeply", "嵌套过深") from error
            else:
                is_cut = isinstance(value, Number) and _NUMBER_TAIL.match(self._text, end) is not None
                if not (is_cut and self._fill()):
                    self._at = end if not is_cut else self._at + len(value)
                    return value

    def _peek(self) -> str:
        """The next character that is no space, "" at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill():
                return ""

    def _fill(self) -> bool:
        if self._is_whole:
            return False
        held = len(self._text) - self._at
        if held > READER_RECORD_BYTES_MAX:
            raise SourceTooLarge(
                f"Record {self.index} is longer than {READER_RECORD_BYTES_MAX} characters.",
                hint_zh=f"第{self.index}条记录超过{READER_RECORD_BYTES_MAX}个字符。",
                record=self.index,
            )
        more = self._file.read(max(_CHUNK_CHARACTERS, held))
        self._is_whole = not more
        self._text, self._at = self._text[self._at :] + more, 0
        return bool(more)

    def _malformed(self, en: str, zh: str) -> FileMalformed:
        return FileMalformed(
            f"It is no JSON at or after record {self.index}: {en}.",
            hint_zh=f"第{self.index}条记录处或其后{zh}。",
            record=self.index,
        )


def _inner(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Records further down inside one element."""
    if not path:
        yield value
    elif isinstance(value, Mapping):
        yield from _inner(value.get(path[0], []), path[1:])
    elif isinstance(value, list):
        for element in value:
            yield from _inner(element, path)


def flatten(record: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Fields as text: nested objects by dotted names, arrays as JSON text, null as nothing."""
    for key, value in record.items():
        name = prefix + key
        if type(value) is dict and value and depth < READER_DEPTH_MAX:
            yield from flatten(value, name + ".", depth + 1)
        else:
            yield name, as_text(value)


def pick(record: Any, path: Sequence[str]) -> str:
    """The text at a path; a number in the path is a place in an array, counting from 0."""
    for part in path:
        if isinstance(record, Mapping):
            record = record.get(part)
        elif isinstance(record, list) and part.isdigit() and int(part) < len(record):
            record = record[int(part)]
        else:
            return ""
    return as_text(record)


def as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _dump(value)


def _dump(value: Any) -> str:
    """Compact JSON in which numbers stand as they came."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_dump(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
