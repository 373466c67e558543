"""Search through the service on the real database, against the plain substring truth."""

from __future__ import annotations

from itertools import pairwise

import pytest
from django.db import connection

from datong.catalog import service as catalog
from datong.catalog.search.contracts import SearchOrder, SearchQuery, SynonymsInvalid
from datong.catalog.search.model import SYNONYMS, group_synonyms
from datong.catalog.search.service import add_synonyms, find_index_drift, rebuild_index, search_resources, suggest
from datong.catalog.store.models import SearchEntry
from datong.catalog.tests.samples import changed, demo_text, set_word
from datong.kernel.contracts import ANONYMOUS
from datong.kernel.failures import BadInput, NotAllowed
from datong.kernel.paging import CursorRefused
from datong.testing.cast import Cast

TITLES = (
    "企业登记基本信息", "企业年报信息", "税收收入统计", "个人所得税申报", "机动车登记信息", "社会保险参保信息",
    "公路收费站", "收税机关名录", "空气质量监测站小时数据", "人口基本信息",
)  # fmt: skip


def apply(cast: Cast, number: int, title: str, **words: object) -> str:
    def change(raw: dict[str, object]) -> None:
        raw["id"] = raw["schema"][0]["name"] = f"psb_table{number}"  # type: ignore[index]
        raw["name"] = raw["schema"][0]["businessName"] = title  # type: ignore[index]
        raw["description"] = {"purpose": f"{title}的说明"}
        set_word(raw, "directoryCode", None)
        for name, value in words.items():
            set_word(raw, name, value)

    text = changed(demo_text("psb_population"), change).text
    return catalog.apply_contract(cast.actor("psb.steward"), text, base_version=None).resource_id


@pytest.fixture
def catalogue(cast: Cast) -> dict[str, str]:
    return {apply(cast, number, title): title for number, title in enumerate(TITLES)}


def find(cast: Cast, text: str, **filters: tuple[str, ...]) -> list[str]:
    page = search_resources(cast.actor("amr.steward"), SearchQuery(text=text, filters=filters))
    return [hit.resource.title_zh for hit in page.items]


def test_every_pair_and_longer_word_of_every_title_is_found_and_nothing_else(
    cast: Cast, catalogue: dict[str, str]
) -> None:
    rows = SearchEntry.objects.values_list("title_text", "columns_text", "description_text", "pk")
    texts = {pk: "\n".join(parts) for *parts, pk in rows}
    words = {title[i : i + n] for title in TITLES for n in (2, 3, 4, 8) for i in range(len(title) - n + 1)}
    assert len(words) > 100
    for word in words:
        truth = {catalogue[pk] for pk, text in texts.items() if word in text}
        found = set(find(cast, word))
        assert truth <= found, word
        if not any(known in word for known in group_synonyms(SYNONYMS)):
            assert found == truth, word


def test_a_word_whose_pairs_stand_apart_is_not_found(cast: Cast, catalogue: dict[str, str]) -> None:
    assert "税收收入统计" in find(cast, "税收")
    assert find(cast, "收税") == ["收税机关名录"]
    assert find(cast, "收入税收") == []


def test_one_character_two_words_pinyin_and_synonyms(cast: Cast, catalogue: dict[str, str]) -> None:
    assert set(find(cast, "税")) == {"税收收入统计", "个人所得税申报", "收税机关名录"}
    assert find(cast, "登记 企业")[0] == "企业登记基本信息"
    assert find(cast, "qiyedengji") == ["企业登记基本信息"]
    assert find(cast, "jdcdj") == ["机动车登记信息"]
    assert find(cast, "社保") == ["社会保险参保信息"]
    assert find(cast, "车辆")[0] == "机动车登记信息"
    assert find(cast, "PSB_table3") == ["个人所得税申报"]
    assert find(cast, "没有这样的词") == []


def test_the_title_that_begins_with_the_word_comes_first(cast: Cast, catalogue: dict[str, str]) -> None:
    assert find(cast, "企业")[:2] == ["企业年报信息", "企业登记基本信息"] or find(cast, "企业")[:2] == [
        "企业登记基本信息", "企业年报信息",
    ]  # fmt: skip
    assert find(cast, "人口基本信息")[0] == "人口基本信息"
    hit = search_resources(cast.actor("amr.steward"), SearchQuery(text="企业登记")).items[0]
    assert hit.title == (("企业登记", True), ("基本信息", False))


def test_facets_narrow_and_keep_the_other_values_of_their_own_group(cast: Cast, catalogue: dict[str, str]) -> None:
    open_one = apply(cast, 90, "企业公示信息", sharingType="unconditional", sharingCondition=None)
    page = search_resources(
        cast.actor("amr.steward"), SearchQuery(text="企业", filters={"sharing": ("unconditional",)})
    )
    assert [hit.resource.id for hit in page.items] == [open_one]
    counts = {
        value.value: (value.count, value.chosen) for g in page.facets if g.name == "sharing" for value in g.values
    }
    assert counts == {"unconditional": (1, True), "conditional": (2, False)}
    with pytest.raises(BadInput):
        find(cast, "企业", colour=("red",))


