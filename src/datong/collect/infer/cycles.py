"""How often a table is renewed, guessed from its name and from the steps between its periods."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import duckdb

from datong.catalog.words import CYCLE_TITLES, LogicalType, UpdateCycle
from datong.collect.infer.model import ColumnProfile
from datong.collect.infer.profiling import typed_text_sql
from datong.collect.infer.tables import FoundTable

_WORDS = (
    (UpdateCycle.DAILY, r"日报|每日|逐日|(?<![a-z])daily(?![a-z])"),
    (UpdateCycle.WEEKLY, r"周报|每周|(?<![a-z])weekly(?![a-z])"),
    (UpdateCycle.MONTHLY, r"月报|月度|每月|按月|(?<![a-z])monthly(?![a-z])"),
    (UpdateCycle.QUARTERLY, r"季报|季度|每季|(?<![a-z])quarterly(?![a-z])"),
    (UpdateCycle.YEARLY, r"年报|年度|每年|年鉴|(?<![a-z])yearly(?![a-z])|(?<![a-z])annual(?![a-z])"),
)
_PERIOD = re.compile(
    r"统计|期|月份|年份|年度|季度|观测|监测|时间|日期$|period|month|quarter|year|(^|_)(date|day)$", re.IGNORECASE
)
_PERSONAL = re.compile(r"出生|生日|birth|登记|成立|有效|注册", re.IGNORECASE)
_STEPS = ((1, UpdateCycle.DAILY), (7, UpdateCycle.WEEKLY), (30, UpdateCycle.MONTHLY), (91, UpdateCycle.QUARTERLY))
_PERIODS_MIN = 6
_PERIODS_READ_MAX = 5000


def guess_cycle(
    connection: duckdb.DuckDBPyConnection, found: FoundTable, profiles: Sequence[ColumnProfile]
) -> tuple[UpdateCycle | None, tuple[str, str]]:
    """The cycle with its reason (zh, en); (None, ("", "")) when nothing speaks for one."""
    text = " ".join((found.name, found.title, found.source, *(zh for zh, _ in found.notes)))
    for cycle, words in _WORDS:
        match = re.search(words, text, re.IGNORECASE)
        if match:
            zh, en = CYCLE_TITLES[cycle]
            return cycle, (
                f"更新周期推测为{zh}：名称或说明中有“{match[0]}”",
                f"Probably {en.lower()}: its name or notes say {match[0]!r}",
            )
    for profile in profiles:
        is_date = profile.guess.logical_type in (LogicalType.DATE, LogicalType.TIMESTAMP)
        called = f"{profile.name} {profile.title}"
        if (
            not is_date
            or profile.distinct < _PERIODS_MIN
            or _PERSONAL.search(called)
            or not _PERIOD.search(profile.title or profile.name)
        ):
            continue
        step = _usual_step(connection, found.relation, profile)
        cycle_found = next((cycle for days, cycle in _STEPS if abs(step - days) <= days * 0.1), None)
        cycle_found = UpdateCycle.YEARLY if cycle_found is None and 350 <= step <= 380 else cycle_found
        if cycle_found is not None:
            zh, en = CYCLE_TITLES[cycle_found]
            name = profile.title or profile.name
            return cycle_found, (
                f"更新周期推测为{zh}：{name}通常相隔{step:g}天",
                f"Probably {en.lower()}: values of {name} are usually {step:g} days apart",
            )
    return None, ("", "")


def _usual_step(connection: duckdb.DuckDBPyConnection, relation: str, profile: ColumnProfile) -> float:
    """The median of days between one period and the next."""
    rows = connection.execute(
        f"select distinct ({typed_text_sql(profile)})::date as d from {relation} where d is not null "
        f"order by d desc limit {_PERIODS_READ_MAX}"
    ).fetchall()
    days = [row[0] for row in rows]
    return median((later - earlier).days for later, earlier in pairwise(days)) if len(days) > 1 else 0
