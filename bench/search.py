"""How long a search over 100,000 catalogue entries takes, with what may be seen, facets and counts.

`python bench/search.py [ENTRIES]`. The entries are made up from words of government catalogues, eight columns each, and
written into the tables as `apply_contract` writes them. Ours is the 95th percentile of the whole service call for each
kind of query, in milliseconds; the limit is the 20 ms that the platform promises.
Run: `make bench NAME=search`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Any

from common import Row, compare, write_results
from platforms import running_platform

from datong.kernel.ids import seeded

ENTRIES = 100_000
LIMIT_MS = 20.0
ROUNDS = 40


def _words(*lines: str) -> list[str]:
    return [word for line in lines for word in line.split()]


PLACES = _words("安澜市 东湖区 临江县 青原区 高新区 南山镇 北河街道 滨海新区")
THINGS = _words(
    "企业登记 机动车 社会保险 医疗保险 不动产 公民身份 税收收入 环境监测 空气质量 水质监测 学籍 教师资格",
    "医疗机构 药品经营 食品经营 行政许可 行政处罚 信用评价 招标投标 建设工程 危险化学品 消防设施 道路运输",
    "公交线路 旅游景区 文化场馆 农产品 农业补贴 最低生活保障 婚姻登记 殡葬服务 户籍迁移 出入境 律师执业",
    "公证事项 人事招聘 养老机构 儿童福利 残疾人 退役军人 统计指标 价格监测 能源消耗 电力供应",
)
KINDS = _words("基本信息 统计信息 监测数据 名录 明细 汇总 目录 台账 记录 年报")
COLUMNS = _words(
    "姓名 证件号码 统一社会信用代码 企业名称 登记日期 有效期 行政区划 地址 联系电话 金额 数量 状态 类型 负责人",
    "经度 纬度 发布日期 单位名称 编号 等级 结果 备注 开始日期 结束日期 批准文号 监测值 站点 车牌号 学校 医院",
)
QUERIES: dict[str, tuple[str, ...]] = {
    "a common word": ("信息", "数据", "监测"),
    "two characters": ("税收", "户籍", "药品", "地址"),
    "one character": ("税", "药", "车"),
    "a longer word": ("统一社会信用代码", "道路运输明细", "危险化学品"),
    "two words": ("东湖区 企业", "青原区 环境监测", "登记 2019"),
    "pinyin": ("kongqizhiliang", "jdc", "donghu"),
    "a synonym": ("社保", "车辆", "低保"),
    "nothing found": ("区块链", "qxzyw", "量子计算"),
    "no words, newest": ("",),
}


def main() -> None:
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    with tempfile.TemporaryDirectory(prefix="datong-bench-", dir="/var/tmp") as place, running_platform(Path(place)):
        actor = fill(entries)
        write_results("search", measure(actor, entries))


def fill(entries: int) -> Any:
    """Agencies, records and index rows; the actor who searches: a steward of one agency among twenty."""
    from django.db import connection

    from datong.catalog.search.model import index_text, tsvector_of
    from datong.testing.cast import AGENCIES, make_cast

    cast = make_cast()
    agencies = [cast.agencies[code] for code in AGENCIES]
    rng = seeded(7)
    began_s = perf_counter()
    with connection.cursor() as cursor:
        with cursor.copy(
            "copy catalog_resource (id, agency_id, title_zh, title_en, description, directory_code, sharing, "
            "update_cycle, grade_max, columns_count, current_version, state, created_at, updated_at) "
            "from stdin"
        ) as out:
            rows = [_record(number, agencies, rng) for number in range(entries)]
            for row in rows:
                out.write_row(row["resource"])
        with cursor.copy(
            "copy catalog_searchentry (resource_id, title_text, columns_text, description_text, title_terms, terms, "
            "facets, quality, updated_at) from stdin"
        ) as out:
            for row in rows:
                text = index_text(row["titles"], row["columns"], row["description"])
                out.write_row([
                    row["id"], text.title, text.columns, text.description, tsvector_of(text.title_terms),
                    tsvector_of(text.terms), row["facets"], row["quality"], row["at"],
                ])  # fmt: skip
        cursor.execute("vacuum analyze catalog_resource")
        cursor.execute("vacuum analyze catalog_searchentry")
    print(f"{entries:,} entries written in {perf_counter() - began_s:.0f} s", file=sys.stderr)
    return cast.actor("amr.steward")


def _record(number: int, agencies: list[Any], rng: Any) -> dict[str, Any]:
    agency = agencies[number % len(agencies)]
    title = f"{rng.choice(PLACES)}{rng.choice(THINGS)}{rng.choice(KINDS)}{2000 + number % 25}"
    resource_id = f"bench_{number:06d}"
    sharing = ("unconditional", "conditional", "conditional", "withheld")[number % 4]
    grade = 6 if number % 97 == 3 else 1 + number % 4
    at = f"2026-{1 + number % 11:02d}-{1 + number % 28:02d} {number % 24:02d}:{number % 60:02d}:00+08"
    description = (
        f"{agency.name}在履职中形成的{title}，按{rng.choice(('日', '月', '季', '年'))}更新，供各部门核验和查询。"
    )
    return {
        "id": resource_id,
        "titles": [title, resource_id, agency.name, agency.name_en],
        "columns": [name for column in rng.sample(COLUMNS, 8) for name in (column, f"c{number % 50}")],
        "description": description,
        "quality": 60 + number % 40,
        "at": at,
        "facets": [
            f"agency:{agency.code}", f"sharing:{sharing}", f"grade:{grade}", "cycle:daily", "opening:withheld",
            "mode:verify", "mode:batch", f"class:{1 + number % 3}", f"quality:{(60, 75, 90)[number % 3]}",
        ],
        "resource": [
            resource_id, agency.id, title, "", description, "", sharing, "daily", grade, 8, "1.0.0", "active",
            at, at,
        ],
    }  # fmt: skip


def measure(actor: Any, entries: int) -> list[Row]:
    from datong.catalog.search.contracts import SearchQuery
    from datong.catalog.search.service import search_resources

    rows, every = [], []
    filters: dict[str, tuple[str, ...]] = {"sharing": ("conditional",), "agency": ("psb", "amr")}
    for kind, texts in QUERIES.items():
        for chosen in ({}, filters):
            samples = []
            for turn in range(ROUNDS):
                query = SearchQuery(text=texts[turn % len(texts)], filters=chosen)
                began_s = perf_counter()
                page = search_resources(actor, query, limit=20)
                samples.append((perf_counter() - began_s) * 1000)
                assert bool(page.items) is (kind != "nothing found"), (kind, query)
            every += samples
            name = f"{kind}{', filtered' if chosen else ''}, p95, ms"
            rows.append(_row(name, samples, entries))
    return [*rows, _row("all of them, p95, ms", every, entries)]


def _row(name: str, samples: list[float], entries: int) -> Row:
    return compare(
        f"search {entries:,}: {name}",
        quantiles(samples, n=20)[-1],
        LIMIT_MS,
        limit_is="the promise, ms",
        goal=1.0,
        lower_is_better=True,
    )


if __name__ == "__main__":
    main()
