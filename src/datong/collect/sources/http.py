"""Paged JSON APIs over HTTP: each page to disk before the next is asked for, so a broken fetch goes on at its page.

Answers 429 and 5xx, resets and silence are tried again with growing, spread pauses; Retry-After (RFC 9110 §10.2.3) is
honoured. Redirects are not followed, and a next address must be of the same origin: the credentials go nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpcore
import httpx
import orjson

from datong.catalog.values import DataContract
from datong.collect.sources.contracts import (
    Batch,
    ConnectionReport,
    CursorUnusable,
    FetchContext,
    KnownFile,
    Note,
    SourceAnswerWrong,
    SourceRefused,
    SourceUnreachable,
)
from datong.collect.sources.guard import find_target
from datong.collect.sources.options import read_mapping, wrong
from datong.collect.sources.tables import (
    RowDigests,
    dig,
    pack_digests,
    report_of,
    text_of,
    unpack_digests,
    write_records,
)
from datong.kernel import clock, ids
from datong.kernel.faults import fault_point
from datong.kernel.files import write_private
from datong.kernel.limits import (
    SOURCE_CONNECT_S_MAX,
    SOURCE_PAGE_BYTES_MAX,
    SOURCE_PAGES_MAX,
    SOURCE_PAUSE_S_MAX,
    SOURCE_RESUME_S_MAX,
    SOURCE_TEST_S_MAX,
    SOURCE_TRIES_MAX,
    UPLOAD_BYTES_MAX,
)

_PORTS = {"http": 80, "https": 443}
_AGAIN = frozenset({429, 500, 502, 503, 504})
_FIRST_PAUSE_S = 0.5
_READ_S_MAX = 120
_COUNTED = frozenset({"page", "offset"})


class GuardedBackend(httpcore.SyncBackend):
    """Every connection goes to an address that was checked a moment before."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        target = find_target(host, port)
        return super().connect_tcp(target.address, port, timeout, local_address, socket_options)


class GuardedTransport(httpx.HTTPTransport):
    def __init__(self) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False), network_backend=GuardedBackend(), max_connections=1
        )


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a fetch is; on disk after every page. `next` is the page's number, offset, cursor or address."""

    key: str
    at: float
    next: str
    page: int = 0
    records: int = 0
    bytes: int = 0
    digest: str = ""
    is_over: bool = False


class HttpConnector:
    def check(self, options: Mapping[str, str], contract: DataContract) -> None:
        url = httpx.URL(options["url"])
        if url.scheme not in _PORTS or not url.host or url.userinfo:
            raise wrong("url", "An http or https address without a user.", "填 http 或 https 地址，不带用户名。")
        paging, auth = options.get("paging", "none"), options.get("auth", "none")
        if paging in {"page", "offset", "cursor"} and not options.get("page_param"):
            raise wrong("page_param", "Name the page parameter.", "请填写页参数。")
        if paging in {"cursor", "next"} and not options.get("next_path"):
            raise wrong("next_path", "Say where the next page stands.", "请填写下一页路径。")
        if auth in {"basic", "header", "query"} and not options.get("auth_name"):
            raise wrong("auth_name", "Name the user, header or parameter.", "请填写用户名或参数名。")
        read_mapping(options.get("fields", ""))
        if bool(options.get("since_param")) != bool(options.get("since_path")):
            raise wrong("since_path", "Give the parameter and the field, or neither.", "增量参数和增量字段须同时填写。")
        if options.get("since_param") and contract.collect_mode.value not in {"upsert", "append"}:
            raise CursorUnusable(
                "The contract's mode replaces the whole table; incrementally it must be upsert or append.",
                hint_zh="契约的归集方式是整表替换；增量取数须为更新插入或追加。",
                field="since_param",
            )

    def test(self, context: FetchContext) -> ConnectionReport:
        self.check(context.options, context.contract)
        with _client(context, SOURCE_TEST_S_MAX) as client:
            caller = _Caller(client, context, tries_max=1)
            answer, headers = caller.get(_first(context))
            records = _records(answer, context.options)
        mapping = read_mapping(context.options.get("fields", ""))
        names = list(mapping) or list(dict.fromkeys(name for record in records for name in record))
        url = httpx.URL(context.options["url"])
        return report_of(
            names,
            context.contract,
            reached=str(find_target(url.host, url.port or _PORTS[url.scheme])),
            product=headers.get("server", ""),
            rows=len(records),
            rows_is_floor=context.options.get("paging", "none") != "none",
            clock_skew_s=_skew_s(headers),
            notes=[Note(zh="只读了第一页", en="Only the first page was read")],
        )

    def fetch(self, context: FetchContext) -> Batch | None:
        self.check(context.options, context.contract)
        lines, state = context.work / "records.jsonl", context.work / "progress.json"
        progress = _resume(context, lines, state)
        with _client(context, _READ_S_MAX) as client, _append(lines) as out:
            caller = _Caller(client, context, tries_max=SOURCE_TRIES_MAX)
            while not progress.is_over:
                _take_page(caller, context, progress, out)
                _sync(out)
                write_private(state, orjson.dumps(asdict(progress)))
                context.progress(progress.records, f"第{progress.page}页")
                fault_point("source.after-page")
        batch = _batch(context, lines)
        state.unlink(missing_ok=True)
        return batch

    def settle(self, context: FetchContext, file: KnownFile, *, is_taken: bool) -> None:
        """An API keeps no files."""


