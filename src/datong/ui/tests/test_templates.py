"""Laws of the templates, each with a planted violation: both languages, nothing inline, only icons that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import datong

SOURCE = Path(datong.__file__).parent
ZH_EN = re.compile(r"""{%\s*zh_en\s+"(?P<zh>(?:[^"\\]|\\.)*)"\s+"(?P<en>(?:[^"\\]|\\.)*)"(?P<rest>[^%]*)%}""")
STORED = re.compile(r"""{%\s*zh_en\s+(?:"(?:[^"\\]|\\.)*"\s+)?[^"\s][^%]*%}""")
"""A `zh_en` whose texts are variables: stored texts are told apart by `beside`, which escapes them."""
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
    found += [f"not two literals: {said}" for said in STORED.findall(text)]
    bare = ZH_EN.sub("", re.sub(r"{#.*?#}", "", text, flags=re.S))
    for allowed in ALLOWED_HAN:
        bare = bare.replace(allowed, "")
    found += [f"Chinese outside zh_en: {line.strip()[:60]!r}" for line in bare.splitlines() if HAN.search(line)]
    return found


def inline_violations(text: str) -> list[str]:
    return [match.group(0) for match in INLINE.finditer(re.sub(r"{#.*?#}", "", text, flags=re.S))]


def find_said(source: str) -> list[tuple[str, str]]:
    """The literal pairs of every `zh_en(…)` call in a module; a call without two literals is ("", "")."""
    pairs = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "zh_en":
            texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            pairs.append((texts[0], texts[1]) if len(texts) == 2 else ("", ""))
    return pairs


def code_violations(source: str) -> list[str]:
    """Pairs whose English is missing or is Chinese, or whose placeholders differ."""
    found = []
    for zh, en in find_said(source):
        wrong = not zh or not en or HAN.sub("", en).strip() == ""
        if wrong or set(PLACEHOLDER.findall(zh)) != set(PLACEHOLDER.findall(en)):
            found.append(f"{zh!r} and {en!r}")
    return found


def test_what_code_says_it_says_in_both_languages() -> None:
    modules = [path for path in SOURCE.rglob("web/*.py") if path.name not in {"words.py", "navigation.py"}]
    assert sum(len(find_said(path.read_text(encoding="utf-8"))) for path in modules) >= 30
    for path in modules:
        assert code_violations(path.read_text(encoding="utf-8")) == [], path
    assert code_violations('zh_en("共{n}行", "rows")')
    assert code_violations('zh_en("有", "")')


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
        "{% zh_en found.zh found.en %}",
        '{% zh_en "甲" found.en %}',
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