def test_pages_by_cursor_hold_each_result_once(cast: Cast, catalogue: dict[str, str]) -> None:
    actor, query = cast.actor("amr.steward"), SearchQuery(text="说明")
    whole = [hit.resource.id for hit in search_resources(actor, query).items]
    assert len(whole) == len(TITLES), "every record has 说明 in its description"
    seen, cursor = [], None
    while True:
        page = search_resources(actor, query, cursor=cursor, limit=3)
        seen += [hit.resource.id for hit in page.items]
        assert (page.count, page.count_is_estimate) == (len(whole), False)
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert seen == whole
    with pytest.raises(CursorRefused):
        search_resources(actor, SearchQuery(text="企业"), cursor=cursor, limit=3)


def test_nothing_is_found_or_counted_that_may_not_be_seen(cast: Cast) -> None:
    words = {
        "sharingType": "withheld",
        "sharingBasis": "《保守国家秘密法》第十四条",
        "sharingCondition": None,
        "shareModes": ["batch"],
    }

    def secret(raw: dict[str, object]) -> None:
        raw["id"] = raw["schema"][0]["name"] = "psb_secret"  # type: ignore[index]
        raw["name"] = "重要设施清单"
        set_word(raw, "directoryCode", None)
        for name, value in words.items():
            set_word(raw, name, value)
        for item in raw["schema"][0]["properties"]:  # type: ignore[index]
            item["classification"] = "重要"
            for name in ("sharingType", "sharingCondition", "verify"):
                set_word(item, name, None)

    text = changed(demo_text("psb_population"), secret).text
    catalog.apply_contract(cast.actor("psb.steward"), text, base_version=None)
    own = search_resources(cast.actor("psb.steward"), SearchQuery(text="设施"))
    assert (len(own.items), own.count) == (1, 1)
    for actor in (cast.actor("amr.steward"), ANONYMOUS):
        page = search_resources(actor, SearchQuery(text="设施"))
        assert (page.items, page.count, page.facets) == ((), 0, ())


def test_order_by_quality_and_the_quality_facet(cast: Cast, catalogue: dict[str, str]) -> None:
    ids = list(catalogue)
    for resource_id, score in zip(ids[:3], (61.0, 99.5, 80.0), strict=True):
        catalog.put_facet(resource_id, "quality.score", score)
    page = search_resources(
        cast.actor("amr.steward"), SearchQuery(filters={"quality": ("60",)}, order=SearchOrder.QUALITY)
    )
    assert [hit.resource.id for hit in page.items] == [ids[1], ids[2], ids[0]]
    for order in SearchOrder:
        page = search_resources(cast.actor("amr.steward"), SearchQuery(text="说明", order=order))
        assert len(page.items) == len(TITLES)
    stamps = [hit.resource.updated_at for hit in search_resources(cast.actor("amr.steward"), SearchQuery()).items]
    assert all(later >= earlier for later, earlier in pairwise(stamps))


def test_suggestions_are_titles_then_columns(cast: Cast, catalogue: dict[str, str]) -> None:
    assert suggest(cast.actor("amr.steward"), "企业")[:2] != []
    assert "机动车登记信息" in suggest(cast.actor("amr.steward"), "jdc")


def test_synonyms_are_the_bureaus_to_add(cast: Cast, catalogue: dict[str, str]) -> None:
    assert find(cast, "汽车") == []
    with pytest.raises(NotAllowed):
        add_synonyms(cast.actor("psb.steward"), [("汽车", "机动车")])
    with pytest.raises(SynonymsInvalid):
        add_synonyms(cast.actor("data.bureau"), [("汽车",)])
    assert add_synonyms(cast.actor("data.bureau"), [("汽车", "机动车")]) == 1
    assert add_synonyms(cast.actor("data.bureau"), [("汽车", "机动车")]) == 0
    assert find(cast, "汽车") == ["机动车登记信息"]


def test_the_index_follows_its_record_and_a_hand_made_difference_is_found(
    cast: Cast, catalogue: dict[str, str]
) -> None:
    assert find_index_drift() == []
    with connection.cursor() as cursor:
        cursor.execute("update catalog_searchentry set title_text = 'x' where resource_id = 'psb_table1'")
        cursor.execute("delete from catalog_searchentry where resource_id = 'psb_table2'")
    assert find_index_drift() == ["psb_table1", "psb_table2"]
    assert rebuild_index() == len(TITLES)
    assert find_index_drift() == []