class _Caller:
    """One page at a time, tried again where that helps."""

    def __init__(self, client: httpx.Client, context: FetchContext, *, tries_max: int) -> None:
        self._client = client
        self._context = context
        self._tries_max = tries_max
        self._pause = threading.Event()

    def get(self, place: str) -> tuple[Any, httpx.Headers]:
        for attempt in range(1, self._tries_max + 1):
            try:
                return self._get_once(_url(self._context, place))
            except SourceUnreachable as problem:
                asked_s = float(problem.facts.get("retry_after_s") or 0)
                if attempt == self._tries_max or asked_s > SOURCE_PAUSE_S_MAX:
                    raise
                self._pause.wait(max(asked_s, _pause_s(attempt)))
        raise AssertionError("unreachable: the last try returns or raises")

    def _get_once(self, url: httpx.URL) -> tuple[Any, httpx.Headers]:
        try:
            with self._client.stream("GET", url) as answer:
                _check_status(answer)
                body = _read(answer)
        except httpx.TransportError as problem:
            raise SourceUnreachable(
                f"{url.host} did not answer to the end.", hint_zh=f"{url.host}没有完整应答。", private=repr(problem)
            ) from None
        try:
            return json.loads(body, parse_float=str, parse_int=str, parse_constant=str), answer.headers
        except (ValueError, UnicodeDecodeError):
            kind = answer.headers.get("content-type", "")
            raise SourceAnswerWrong(
                f"The answer is not JSON (content type {kind}).", hint_zh=f"应答不是 JSON（类型{kind}）。"
            ) from None


def _client(context: FetchContext, read_s: float) -> httpx.Client:
    options = context.options
    token = context.secrets["token"].reveal() if "token" in context.secrets else ""
    headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "datong"}
    auth: httpx.Auth | None = None
    match options.get("auth", "none"):
        case "bearer":
            headers["authorization"] = f"Bearer {token}"
        case "header":
            headers[options["auth_name"]] = token
        case "basic":
            auth = httpx.BasicAuth(options["auth_name"], token)
    timeout = httpx.Timeout(read_s, connect=SOURCE_CONNECT_S_MAX)
    return httpx.Client(
        transport=GuardedTransport(),
        headers=headers,
        auth=auth,
        timeout=timeout,
        follow_redirects=False,
        trust_env=False,
    )


# Pages -------------------------------------------------------------------------------------------------------------
def _first(context: FetchContext) -> str:
    match context.options.get("paging", "none"):
        case "page":
            return context.options.get("first_page", "1")
        case "offset":
            return "0"
        case _:
            return ""


def _url(context: FetchContext, place: str) -> httpx.URL:
    """The address of one page; a whole address for `next` and `link`."""
    options, paging = context.options, context.options.get("paging", "none")
    if paging in {"next", "link"} and place:
        url = httpx.URL(place)
    else:
        url = httpx.URL(options["url"])
        if options.get("size_param"):
            url = url.copy_set_param(options["size_param"], options.get("page_size", ""))
        if place:
            url = url.copy_set_param(options["page_param"], place)
        if options.get("since_param") and context.cursor.get("value") is not None:
            url = url.copy_set_param(options["since_param"], context.cursor["value"])
    if options.get("auth") == "query" and "token" in context.secrets:
        url = url.copy_set_param(options["auth_name"], context.secrets["token"].reveal())
    return url


