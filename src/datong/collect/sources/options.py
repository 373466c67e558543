"""The options of each kind of source, declared once: the form, the command line and the checks come from here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datong.collect.sources.contracts import DriverMissing, SourceKind, SourceOptionsWrong
from datong.kernel.limits import SOURCE_OPTION_CHARACTERS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionSpec:
    """One option. `shape` is text | area | number | choice; a `secret` one is sealed and never shown again."""

    name: str
    title_zh: str
    title_en: str
    help_zh: str = ""
    help_en: str = ""
    shape: str = "text"
    choices: tuple[tuple[str, str, str], ...] = ()
    default: str = ""
    required: bool = False
    secret: bool = False


def _text(name: str, zh: str, en: str, **more: object) -> OptionSpec:
    return OptionSpec(name=name, title_zh=zh, title_en=en, **more)  # type: ignore[arg-type]


def _secret(name: str, zh: str, en: str, **more: object) -> OptionSpec:
    return OptionSpec(name=name, title_zh=zh, title_en=en, secret=True, **more)  # type: ignore[arg-type]


_DATABASE = (
    _text("host", "主机", "Host", required=True),
    _text("port", "端口", "Port", shape="number"),
    _text("database", "数据库", "Database", required=True),
    _text("user", "用户", "User", required=True, help_zh="只给读权限", help_en="read-only is enough"),
    _secret("password", "口令", "Password"),
    _text(
        "tls",
        "加密连接",
        "TLS",
        shape="choice",
        default="prefer",
        choices=(
            ("prefer", "服务器支持就用", "if the server offers it"),
            ("verify", "必须，并核对证书", "required, certificate checked"),
            ("off", "不用", "off"),
        ),
    ),
    _text("table", "表", "Table", help_zh="模式.表名；与查询二选一", help_en="schema.table; or give a query"),
    _text("query", "查询", "Query", shape="area", help_zh="一条 SELECT", help_en="one SELECT"),
    _text(
        "method",
        "取数方式",
        "Method",
        shape="choice",
        default="full",
        choices=(("full", "每次全量", "everything, each time"), ("cursor", "按游标增量", "new rows, by a cursor")),
    ),
    _text("cursor", "游标列", "Cursor column", help_zh="只增不减的列", help_en="a column that only grows"),
    _text(
        "look_back",
        "回看",
        "Look-back",
        shape="number",
        default="0",
        help_zh="重读多远以收回晚到的行：时间列为秒，日期列为天，数字列为数",
        help_en="how far to read again for late rows: seconds, days for dates, units for numbers",
    ),
    _text("batch_rows", "每批行数", "Rows of one batch", shape="number", default="500000"),
)

_FILES = (
    _text("pattern", "文件名模式", "File name pattern", default="*.csv"),
    _text(
        "ready",
        "何时算到齐",
        "A file is ready",
        shape="choice",
        default="stable",
        choices=(
            ("stable", "大小不再变化", "when its size no longer changes"),
            ("done", "有同名 .done 文件", "when NAME.done is there"),
            ("bill", "有对账单 .bill.json", "when NAME.bill.json is there"),
        ),
    ),
    _text("stable_s", "静止秒数", "Seconds at rest", shape="number", default="30"),
    _text(
        "after",
        "取走之后",
        "Once taken",
        shape="choice",
        default="keep",
        choices=(
            ("keep", "留在原处，记入台账", "leave it, keep a ledger"),
            ("move", "移到 done/ 或 failed/", "move to done/"),
        ),
    ),
)

OPTIONS: Mapping[SourceKind, tuple[OptionSpec, ...]] = {
    SourceKind.POSTGRES: _DATABASE,
    SourceKind.MYSQL: _DATABASE,
    SourceKind.HTTP: (
        _text("url", "地址", "Address", required=True),
        _text(
            "records",
            "记录所在路径",
            "Path of the records",
            help_zh="如 data.items；空为整个应答",
            help_en="e.g. data.items",
        ),
        _text(
            "fields",
            "字段对应",
            "Field mapping",
            shape="area",
            help_zh="每行：列=路径",
            help_en="a line each: column=path",
        ),
        _text(
            "paging",
            "分页",
            "Paging",
            shape="choice",
            default="none",
            choices=(
                ("none", "不分页", "none"),
                ("page", "页码", "page number"),
                ("offset", "偏移量", "offset"),
                ("cursor", "游标", "cursor in the answer"),
                ("next", "下一页地址", "next address in the answer"),
                ("link", "Link 标头", "Link header"),
            ),
        ),
        _text(
            "page_param",
            "页参数",
            "Page parameter",
            help_zh="页码、偏移或游标的参数名",
            help_en="name of page, offset or cursor",
        ),
        _text("first_page", "首页码", "First page", shape="number", default="1"),
        _text("size_param", "每页参数", "Size parameter"),
        _text("page_size", "每页行数", "Rows of a page", shape="number", default="500"),
        _text(
            "next_path",
            "下一页路径",
            "Path of the next page",
            help_zh="应答中游标或地址的路径",
            help_en="of cursor or address",
        ),
        _text(
            "since_param",
            "增量参数",
            "Incremental parameter",
            help_zh="上次最大值的参数名",
            help_en="takes the last greatest value",
        ),
        _text("since_path", "增量字段", "Incremental field", help_zh="记录中的路径", help_en="path in a record"),
        _text(
            "auth",
            "认证",
            "Authentication",
            shape="choice",
            default="none",
            choices=(
                ("none", "无", "none"),
                ("bearer", "Bearer 令牌", "bearer token"),
                ("basic", "用户名和口令", "user and password"),
                ("header", "标头", "header"),
                ("query", "查询参数", "query parameter"),
            ),
        ),
        _text("auth_name", "用户名或参数名", "User, header or parameter"),
        _secret("token", "令牌或口令", "Token or password"),
    ),
    SourceKind.MQTT: (
        _text("host", "主机", "Host", required=True),
        _text("port", "端口", "Port", shape="number", default="1883"),
        _text(
            "tls",
            "加密连接",
            "TLS",
            shape="choice",
            default="off",
            choices=(("off", "不用", "off"), ("verify", "核对证书", "certificate checked")),
        ),
        _text("topics", "主题", "Topics", shape="area", required=True, help_zh="每行一个", help_en="one a line"),
        _text(
            "client_id", "客户端标识", "Client id", help_zh="空：由来源编号而来", help_en="empty: from the source's id"
        ),
        _text("user", "用户", "User"),
        _secret("password", "口令", "Password"),
        _text(
            "fields",
            "字段对应",
            "Field mapping",
            shape="area",
            help_zh="每行：列=路径；$topic 为主题",
            help_en="column=path; $topic is the topic",
        ),
        _text("batch_rows", "每批条数", "Messages of one batch", shape="number", default="10000"),
        _text("batch_s", "每批秒数", "Seconds of one batch", shape="number", default="10"),
    ),
    SourceKind.FOLDER: (_text("folder", "文件夹", "Folder", required=True), *_FILES),
    SourceKind.SFTP: (
        _text("host", "主机", "Host", required=True),
        _text("port", "端口", "Port", shape="number", default="22"),
        _text("user", "用户", "User", required=True),
        _text(
            "host_key",
            "主机密钥指纹",
            "Host key fingerprint",
            help_zh="SHA256:…；测试连接会显示",
            help_en="SHA256:…; the test shows it",
        ),
        _secret("password", "口令", "Password"),
        _secret("private_key", "私钥", "Private key", shape="area"),
        _text("folder", "目录", "Folder", required=True),
        *_FILES,
    ),
}

_ABSENT: Mapping[str, tuple[str, str]] = {
    "dameng": (
        (
            "Datong has no reader for Dameng: it needs the maker's ODBC driver, unixODBC and the package pyodbc, which "
            "are not here. Let Dameng export files into a watched folder, or put an HTTP interface before it."
        ),
        (
            "平台没有达梦的读取器：需要厂商的 ODBC 驱动、unixODBC 和 pyodbc，这里都没有。"
            "可让达梦导出文件到监视文件夹，或在其前设 HTTP 接口。"
        ),
    ),
    "oracle": (
        "Datong has no reader for Oracle. Export files into a watched folder.",
        "平台没有 Oracle 的读取器，可导出文件到监视文件夹。",
    ),
}
_ALIASES: Mapping[str, SourceKind] = {
    "kingbase": SourceKind.POSTGRES,
    "postgresql": SourceKind.POSTGRES,
    "mariadb": SourceKind.MYSQL,
}


def read_kind(text: str) -> SourceKind:
    """A kind by its name; Kingbase is read through PostgreSQL's protocol. Raises DriverMissing, SourceOptionsWrong."""
    name = text.strip().lower()
    if name in _ABSENT:
        hint, hint_zh = _ABSENT[name]
        raise DriverMissing(hint, hint_zh=hint_zh, kind=name)
    if name in _ALIASES:
        return _ALIASES[name]
    try:
        return SourceKind(name)
    except ValueError:
        known = ", ".join(SourceKind)
        raise SourceOptionsWrong(f"Kinds: {known}.", hint_zh=f"可用的类型：{known}。", field="kind") from None


