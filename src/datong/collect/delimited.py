"""What a delimited file is, found out from its bytes: line ends, encoding, delimiter, header. Nothing silently.

A `ByteScanner` is fed while the file lands, so the facts cost no second read. Encodings are decided by strict decoding:
UTF-8 first, then GB18030 (GB 18030-2022 contains GBK and GB 2312); a file that is neither, or both, is refused with the
byte offset and the line.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datong.collect.contracts import (
    EncodingMixed,
    EncodingUnreadable,
    FileEmpty,
    FileNotText,
)
from datong.kernel.limits import CSV_LINE_BYTES_MAX, CSV_SNIFF_BYTES

CHUNK_BYTES = 1024 * 1024
DELIMITERS = (",", "\t", ";", "|", "^")
_MIXED_CHARACTERS_MIN = 3
"""So many Chinese characters that read well as UTF-8 are no accident in a GB18030 file."""
_MAGICS = (
    (b"PK\x03\x04", "Excel/ZIP"),
    (b"\xd0\xcf\x11\xe0", "Excel 97-2003"),
    (b"%PDF", "PDF"),
    (b"PAR1", "Parquet"),
    (b"\x1f\x8b", "gzip"),
    (b"SQLite format 3", "SQLite"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteFacts:
    """Counts over the whole file. `crlf` pairs are in neither `lf` nor `cr`."""

    bytes: int
    lf: int
    cr: int
    crlf: int
    has_quotes: bool
    has_zero: bool
    ends_open: bool
    """The last line has no line end."""

    @property
    def lines(self) -> int:
        return self.lf + self.cr + self.crlf + (1 if self.ends_open else 0)

    @property
    def newline(self) -> str | None:
        """The one line end of the file, or None when several kinds are mixed."""
        kinds = [name for name, count in (("\n", self.lf), ("\r", self.cr), ("\r\n", self.crlf)) if count]
        return kinds[0] if len(kinds) == 1 else (None if kinds else "\n")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class ByteScanner:
    """Counts line ends, quotes and zero bytes of a file fed in chunks."""

    def __init__(self) -> None:
        self._bytes = self._lf = self._cr = self._crlf = 0
        self._quotes = self._zero = False
        self._last = b""

    def update(self, chunk: bytes | bytearray) -> None:
        if not chunk:
            return
        self._bytes += len(chunk)
        lf = chunk.count(b"\n")
        if b"\r" in chunk or self._last == b"\r":
            crlf = chunk.count(b"\r\n")
            if self._last == b"\r" and chunk[:1] == b"\n":
                self._cr -= 1
                self._crlf += 1
                lf -= 1
            self._crlf += crlf
            self._cr += chunk.count(b"\r") - crlf
            lf -= crlf
        self._lf += lf
        self._quotes = self._quotes or b'"' in chunk
        self._zero = self._zero or b"\0" in chunk
        self._last = bytes(chunk[-1:])

    def facts(self) -> ByteFacts:
        return ByteFacts(
            bytes=self._bytes,
            lf=self._lf,
            cr=self._cr,
            crlf=self._crlf,
            has_quotes=self._quotes,
            has_zero=self._zero,
            ends_open=bool(self._last) and self._last not in (b"\n", b"\r"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileForm:
    """How the file is written. `header` holds the contract's column names in the order of the file's columns."""

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    source_header: tuple[str, ...]
    """The names as they stand in the file."""
    header_lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedColumn:
    """A column of the contract under every name that a header may use for it.

    `units` are those in which a file may carry it (万元 where a cleaning step makes 元 of it); none: not said.
    """

    name: str
    aliases: tuple[str, ...]
    units: tuple[str, ...] = ()


def scan_file(path: Path) -> ByteFacts:
    """The byte facts of a file at rest."""
    scanner = ByteScanner()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            scanner.update(chunk)
    return scanner.facts()


def refuse_unreadable(facts: ByteFacts, head: bytes) -> None:
    """Refuse what is no text table at all: empty, zipped, binary."""
    if facts.bytes == 0 or not head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise FileEmpty("The file is empty.", hint_zh="文件是空的。", bytes=facts.bytes)
    for magic, kind in _MAGICS:
        if head.startswith(magic):
            raise FileNotText(
                f"This is a {kind} file. Save it as CSV and send that.",
                hint_zh=f"这是{kind}文件，请另存为CSV后再提交。",
                kind=kind,
            )
    if facts.has_zero and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise FileNotText(
            "It holds zero bytes, which no text has. Send CSV in UTF-8 or GB18030.",
            hint_zh="文件含有零字节，不是文本。请提交UTF-8或GB18030编码的CSV。",
        )


def guess_encoding(head: bytes) -> str:
    """The encoding by the first bytes alone; the reader that follows decodes strictly and comes back if it is wrong."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8"


def find_encoding(path: Path) -> str:
    """The encoding of the whole file, strictly; refuses a file that is neither or both, with offset and line."""
    with path.open("rb") as file:
        head = file.read(2)
    if head in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        prove_encoding(path, "utf-16")
        return "utf-16"
    utf8 = _first_undecodable(path, "utf-8")
    if utf8 is None:
        return "utf-8"
    if utf8.chinese_before >= _MIXED_CHARACTERS_MIN and _is_gb_line(path, utf8.offset):
        raise _mixed(utf8.offset, utf8.line, "UTF-8", "GB18030")
    gb = _first_undecodable(path, "gb18030")
    if gb is not None:
        worst = max(utf8, gb, key=lambda stop: stop.offset)
        raise EncodingUnreadable(
            f"Byte {worst.offset} on line {worst.line} is neither UTF-8 nor GB18030. Save the file in one of them.",
            hint_zh=f"第{worst.line}行（第{worst.offset}字节）既不是UTF-8也不是GB18030，请用其中一种编码另存。",
            byte_offset=worst.offset,
            line=worst.line,
            tried=["utf-8", "gb18030"],
        )
    _refuse_utf8_lines(path)
    return "gb18030"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    offset: int
    line: int
    chinese_before: int


