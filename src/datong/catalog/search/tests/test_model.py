"""Index terms and queries against plain substring search."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from datong.catalog.search.model import (
    FULL,
    INITIALS,
    find_pinyin,
    find_terms,
    fold,
    group_synonyms,
    highlight,
    index_text,
    like_pattern,
    needs_phrase_check,
    read_query,
    tsquery_of,
)

CHINESE = st.text(alphabet="企业登记信息人口社会保险车辆𠀀", min_size=1, max_size=12)


@given(CHINESE, st.integers(0, 10), st.integers(2, 6))
def test_every_word_of_a_text_is_among_its_pairs(text: str, start: int, length: int) -> None:
    word = text[start : start + length]
    pairs = {word[i : i + 2] for i in range(len(word) - 1)}
    assert pairs <= set(find_terms(text))


def test_a_character_is_found_by_the_pairs_it_begins_or_alone_at_the_end() -> None:
    terms = set(find_terms("税收收入"))
    assert {"税收", "收收", "收入", "入"} == terms
    assert tsquery_of(read_query("税", {})) == "(('税':*))"


def test_latin_words_have_parts_and_chinese_beside_them_is_kept() -> None:
    assert set(find_terms(fold("PM2.5浓度 psb_population"))) == {
        "pm2.5", "pm2", "5", "浓度", "度", "psb_population", "psb", "population"
    }  # fmt: skip


def test_pinyin_begins_at_every_syllable() -> None:
    found = set(find_pinyin("企业登记"))
    assert {FULL + "qiyedengji", FULL + "dengji", INITIALS + "qydj", INITIALS + "dj"} <= found


def test_synonyms_stand_for_the_whole_word_or_a_part() -> None:
    groups = group_synonyms([("社保", "社会保险")])
    (term,) = read_query("社保缴费", groups)
    assert term.alternatives == ("社保缴费", "社会保险缴费")
    (term,) = read_query("社会保险", groups)
    assert term.alternatives == ("社会保险", "社保")


def test_only_texts_whose_pairs_could_stand_apart_are_checked_again() -> None:
    assert [needs_phrase_check(text) for text in ("税", "税收", "税收法", "pm2.5", "pm2.5浓度")] == [
        False, False, True, False, True
    ]  # fmt: skip


def test_quotes_and_signs_stay_text() -> None:
    assert like_pattern("100%_\\") == "%100\\%\\_\\\\%"
    assert tsquery_of(read_query("o'1", {})) == "((('o':*) & ('1':*)))"
    assert tsquery_of(read_query("!!! ''", {})) == ""


def test_marks_stand_where_the_words_do() -> None:
    assert highlight("空气质量监测", ["质量"]) == (("空气", False), ("质量", True), ("监测", False))
    assert "".join(piece for piece, _ in highlight("ＰＭ2.5㍿", ["pm2.5"])) == "ＰＭ2.5㍿"


def test_titles_are_searched_apart_from_the_rest() -> None:
    text = index_text(["企业登记"], ["name", "名称"], "说明")
    assert set(text.title_terms) < set(text.terms)
    assert text.columns == "\nname\n名称\n"