def option_names(kind: SourceKind, *, secret: bool) -> tuple[str, ...]:
    return tuple(spec.name for spec in OPTIONS[kind] if spec.secret is secret)


def complete_options(kind: SourceKind, given: Mapping[str, str]) -> dict[str, str]:
    """The options with their defaults, trimmed and checked one by one. Raises SourceOptionsWrong with the field."""
    unknown = sorted(set(given) - set(option_names(kind, secret=False)))
    if unknown:
        raise wrong(unknown[0], f"{kind} has no option “{unknown[0]}”.", f"{kind}没有“{unknown[0]}”这一项。")
    complete = {}
    for spec in OPTIONS[kind]:
        if spec.secret:
            continue
        value = given.get(spec.name, "").strip() or spec.default
        _check_value(spec, value)
        if value:
            complete[spec.name] = value
    return complete


def _check_value(spec: OptionSpec, value: str) -> None:
    if spec.required and not value:
        raise wrong(spec.name, f"{spec.title_en} is needed.", f"请填写{spec.title_zh}。")
    if len(value) > SOURCE_OPTION_CHARACTERS_MAX:
        raise wrong(spec.name, f"{spec.title_en} is too long.", f"{spec.title_zh}过长。")
    if spec.shape == "number" and value and not re.fullmatch(r"\d{1,9}", value):
        raise wrong(spec.name, f"{spec.title_en} is a whole number.", f"{spec.title_zh}应为整数。")
    if spec.choices and value not in {choice for choice, _, _ in spec.choices}:
        offered = ", ".join(choice for choice, _, _ in spec.choices)
        raise wrong(spec.name, f"{spec.title_en}: {offered}.", f"{spec.title_zh}可选：{offered}。")
    if spec.shape != "area" and any(character in value for character in "\r\n\0"):
        raise wrong(spec.name, f"{spec.title_en} is one line.", f"{spec.title_zh}应为一行。")


def wrong(field: str, hint: str, hint_zh: str) -> SourceOptionsWrong:
    return SourceOptionsWrong(hint, hint_zh=hint_zh, field=field)


def read_mapping(text: str) -> dict[str, str]:
    """`column=path`, one a line, in order. Raises SourceOptionsWrong for a line without `=`."""
    mapping = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        column, found, path = line.partition("=")
        if not found or not column.strip():
            raise wrong("fields", f"“{line.strip()}” is not column=path.", f"“{line.strip()}”不是“列=路径”。")
        mapping[column.strip()] = path.strip()
    return mapping


def lines_of(text: str) -> Sequence[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
