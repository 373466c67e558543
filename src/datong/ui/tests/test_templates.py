"""Laws of the templates, each with a planted violation: both languages, nothing inline, only icons that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import datong

SOURCE = Path(datong.__file__).parent
ZH_EN = re.compile(r"""{%\s*zh_en\s+"(?P<zh>(?:[^"\\]|\\.)*)"\s+"(?P<en>(?:[^"\\]|\\.)*)"(?P<rest>[^%]*)%}""")
HAN = re.compile(r"[\u3400-\u9fff\u3000-\u303f\uff00-\uffef]")
PLACEHOLDER = re.compile(r"{(\w+)}")
INLINE = re.compile(r"""<style\b|\sstyle=|\son[a-z]+=|<script(?![^>]*\bsrc=)|javascript:""", re.I)
ALLOWED_HAN = {"大同 Datong", "中文", "　", "《", "》"}


def find_templates() -> list[Path]:
    return sorted(SOURCE.rglob("templates/**/*.html"))


def language_violations(text: str) -> list[str]:
    """Chinese outside `zh_en`, an empty or Chinese English text, placeholders that differ between the two."""
    found = []
    for match in ZH_EN.finditer(text):
        zh, en = match["zh"], match["en"]
        if zh.strip() and not en.strip():
            found.append(f"no English beside {zh!r}")
        if set(PLACEHOLDER.findall(zh)) != set(PLACEHOLDER.findall(en)):
            found.append(f"placeholders differ: {zh!r} and {en!r}")
        missing = set(PLACEHOLDER.findall(zh)) - set(re.findall(r"(\w+)=", match["rest"]))
        if missing:
            found.append(f"{zh!r} is not given {sorted(missing)}")
    bare = ZH_EN.sub("", re.sub(r"{#.*?#}", "", text, flags=re.S))
    for allowed in ALLOWED_HAN:
        bare = bare.replace(allowed, "")
    found += [f"Chinese outside zh_en: {line.strip()[:60]!r}" for line in bare.splitlines() if HAN.search(line)]
    return found


def inline_violations(text: str) -> list[str]:
    return [match.group(0) for match in INLINE.finditer(re.sub(r"{#.*?#}", "", text, flags=re.S))]


def test_there_are_templates() -> None:
    assert len(find_templates()) >= 20


@pytest.mark.parametrize("path", find_templates(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_template_speaks_both_languages_and_holds_nothing_inline(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert language_violations(text) == []
    assert inline_violations(text) == []


@pytest.mark.parametrize(
    "planted",
    [
        "<b>只有中文</b>",
        '{% zh_en "有中文" "" %}',
        '{% zh_en "共{n}行" "{m} rows" n=1 %}',
        '{% zh_en "共{n}行" "{n} rows" %}',
        '{% zh_en "甲" "a" %}，',
    ],
)
def test_a_missing_language_is_noticed(planted: str) -> None:
    assert language_violations(planted)


@pytest.mark.parametrize(
    "planted",
    [
        '<p style="color:red">',
        "<style>p{}</style>",
        '<a onclick="x()">',
        "<script>1</script>",
        '<a href="javascript:1">',
    ],
)
def test_inline_style_and_script_are_noticed(planted: str) -> None:
    assert inline_violations(planted)
