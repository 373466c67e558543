"""One cursor, one count. A cursor is the key of the last row seen: opaque, signed, kept nowhere, good after a restart.

Because it names a place and not a count, rows that are inserted while somebody walks the pages neither repeat nor
hide an earlier row. It is bound to the query it came from: sorted otherwise, it would point nowhere.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

from datong.kernel.failures import BadInput
from datong.kernel.limits import COUNT_ROWS_EXACT_MAX, CURSOR_CHARACTERS_MAX, PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX

T = TypeVar("T")
U = TypeVar("U")
Position = tuple[Any, ...]
_MAC_BYTES = 16
_VERSION = 1


class CursorRefused(BadInput):
    code = "cursor-refused"
    title, title_zh = "This page address is not from this list", "翻页地址与该列表不符"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some rows, where the next begin (None at the end), and how many there are in all.

    `count` is exact up to COUNT_ROWS_EXACT_MAX; beyond, it is that bound or an estimate and `count_is_estimate` says
    so. None where nobody counted.
    """

    items: tuple[T, ...]
    next_cursor: str | None = None
    count: int | None = None
    count_is_estimate: bool = False

    def map(self, change: Callable[[T], U]) -> Page[U]:
        """The same page of other items."""
        return Page(
            items=tuple(change(item) for item in self.items),
            next_cursor=self.next_cursor,
            count=self.count,
            count_is_estimate=self.count_is_estimate,
        )


def fingerprint(name: str, parameters: Mapping[str, Any]) -> bytes:
    """What a cursor is bound to: the list's name, its order and its filters. Equal queries have equal fingerprints."""
    text = orjson.dumps([name, parameters], default=str, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).digest()[:_MAC_BYTES]


class Cursors:
    """Writes and reads cursors with one key (32 bytes, the same in every process)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def write(self, position: Position, query: bytes) -> str:
        """The cursor of a row: its sort key's values (text, numbers, instants as RFC 3339 text)."""
        body = orjson.dumps([_VERSION, list(position)], default=str)
        return urlsafe_b64encode(self._mac(body, query) + body).decode().rstrip("=")

    def read(self, cursor: str, query: bytes) -> Position:
        """The position; CursorRefused when it is forged, damaged, or another query's."""
        refused = CursorRefused("Begin at the first page again.", hint_zh="请从第一页重新开始。")
        if len(cursor) > CURSOR_CHARACTERS_MAX:
            raise refused
        try:
            data = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (Base64Error, ValueError):
            raise refused from None
        mac, body = data[:_MAC_BYTES], data[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(body, query)):
            raise refused
        version, position = orjson.loads(body)
        if version != _VERSION:
            raise refused
        return tuple(position)

    def _mac(self, body: bytes, query: bytes) -> bytes:
        return hmac.digest(self._key, query + body, "sha256")[:_MAC_BYTES]


def clamp_rows(asked: int | str | None) -> int:
    """How many rows a page has: what was asked, within 1 and PAGE_ROWS_MAX. BadInput for what is no number."""
    if asked is None or asked == "":
        return PAGE_ROWS_DEFAULT
    try:
        rows = int(asked)
    except ValueError:
        raise BadInput(f"Give a number from 1 to {PAGE_ROWS_MAX}.", hint_zh=f"请填 1 至 {PAGE_ROWS_MAX}。") from None
    return max(1, min(rows, PAGE_ROWS_MAX))


def make_page(
    rows: Sequence[T],
    *,
    limit: int,
    position_of: Callable[[T], Position],
    cursors: Cursors,
    query: bytes,
    count: int | None = None,
) -> Page[T]:
    """A page of rows fetched with `limit + 1`: the one too many says that there are more.

    `count` comes from a query cut off at COUNT_ROWS_EXACT_MAX + 1 rows.
    """
    items = tuple(rows[:limit])
    more = len(rows) > limit
    bounded = count is not None and count > COUNT_ROWS_EXACT_MAX
    return Page(
        items=items,
        next_cursor=cursors.write(position_of(items[-1]), query) if more else None,
        count=COUNT_ROWS_EXACT_MAX if bounded else count,
        count_is_estimate=bounded,
    )
