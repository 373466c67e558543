"""XML as a plain table: one row a record element, read as a stream. Entities, DTDs and the network stay shut.

Names are local names (namespaces are not told apart). `record_path` is `/root/list/record`, `list/record` or `record`;
`fields` maps a column to a path from the record: `name`, `address/city`, `@id`, `name/@lang`, `.`, `../@year`.
A position is the line on which the record's element begins.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from lxml import etree

from datong.collect.readers.contracts import FileMalformed, Note, PlainTable, RecordsNotFound
from datong.collect.readers.keyed import KeyedRow, write_keyed
from datong.collect.readers.reading import Source
from datong.kernel.limits import READER_DEPTH_MAX

_PROBE_EVENTS = 50_000
_GB_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*encoding=["'](gb2312|gbk)["']""", re.IGNORECASE)
_REPEATED = ";"
_BESIDE_MAX = 64


def read_xml(source: Source) -> PlainTable:
    """Raises FileMalformed (with the line), RecordsNotFound."""
    notes: list[Note] = []
    path = tuple(part for part in source.reading.record_path.split("/") if part)
    is_rooted = source.reading.record_path.startswith("/") and not source.reading.record_path.startswith("//")
    if not path:
        path, is_rooted = _find_path(source), True
        name = "/".join(path)
        notes.append(Note(code="nested", zh=f"记录取自{name}", en=f"The records are the elements {name}"))
    fields_of = _picker(source.reading.fields)

    def rows() -> Iterator[KeyedRow]:
        for element in _elements(source, path, is_rooted=is_rooted):
            yield int(element.sourceline or 0), fields_of(element), None

    try:
        written = write_keyed(rows, source)
    except RecordsNotFound as failure:
        raise RecordsNotFound(
            f"There is no element {'/'.join(path)} with fields.",
            hint_zh=f"没有元素{'/'.join(path)}。",
            path="/".join(path),
        ) from failure
    return written.as_table(kind="xml", position_word="line", notes=notes)


def _events(source: Source) -> Iterator[tuple[str, Any]]:
    with source.path.open("rb") as file:
        encoding = "gb18030" if _GB_DECLARED.match(file.read(200)) else None
        file.seek(0)
        events = etree.iterparse(
            file,
            events=("start", "end"),
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
            encoding=encoding,
        )
        is_first = True
        try:
            for event, element in events:
                if is_first:
                    _refuse_entities(element)
                    is_first = False
                yield event, element
        except etree.XMLSyntaxError as error:
            line = error.lineno or 0
            raise FileMalformed(
                f"Line {line} is no well-formed XML: {error.msg}.", hint_zh=f"第{line}行不符合XML格式。", line=line
            ) from error


def _refuse_entities(root: Any) -> None:
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and any(True for _ in dtd.iterentities()):
        raise FileMalformed(
            "The file declares entities. Send it without a DOCTYPE.", hint_zh="文件声明了实体，请去掉DOCTYPE后再提交。"
        )


def _elements(source: Source, path: Sequence[str], *, is_rooted: bool) -> Iterator[Any]:
    """The record elements, whole; each is taken out of the tree when the next one ends."""
    stack: list[str] = []
    depth_found = 0
    done: Any = None
    for event, element in _events(source):
        if event == "start":
            stack.append(_local(element))
            if len(stack) > READER_DEPTH_MAX:
                raise FileMalformed("It is nested too deeply.", hint_zh="嵌套过深。", line=element.sourceline)
            if (
                not depth_found
                and tuple(stack[-len(path) :]) == tuple(path)
                and (not is_rooted or len(stack) == len(path))
            ):
                depth_found = len(stack)
            continue
        if len(stack) == depth_found:
            yield element
            depth_found = 0
            element.clear(keep_tail=True)
            if done is not None and done.getparent() is not None:
                done.getparent().remove(done)
            done = element
        elif not depth_found:
            _forget(element)
        stack.pop()


def _forget(element: Any) -> None:
    """Of what stands beside the records a few elements stay, for `../name`; many of a kind do not."""
    parent = element.getparent()
    if parent is not None and len(parent) > _BESIDE_MAX:
        del parent[0]


def _find_path(source: Source) -> tuple[str, ...]:
    """The shallowest element that is repeated and has parts of its own."""
    counts: Counter[tuple[str, ...]] = Counter()
    has_parts: set[tuple[str, ...]] = set()
    stack: list[str] = []
    for event, element in islice(_events(source), _PROBE_EVENTS):
        if event == "start":
            stack.append(_local(element))
            if len(stack) > 1:
                has_parts.add(tuple(stack[:-1]))
            if element.attrib:
                has_parts.add(tuple(stack))
            counts[tuple(stack)] += 1
        else:
            stack.pop()
            _forget(element)
    found = [path for path in counts if len(path) > 1 and path in has_parts]
    repeated = [path for path in found if counts[path] > 1]
    if not found:
        raise RecordsNotFound(
            "No repeated element with parts was found. Name it in `reading.record_path`.",
            hint_zh="没有找到重复出现的记录元素，请在契约reading.record_path中写明。",
        )
    return min(repeated or found, key=lambda path: (len(path), -counts[path]))


def _local(element: Any) -> str:
    return str(element.tag).rsplit("}", 1)[-1]


def _picker(fields: Mapping[str, str]) -> Callable[[Any], Mapping[str, str]]:
    if not fields:
        return lambda element: _flatten(element, "", {})
    paths = [(name, [part for part in path.split("/") if part]) for name, path in fields.items()]
    return lambda element: {name: _pick(element, path) for name, path in paths}


def _pick(element: Any, path: Sequence[str]) -> str:
    for part in path:
        if part.startswith("@"):
            return _attribute(element, part[1:])
        if part == "..":
            element = element.getparent()
        elif part != ".":
            element = next((child for child in element if _local(child) == part), None)
        if element is None:
            return ""
    return _text(element)


def _attribute(element: Any, name: str) -> str:
    return next((str(value) for key, value in element.attrib.items() if str(key).rsplit("}", 1)[-1] == name), "")


def _text(element: Any) -> str:
    return "".join(element.itertext()).strip()


def _flatten(element: Any, prefix: str, found: dict[str, str]) -> dict[str, str]:
    """Attributes as @name, children by name, theirs by path; what is repeated is joined by a semicolon."""
    for key, value in element.attrib.items():
        found[f"{prefix}@{str(key).rsplit('}', 1)[-1]}"] = str(value)
    for child in element:
        name = prefix + _local(child)
        if len(child):
            _flatten(child, name + "/", found)
            continue
        if child.attrib:
            _flatten(child, name + "/", found)
        text = (child.text or "").strip()
        if child.attrib and not text:
            continue
        found[name] = f"{found[name]}{_REPEATED}{text}" if name in found else text
    return found
