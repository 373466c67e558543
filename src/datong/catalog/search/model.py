"""From texts to index terms, and from what somebody typed to a query. Pure.

Chinese is indexed by overlapping pairs of characters, so that nothing depends on a segmenter: every word of two
characters is found wherever it stands, and a longer one by its pairs plus a check of the phrase itself. One character
is found as the beginning of a pair. Latin words are found by their beginnings. Pinyin is indexed from every syllable
on, in full and by initials: `dengji` and `dj` find 企业登记.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pypinyin import Style, lazy_pinyin

from datong.kernel.limits import SEARCH_ALTERNATIVES_MAX, SEARCH_QUERY_CHARACTERS_MAX, SEARCH_TERMS_MAX

_RUN = re.compile(r"[a-z0-9][a-z0-9._\-]*|[^\W\x00-\x7f]+")
_LATIN = re.compile(r"[a-z0-9]")
_PARTS = re.compile(r"[._\-]+")
_CHINESE = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]+")
_PINYIN_CHARACTERS_MAX = 40
_SYLLABLES_MAX = 24
FULL, INITIALS = "p~", "i~"
"""Prefixes that keep pinyin apart from words; no word holds a tilde."""

SYNONYMS: tuple[tuple[str, ...], ...] = (
    ("社保", "社会保险"),
    ("医保", "医疗保险"),
    ("公积金", "住房公积金"),
    ("低保", "最低生活保障"),
    ("身份证", "公民身份号码", "身份证号", "证件号"),
    ("信用代码", "统一社会信用代码", "uscc"),
    ("区划", "行政区划"),
    ("户口", "户籍"),
    ("房产", "不动产", "房屋"),
    ("车辆", "机动车"),
    ("手机", "移动电话", "联系电话"),
    ("老板", "法定代表人", "法人代表"),
    ("营业执照", "企业登记"),
    ("空气质量", "大气质量", "pm2.5"),
    ("gdp", "生产总值"),
    ("学生", "学籍"),
)
"""What people say and what catalogues write; a deployment adds its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedText:
    """What is searched of one resource. `title_terms` are among `terms`; the folded texts serve phrases and ranking."""

    title: str
    columns: str
    """Each column name and title on a line of its own, with a line end before the first and after the last."""
    description: str
    terms: tuple[str, ...]
    title_terms: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One typed word, and what else it may be called. A record matches when any alternative does."""

    text: str
    alternatives: tuple[str, ...]


def fold(text: str) -> str:
    """One form for what reads alike: compatibility forms, lower case, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def index_text(titles: Iterable[str], names: Iterable[str], description: str) -> IndexedText:
    """`titles`: what the resource is called, with its id, code and agency; `names`: its columns' names and titles."""
    title_lines = [fold(title) for title in titles if title]
    column_lines = list(dict.fromkeys(fold(name) for name in names if name))
    told = fold(description)
    title_terms = dict.fromkeys(term for line in title_lines for term in (*find_terms(line), *find_pinyin(line)))
    terms = dict(title_terms)
    for line in column_lines:
        terms.update(dict.fromkeys((*find_terms(line), *find_pinyin(line))))
    terms.update(dict.fromkeys(find_terms(told)))
    return IndexedText(
        title="\n".join(title_lines),
        columns="\n" + "\n".join(column_lines) + "\n",
        description=told,
        terms=tuple(terms),
        title_terms=tuple(title_terms),
    )


def find_terms(text: str) -> Iterator[str]:
    """Index terms of a folded text: pairs of characters, the last one of each run alone, and Latin words with parts."""
    for run in _RUN.findall(text):
        if _LATIN.match(run):
            word = run.rstrip("._-")
            yield word
            parts = [part for part in _PARTS.split(word) if part]
            if len(parts) > 1:
                yield from parts
        else:
            yield from (run[i : i + 2] for i in range(len(run) - 1))
            yield run[-1]


def find_pinyin(text: str) -> Iterator[str]:
    """From every syllable of every Chinese run on: the syllables joined, and their initials."""
    for run in _CHINESE.findall(text):
        syllables = lazy_pinyin(run[:_SYLLABLES_MAX], errors="ignore", v_to_u=False)
        initials = [syllable[:1] for syllable in syllables]
        for start in range(len(syllables)):
            yield FULL + "".join(syllables[start:])[:_PINYIN_CHARACTERS_MAX]
            if start < len(syllables) - 1:
                yield INITIALS + "".join(initials[start:])