def _first_undecodable(path: Path, encoding: str) -> _Stop | None:
    """Where strict decoding first fails; offsets count bytes from 0, lines from 1."""
    decoder = codecs.getincrementaldecoder(encoding)()
    offset = lines = chinese = 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(CHUNK_BYTES)
            held = decoder.getstate()[0]
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as failure:
                data = held + chunk
                start = offset - len(held) + failure.start
                before = data[: failure.start]
                line = lines + 1 + _count_lines(before)
                readable = before.decode(encoding, "ignore")
                return _Stop(offset=start, line=line, chinese_before=chinese + _count_chinese(readable))
            if not chunk:
                return None
            chinese += 0 if text.isascii() else _count_chinese(text)
            lines += _count_lines(chunk)
            offset += len(chunk)


def _is_gb_line(path: Path, offset: int) -> bool:
    """Whether what follows on the line at `offset` reads as GB18030."""
    with path.open("rb") as file:
        file.seek(offset)
        rest = file.readline(CSV_LINE_BYTES_MAX)
    try:
        rest.decode("gb18030")
    except UnicodeDecodeError:
        return False
    return True


def prove_encoding(path: Path, encoding: str) -> None:
    """Refuse a file that is not strictly in this encoding, with the byte and the line."""
    stop = _first_undecodable(path, encoding)
    if stop is not None:
        raise EncodingUnreadable(
            f"Byte {stop.offset} is not {encoding}.",
            hint_zh=f"第{stop.offset}字节不是{encoding}编码。",
            byte_offset=stop.offset,
            line=stop.line,
            tried=[encoding],
        )


def _refuse_utf8_lines(path: Path) -> None:
    """In a GB18030 file, a line that reads as Chinese in UTF-8 came from elsewhere and would come out as noise."""
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.isascii():
                try:
                    text = line.decode("utf-8")
                except UnicodeDecodeError:
                    text = ""
                if _count_chinese(text) >= _MIXED_CHARACTERS_MIN:
                    raise _mixed(offset, number, "GB18030", "UTF-8")
            offset += len(line)


def _mixed(offset: int, line: int, first: str, second: str) -> EncodingMixed:
    return EncodingMixed(
        f"It begins in {first}, but line {line} (byte {offset}) is {second}. Save the whole file in one encoding.",
        hint_zh=f"文件开头是{first}，但第{line}行（第{offset}字节）是{second}，请统一编码后再提交。",
        byte_offset=offset,
        line=line,
    )


def _count_chinese(text: str) -> int:
    return sum(1 for character in text if "一" <= character <= "鿿")


def _count_lines(data: bytes) -> int:
    lf = data.count(b"\n")
    return lf if lf else data.count(b"\r")


def read_head(path: Path, encoding: str, *, bytes_max: int = CSV_SNIFF_BYTES) -> str:
    """The first part of the file as text, without a byte-order mark, cut at the end of a line where there is one."""
    with path.open("rb") as file:
        head = file.read(bytes_max)
        more = bool(file.read(1))
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head).removeprefix("\ufeff")
    if more:
        cut = max(text.rfind("\n"), text.rfind("\r"))
        if cut > 0:
            text = text[: cut + 1]
    return text


def name_key(name: str) -> str:
    """Names are compared without width, case and surrounding space."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


_SUFFIX = re.compile(r"^(?P<name>.+?)\s*[(\[【]\s*(?:单位|unit)?\s*[::]?\s*(?P<unit>[^()\[\]【】]+?)\s*[)\]】]$")
_MARKS = re.compile(r"[\s*]+")


def split_unit(name: str) -> tuple[str, str]:
    """GDP（亿元） → ("GDP", "亿元"); a name without a bracketed end comes back with ""."""
    found = _SUFFIX.match(unicodedata.normalize("NFKC", name).strip())
    return (found["name"], found["unit"]) if found else (name, "")


def _name_keys(name: str) -> list[str]:
    """What a header cell may mean, the surest first: as it stands; without spaces, line breaks and the star of a
    required field; without a unit in brackets; the lowest of its levels (地址/省)."""
    keys = [name_key(name)]
    for part in (name, name.rsplit("/", 1)[-1], name.replace("/", "")):
        plain = _MARKS.sub("", name_key(part))
        keys += [plain, _MARKS.sub("", name_key(split_unit(part)[0]))]
    return list(dict.fromkeys(key for key in keys if key))


def match_names(header: Sequence[str], wanted: Sequence[WantedColumn]) -> dict[str, list[int]]:
    """For each contract column found, the positions of the header cells that name it.

    A cell that is a column's exact name wins over one that becomes it without its brackets; two that are equally sure
    are both told, so that the caller refuses the repetition.
    """
    by_key = {name_key(alias): column.name for column in wanted for alias in (*column.aliases, column.name)}
    loose = {_MARKS.sub("", key): name for key, name in by_key.items()}
    found: dict[str, list[int]] = {}
    left: list[tuple[int, list[str]]] = []
    for position, cell in enumerate(header):
        exact, *others = _name_keys(cell) or [""]
        name = by_key.get(exact)
        if name is not None:
            found.setdefault(name, []).append(position)
        elif cell.strip():
            left.append((position, [exact, *others]))
    surely = set(found)
    for position, keys in left:
        name = next((loose[key] for key in keys if key in loose and loose[key] not in surely), None)
        if name is not None:
            found.setdefault(name, []).append(position)
    return found