def _take_page(caller: _Caller, context: FetchContext, progress: Progress, out: Any) -> None:
    answer, headers = caller.get(progress.next)
    records = _records(answer, context.options)
    body = b"".join(orjson.dumps(record) + b"\n" for record in records)
    digest = hashlib.sha256(body).hexdigest()
    paging = context.options.get("paging", "none")
    if records and paging in _COUNTED and digest == progress.digest:
        raise SourceAnswerWrong(
            f"Pages {progress.page} and {progress.page + 1} are the same: the page parameter has no effect.",
            hint_zh=f"第{progress.page}页和第{progress.page + 1}页完全相同：页参数没有起作用。",
        )
    out.write(body)
    progress.page += 1
    progress.records += len(records)
    progress.bytes += len(body)
    progress.digest = digest
    if progress.page > SOURCE_PAGES_MAX or progress.bytes > UPLOAD_BYTES_MAX:
        raise SourceAnswerWrong(
            f"More than {SOURCE_PAGES_MAX} pages or {UPLOAD_BYTES_MAX} bytes.", hint_zh="页数或字节数超过上限。"
        )
    following = _following(context.options, progress, answer, headers, len(records))
    progress.is_over = following is None or following == progress.next
    progress.next = following or ""
    progress.at = clock.now().timestamp()


def _following(
    options: Mapping[str, str], progress: Progress, answer: Any, headers: httpx.Headers, records: int
) -> str | None:
    """Where the next page is; None after the last. Counted pages end with an empty one: a short page may be a cap."""
    match options.get("paging", "none"):
        case "page":
            return str(int(progress.next) + 1) if records else None
        case "offset":
            return str(int(progress.next) + records) if records else None
        case "cursor":
            return text_of(dig(answer, options["next_path"])) or None
        case "next":
            return _same_origin(options["url"], text_of(dig(answer, options["next_path"])))
        case "link":
            links = httpx.Response(200, headers=headers).links
            return _same_origin(options["url"], links.get("next", {}).get("url"))
        case _:
            return None


def _same_origin(base: str, address: str | None) -> str | None:
    if not address:
        return None
    here, there = httpx.URL(base), httpx.URL(base).join(address)
    if (here.scheme, here.host, here.port) != (there.scheme, there.host, there.port):
        raise SourceAnswerWrong(
            f"The next page is on another host, {there.host}; nothing was sent there.",
            hint_zh=f"下一页在另一台主机{there.host}，没有向其发送任何内容。",
        )
    return str(there)


def _records(answer: Any, options: Mapping[str, str]) -> list[dict[str, Any]]:
    path = options.get("records", "")
    found = dig(answer, path)
    if isinstance(found, list) and all(isinstance(record, dict) for record in found):
        return found
    present = ", ".join(answer) if isinstance(answer, dict) else type(answer).__name__
    raise SourceAnswerWrong(
        f"There is no list of objects at “{path}”. The answer has: {present[:200]}.",
        hint_zh=f"路径“{path}”处不是对象列表。应答中有：{present[:200]}。",
        field="records",
    )


# One call ----------------------------------------------------------------------------------------------------------
def _check_status(answer: httpx.Response) -> None:
    status = answer.status_code
    if status in _AGAIN:
        raise SourceUnreachable(
            f"{answer.url.host} answers {status}.",
            hint_zh=f"{answer.url.host}答复{status}。",
            status=status,
            retry_after_s=_retry_after_s(answer.headers),
        )
    if status in {401, 403}:
        raise SourceRefused(
            f"{answer.url.host} answers {status}: check the credentials.",
            hint_zh=f"{answer.url.host}答复{status}，请检查凭据。",
            status=status,
        )
    if status != 200:
        where = answer.headers.get("location", "")
        raise SourceAnswerWrong(
            f"{answer.url.host} answers {status}{f', pointing to {where}' if where else ''}.",
            hint_zh=f"{answer.url.host}答复{status}{f'，指向{where}' if where else ''}。",
            status=status,
        )