def read_query(text: str, synonyms: Mapping[str, Sequence[str]]) -> tuple[Term, ...]:
    """Words between spaces, each with its synonyms, whole or within. `synonyms` maps a folded word to its group."""
    words = list(dict.fromkeys(fold(text[:SEARCH_QUERY_CHARACTERS_MAX]).split()))[:SEARCH_TERMS_MAX]
    terms = []
    for word in words:
        if not _RUN.search(word):
            continue
        others = [
            word.replace(known, other, 1)
            for known, group in synonyms.items()
            if known in word
            for other in group
            if other != known and (known == word or other not in word)
        ]
        alternatives = tuple(dict.fromkeys([word, *others]))[:SEARCH_ALTERNATIVES_MAX]
        terms.append(Term(text=word, alternatives=alternatives))
    return tuple(terms)


def group_synonyms(groups: Iterable[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Each word to all words of its groups, folded."""
    found: dict[str, tuple[str, ...]] = {}
    for group in groups:
        words = tuple(fold(word) for word in group)
        for word in words:
            found[word] = tuple(dict.fromkeys((*found.get(word, ()), *words)))
    return found


def tsquery_of(terms: Iterable[Term]) -> str:
    """The query as PostgreSQL's tsquery text; "" when nothing can be looked for."""
    parts = []
    for term in terms:
        either = [found for alternative in term.alternatives if (found := _tsquery_of_phrase(alternative))]
        if either:
            parts.append(f"({' | '.join(either)})")
    return " & ".join(parts)


def _tsquery_of_phrase(phrase: str) -> str:
    every = []
    for run in _RUN.findall(phrase):
        if _LATIN.match(run):
            word = run.rstrip("._-")
            forms = [f"{_quote(word)}:*"]
            if word.isalpha() and len(word) > 1:
                forms += [f"{_quote(FULL + word)}:*", f"{_quote(INITIALS + word)}:*"]
            every.append(f"({' | '.join(forms)})")
        elif len(run) == 1:
            every.append(f"{_quote(run)}:*")
        else:
            every += [_quote(run[i : i + 2]) for i in range(len(run) - 1)]
    return f"({' & '.join(every)})" if every else ""


def needs_phrase_check(phrase: str) -> bool:
    """Whether its pairs could stand apart in a text. A pair, one character or one Latin word is exact by itself."""
    runs = _RUN.findall(phrase)
    return len(runs) != 1 or runs[0] != phrase or (not _LATIN.match(phrase) and len(phrase) > 2)


def tsvector_of(terms: Iterable[str]) -> str:
    return " ".join(_quote(term) for term in terms)


def _quote(term: str) -> str:
    """A lexeme in PostgreSQL's text form: quotes and backslashes doubled."""
    return "'" + term.replace("\\", "\\\\").replace("'", "''") + "'"


def like_pattern(phrase: str) -> str:
    """`%phrase%` with LIKE's own signs escaped."""
    escaped = phrase.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def segment(phrase: str) -> tuple[str, ...]:
    """Words of two or more characters, for ranking only."""
    import rjieba

    return tuple(word for word in rjieba.cut(phrase) if len(word) > 1)


def highlight(text: str, phrases: Iterable[str]) -> tuple[tuple[str, bool], ...]:
    """The text in pieces, marked where a phrase stands. Characters whose folded form is longer are left unmarked."""
    folded = "".join(form if len(form := unicodedata.normalize("NFKC", c).lower()) == 1 else c for c in text)
    marked = [False] * len(text)
    for phrase in phrases:
        start = folded.find(phrase) if phrase else -1
        while start >= 0:
            marked[start : start + len(phrase)] = [True] * len(phrase)
            start = folded.find(phrase, start + len(phrase))
    pieces: list[tuple[str, bool]] = []
    for character, mark in zip(text, marked, strict=True):
        if pieces and pieces[-1][1] == mark:
            pieces[-1] = (pieces[-1][0] + character, mark)
        else:
            pieces.append((character, mark))
    return tuple(pieces)


def initials_of(text: str) -> str:
    """The initials of a title, for sorting people's lists by pinyin."""
    return "".join(lazy_pinyin(text, style=Style.FIRST_LETTER, errors="ignore"))
