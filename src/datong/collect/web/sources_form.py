"""The form of a source: what a steward types, as a SourceDraft; what was wrong, beside its field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.http import QueryDict

from datong.collect.sources.contracts import KIND_TITLES, FetchState, SourceDraft, SourceKind, SourceView, Trigger
from datong.collect.sources.options import OPTIONS, OptionSpec
from datong.collect.sources.schedule import CYCLE
from datong.kernel.config import Secret
from datong.kernel.failures import Failure
from datong.ui.components import WEEKDAYS
from datong.ui.web.words import failure_lines, is_chinese, pick

EVERY_MINUTES = re.compile(r"\*(?:/(\d+))? \* \* \* \*")
HOURLY = re.compile(r"(\d+) \* \* \* \*")
DAILY = re.compile(r"(\d+) (\d+) \* \* ([0-7]|\*)")
KIND_HELP: Mapping[SourceKind, tuple[str, str]] = {
    SourceKind.POSTGRES: ("一张表或一条查询，全量或按游标", "A table or query, whole or by cursor"),
    SourceKind.MYSQL: ("一张表或一条查询，全量或按游标", "A table or query, whole or by cursor"),
    SourceKind.HTTP: ("分页取 JSON，断了从那一页接着取", "JSON page by page; a broken fetch goes on at its page"),
    SourceKind.MQTT: ("消息落盘后才确认，不丢不重", "Acknowledged once on disk: none lost, none twice"),
    SourceKind.FOLDER: ("文件到齐后取走，每个只取一次", "A file is taken once, when it is whole"),
    SourceKind.SFTP: ("同上，文件在对方服务器上", "The same, on another's server"),
}
FETCH_TAGS: Mapping[FetchState, tuple[str, str, str]] = {
    FetchState.FETCHING: ("ac", "正在取数", "Fetching"),
    FetchState.LANDED: ("ac", "正在归集", "Being collected"),
    FetchState.DONE: ("ok", "已入湖", "Done"),
    FetchState.FAILED: ("bad", "失败", "Failed"),
}
TRIGGER_TITLES: Mapping[Trigger, tuple[str, str]] = {
    Trigger.HAND: ("手动", "by hand"),
    Trigger.SCHEDULE: ("定时", "on schedule"),
    Trigger.EVENT: ("上游更新", "after another resource"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    value: str
    title: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One control. A secret's `value` is always empty; `is_set` says that one is sealed."""

    name: str
    title: str
    help: str
    shape: str
    value: str
    required: bool
    choices: tuple[Choice, ...] = ()
    is_set: bool = False
    error: str = ""
    is_wide: bool = False
    is_lost: bool = False
    """A credential was typed into a form that came back; it has to be typed again."""


def read_draft(data: QueryDict, resource_id: str, kind: SourceKind) -> SourceDraft:
    specs = OPTIONS[kind]
    return SourceDraft(
        resource_id=resource_id,
        title=data.get("title", ""),
        kind=kind.value,
        options={spec.name: data.get(spec.name, "") for spec in specs if not spec.secret},
        secrets={spec.name: Secret(str(data[spec.name])) for spec in specs if spec.secret and data.get(spec.name)},
        schedule=data.get("schedule", ""),
        after_resource=data.get("after_resource", "").strip(),
    )


def fields_of(
    kind: SourceKind, values: Mapping[str, str], *, source: SourceView | None, failure: Failure | None
) -> list[Field]:
    """The kind's options with what was typed; the failure's text beside the field it names."""
    sealed = source.secret_names if source else ()
    return [
        _field(spec, values.get(spec.name, ""), spec.name in sealed, _error_of(spec.name, failure))
        for spec in OPTIONS[kind]
    ]


def general_fields(values: Mapping[str, str], failure: Failure | None) -> list[Field]:
    """What every kind has."""
    specs = (
        OptionSpec(name="title", title_zh="名称", title_en="Name", required=True),
        OptionSpec(
            name="schedule",
            title_zh="定时",
            title_en="Schedule",
            help_zh="cron 五段（北京时间），或 cycle 表示按契约的更新周期；空为不定时",
            help_en="five cron fields in China time, or cycle for the contract's update cycle; empty for none",
        ),
        OptionSpec(
            name="after_resource",
            title_zh="上游资源",
            title_en="After resource",
            help_zh="该资源有新版本时取数，填资源标识",
            help_en="fetch when this resource has a new version; its id",
        ),
    )
    return [_field(spec, values.get(spec.name, ""), False, _error_of(spec.name, failure)) for spec in specs]


def values_of(source: SourceView) -> dict[str, str]:
    return {
        **source.options,
        "title": source.title,
        "schedule": source.schedule,
        "after_resource": source.after_resource,
    }


def schedule_words(schedule: str) -> str:
    """When a source is looked at, in words; a cron line that no short sentence says stays as it was typed."""
    if schedule == CYCLE:
        return pick("按契约的更新周期", "the contract's update cycle")
    if match := EVERY_MINUTES.fullmatch(schedule):
        return pick(f"每{match[1] or ''}分钟", f"every {match[1]} minutes" if match[1] else "every minute")
    if match := HOURLY.fullmatch(schedule):
        return pick(f"每小时第{match[1]}分", f"every hour at minute {match[1]}")
    if match := DAILY.fullmatch(schedule):
        at, weekday = f"{int(match[2]):02}:{int(match[1]):02}", match[3]
        if weekday == "*":
            return pick(f"每天 {at}", f"every day at {at}")
        zh, en = WEEKDAYS[(int(weekday) - 1) % 7]
        return pick(f"每周{zh} {at}", f"every {en} at {at}")
    return schedule


def kind_title(kind: SourceKind) -> str:
    return pick(*KIND_TITLES[kind])


def is_named(failure: Failure | None, fields: list[Field]) -> bool:
    """Whether a field shows this failure."""
    return failure is not None and failure.facts.get("field") in {field.name for field in fields}


def _field(spec: OptionSpec, value: str, is_set: bool, error: str) -> Field:  # noqa: FBT001
    return Field(
        name=spec.name,
        title=pick(spec.title_zh, spec.title_en),
        help=pick(spec.help_zh, spec.help_en),
        shape="secret" if spec.secret and spec.shape == "text" else spec.shape,
        value="" if spec.secret else value or spec.default,
        required=spec.required,
        choices=tuple(
            Choice(value=name, title=zh if is_chinese() else en, is_chosen=name == (value or spec.default))
            for name, zh, en in spec.choices
        ),
        is_set=is_set,
        error=error,
        is_wide=spec.shape == "area",
        is_lost=spec.secret and bool(value),
    )


def _error_of(name: str, failure: Failure | None) -> str:
    if failure is None or failure.facts.get("field") != name:
        return ""
    title, hint = failure_lines(failure)
    return hint or title