def _read(answer: httpx.Response) -> bytes:
    body = bytearray()
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > SOURCE_PAGE_BYTES_MAX:
            raise SourceAnswerWrong(
                f"A page is larger than {SOURCE_PAGE_BYTES_MAX} bytes: ask for fewer rows.",
                hint_zh=f"一页超过{SOURCE_PAGE_BYTES_MAX}字节，请减少每页行数。",
            )
    return bytes(body)


def _retry_after_s(headers: httpx.Headers) -> float | None:
    text = headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - clock.now()).total_seconds()) if text else None
    except (ValueError, TypeError):
        return None


def _skew_s(headers: httpx.Headers) -> float | None:
    try:
        return (parsedate_to_datetime(headers["date"]) - clock.now()).total_seconds()
    except (KeyError, ValueError, TypeError):
        return None


def _pause_s(attempt: int) -> float:
    """Doubling, with half of it left to chance, so that many clients do not come back at once."""
    whole = min(_FIRST_PAUSE_S * 2**attempt, SOURCE_PAUSE_S_MAX)
    return float(whole * (0.5 + ids.random_bytes(1)[0] / 510))


# On disk -----------------------------------------------------------------------------------------------------------
def _resume(context: FetchContext, lines: Path, state: Path) -> Progress:
    """The broken fetch of the same options and cursor, its half-written page cut off; otherwise a beginning."""
    key = hashlib.sha256(
        orjson.dumps([dict(context.options), dict(context.cursor)], option=orjson.OPT_SORT_KEYS)
    ).hexdigest()
    now_s = clock.now().timestamp()
    if state.is_file() and lines.is_file():
        found = Progress(**orjson.loads(state.read_bytes()))
        if found.key == key and now_s - found.at < SOURCE_RESUME_S_MAX and lines.stat().st_size >= found.bytes:
            os.truncate(lines, found.bytes)
            return found
    lines.unlink(missing_ok=True)
    return Progress(key=key, at=now_s, next=_first(context))


def _append(path: Path) -> Any:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb")


def _sync(out: Any) -> None:
    out.flush()
    os.fsync(out.fileno())


def _batch(context: FetchContext, lines: Path) -> Batch | None:
    """The records as CSV; incrementally without those that came with the last value before."""
    options = context.options
    cursor, seen = dict[str, Any](), b""
    chosen = lines
    if options.get("since_path"):
        chosen = context.work / "new.jsonl"
        cursor, seen, rows = _only_new(context, lines, chosen)
        if rows == 0:
            return None
    target = context.work / "rows.csv"
    written = write_records(chosen, target, read_mapping(options.get("fields", "")))
    name = httpx.URL(options["url"]).path.rstrip("/").rpartition("/")[2] or "records"
    return Batch(path=target, filename=f"{name}.csv", rows=written, cursor=cursor, seen=seen)


def _only_new(context: FetchContext, lines: Path, target: Path) -> tuple[dict[str, Any], bytes, int]:
    path, last = context.options["since_path"], context.cursor.get("value")
    delivered, digests = unpack_digests(context.seen), RowDigests()
    greatest, at_greatest, rows = last, set(delivered), 0
    with _append_new(target) as out:
        for line, value in _valued(lines, path):
            digest = digests.add([line.decode()])
            if value is not None and (greatest is None or _order(value) > _order(greatest)):
                greatest, at_greatest = value, set()
            if value == greatest:
                at_greatest.add(digest)
            if digest not in delivered:
                out.write(line)
                rows += 1
    return {"value": greatest}, pack_digests(at_greatest), rows


def _append_new(path: Path) -> Any:
    path.unlink(missing_ok=True)
    return _append(path)


def _valued(lines: Path, path: str) -> Iterator[tuple[bytes, str | None]]:
    with lines.open("rb") as file:
        for line in file:
            yield line, text_of(dig(orjson.loads(line), path))


def _order(text: str) -> tuple[int, float, str]:
    """Numbers by value, everything else by its characters, as ISO times are meant to be."""
    try:
        return (0, float(text), "")
    except ValueError:
        return (1, 0.0, text)
